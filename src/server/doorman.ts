/**
 * The doorman of a UDP port, without socket: a datagram, where it came from and the time go in, and what to do with it
 * comes out (protocol §2.5, §4.6, §7.1). A sealed frame carries the first half of its session's id in the clear (§3.1),
 * so its session is found whatever address it comes from; all else goes by address and port. The cheapest check comes
 * first, and nothing is kept of a stranger.
 */
import type { Random } from '../crypto/random.js';
import type { Cookies } from '../handshake/cookie.js';
import { sameBytes, viewOf } from '../wire/bytes.js';
import {
  AEAD_NONCE_BYTES,
  COOKIE_BYTES,
  COOKIE_HELLO_SEQ,
  DEVICE_ID_BYTES,
  FrameType,
  HEADER_BYTES,
  isFrameType,
  isSealed,
  MAGIC,
  MAX_FRAME_BYTES,
  PROOF_BYTES,
  PUBLIC_KEY_BYTES,
  SEAL_BYTES,
  VERSION,
} from '../wire/constants.js';
import { decodeFrame, encodeFrame, type Frame } from '../wire/frame.js';
import { decodeHello } from '../wire/payloads.js';
import { decodeUtack, encodeUtack, isMarkedUtack } from '../wire/utack.js';
import { Allowance } from './allowance.js';
import type { Remote } from './listener.js';

/** @typeParam C whatever stands for a handshake or a session at the caller's. */
export type Decision<C> =
  | { readonly type: 'drop' }
  /** To be sent where the datagram came from. */
  | { readonly type: 'reply'; readonly datagrams: readonly Uint8Array[] }
  | { readonly type: 'deliver'; readonly to: readonly C[] }
  /** A HELLO whose sender is where it says: a handshake may begin, of which `began` then tells. */
  | { readonly type: 'begin'; readonly deviceId: Uint8Array };

/** All that goes on with one address and port: a client that restarts may begin anew beside its old session. */
interface AtAddress<C> {
  readonly sessions: Set<C>;
  beginning: C | undefined;
}

interface Known {
  /** The HELLO that began it, by which its repeats are known. */
  readonly hello: Uint8Array;
  /** Where it is. */
  key: string;
  /** Set once it is a session. */
  id: bigint | undefined;
}

const PLAIN_HELLO_BYTES = HEADER_BYTES + DEVICE_ID_BYTES + PUBLIC_KEY_BYTES;
const COOKIE_HELLO_BYTES = PLAIN_HELLO_BYTES + COOKIE_BYTES;
const HELLO_ACK_BYTES = HEADER_BYTES + PROOF_BYTES;
const MIN_SEALED_BYTES = HEADER_BYTES + SEAL_BYTES;
/** The nonce begins with the sequence number; then comes the session id's first half (protocol §3.1). */
const NONCE_ID_AT = 4;
const ID_AT = HEADER_BYTES + NONCE_ID_AT;
/** Of a session id, so much is in each nonce. */
export const ID_PREFIX_BYTES = AEAD_NONCE_BYTES - NONCE_ID_AT;

const DROP = { type: 'drop' } as const;

const keyOf = ({ address, port }: Remote): string => `${address}|${port}`;
const idOf = (sessionId: Uint8Array): bigint => viewOf(sessionId).getBigUint64(0, true);

/** The plain answer to a HELLO without cookie: UTACK and HELLO_RETRY together, for every repeat again. */
export function answerPlainHello(hello: Frame, cookie: Uint8Array): Uint8Array[] {
  return [
    encodeUtack({ type: hello.type, seq: hello.seq }),
    encodeFrame({ type: FrameType.HELLO_RETRY, seq: 0, payload: cookie }),
  ];
}

export interface DoormanOptions {
  readonly cookies: Cookies;
  /** HELLOs without cookie that are answered, and HELLOs with one that are looked at. */
  readonly maxHelloRetriesPerSecond: number;
  /** Chooses among those who ask for too much. */
  readonly random: Random;
}

export class Doorman<C extends object> {
  readonly #cookies: Cookies;
  /** Making a cookie costs more than all the rest, and so does looking at one. */
  readonly #toAnswer: Allowance;
  readonly #toCheck: Allowance;
  readonly #byAddress = new Map<string, AtAddress<C>>();
  readonly #byId = new Map<bigint, C>();
  readonly #known = new Map<C, Known>();

  constructor({ cookies, maxHelloRetriesPerSecond, random }: DoormanOptions) {
    this.#cookies = cookies;
    this.#toAnswer = new Allowance(maxHelloRetriesPerSecond, random);
    this.#toCheck = new Allowance(maxHelloRetriesPerSecond, random);
  }

  /** Addresses with which something goes on; the others are forgotten. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  decide(datagram: Uint8Array, remote: Remote, now: number): Decision<C> {
    const { length } = datagram;
    if (isMarkedUtack(datagram)) return this.#utack(datagram, remote);
    if (length < HEADER_BYTES || length > MAX_FRAME_BYTES) return DROP;
    const view = viewOf(datagram);
    const type = view.getUint8(3);
    if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== VERSION || !isFrameType(type)) return DROP;
    if (isSealed(type)) {
      const session = length < MIN_SEALED_BYTES ? undefined : this.#byId.get(view.getBigUint64(ID_AT, true));
      return session ? { type: 'deliver', to: [session] } : DROP;
    }
    if (type === FrameType.HELLO && length === PLAIN_HELLO_BYTES)
      return this.#plainHello(datagram, remote, now);
    if (type === FrameType.HELLO && length === COOKIE_HELLO_BYTES)
      return this.#cookieHello(datagram, remote, now);
    // A session has repeats of its own HELLO_ACK to acknowledge.
    if (type === FrameType.HELLO_ACK && length === HELLO_ACK_BYTES) return this.#deliverAt(remote);
    return DROP; // what only a server sends
  }

  /** The caller has begun a handshake with this HELLO. @returns the one that this puts an end to. */
  began(conversation: C, remote: Remote, hello: Uint8Array): C | undefined {
    const key = keyOf(remote);
    const at = this.#at(key);
    const replaced = at.beginning;
    at.beginning = conversation;
    this.#known.set(conversation, { hello: Uint8Array.from(hello), key, id: undefined });
    return replaced;
  }

  /** The handshake has become a session. */
  established(conversation: C, sessionId: Uint8Array): void {
    const known = this.#known.get(conversation);
    if (!known) return;
    const at = this.#at(known.key);
    if (at.beginning === conversation) at.beginning = undefined;
    at.sessions.add(conversation);
    known.id = idOf(sessionId);
    this.#byId.set(known.id, conversation);
  }

  /** A new frame of this session has authenticated that came from here. */
  moved(conversation: C, remote: Remote): void {
    const known = this.#known.get(conversation);
    if (known?.id === undefined) return;
    this.#leave(conversation, known.key);
    known.key = keyOf(remote);
    this.#at(known.key).sessions.add(conversation);
  }

  ended(conversation: C): void {
    const known = this.#known.get(conversation);
    if (!known) return;
    this.#known.delete(conversation);
    this.#leave(conversation, known.key);
    if (known.id !== undefined && this.#byId.get(known.id) === conversation) this.#byId.delete(known.id);
  }

  /** Sessions at this very address and port. */
  sessionsAt(remote: Remote): readonly C[] {
    return [...(this.#byAddress.get(keyOf(remote))?.sessions ?? [])];
  }

  // Deciding

  #utack(datagram: Uint8Array, remote: Remote): Decision<C> {
    return decodeUtack(datagram) ? this.#deliverAt(remote) : DROP;
  }

  #deliverAt(remote: Remote): Decision<C> {
    const at = this.#byAddress.get(keyOf(remote));
    if (!at) return DROP;
    return { type: 'deliver', to: at.beginning ? [at.beginning, ...at.sessions] : [...at.sessions] };
  }

  #plainHello(datagram: Uint8Array, remote: Remote, now: number): Decision<C> {
    if (!this.#toAnswer.take(remote, now)) return DROP; // the client repeats it
    const frame = soundFrame(datagram);
    if (!frame) return DROP;
    return {
      type: 'reply',
      datagrams: answerPlainHello(frame, this.#cookies.issue(remote.address, remote.port, now)),
    };
  }

  #cookieHello(datagram: Uint8Array, remote: Remote, now: number): Decision<C> {
    const at = this.#byAddress.get(keyOf(remote));
    for (const conversation of at ? [at.beginning, ...at.sessions] : []) {
      const hello = conversation && this.#known.get(conversation)?.hello;
      if (hello && sameBytes(hello, datagram)) return { type: 'deliver', to: [conversation] };
    }
    if (!this.#toCheck.take(remote, now)) return DROP; // the client repeats it
    const frame = soundFrame(datagram);
    if (frame?.seq !== COOKIE_HELLO_SEQ) return DROP;
    const { cookie, deviceId } = decodeHello(frame.payload);
    if (!cookie || !this.#cookies.accepts(cookie, remote.address, remote.port, now)) return DROP;
    return { type: 'begin', deviceId };
  }

  // Keeping

  #at(key: string): AtAddress<C> {
    let at = this.#byAddress.get(key);
    if (!at) this.#byAddress.set(key, (at = { sessions: new Set(), beginning: undefined }));
    return at;
  }

  #leave(conversation: C, key: string): void {
    const at = this.#byAddress.get(key);
    if (!at) return;
    at.sessions.delete(conversation);
    if (at.beginning === conversation) at.beginning = undefined;
    if (!at.beginning && at.sessions.size === 0) this.#byAddress.delete(key);
  }
}

function soundFrame(datagram: Uint8Array): Frame | undefined {
  try {
    return decodeFrame(datagram);
  } catch {
    return undefined; // damaged, or never a frame: dropped (protocol §4.6)
  }
}
