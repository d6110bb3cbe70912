/**
 * A stand-in for the reference implementation: one end of one session, gateway or device, with the habits and the
 * faults of the reference SDK (Python) or, where it differs, of the C core. Bytes and time go in, bytes come out
 * (`take`), as with the engine's own ends. It shares formulas with them and nothing else: its rules are those of the
 * reference, written down a second time, so that a mistake in the engine is not repeated here. This file is its
 * handshake; how frames travel is in reference-link.ts, the session in reference-session.ts.
 */
import { createAead, DEFAULT_SUITE, type Suite } from '../../src/crypto/aead.js';
import { equalProofs, helloAckProof, sessionOkProof, type ProofInput } from '../../src/crypto/proofs.js';
import { systemRandom, type Random } from '../../src/crypto/random.js';
import { deriveSessionKeys, type SessionKeys } from '../../src/crypto/schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { generateKeyPair, type KeyPair } from '../../src/crypto/x25519.js';
import { sameBytes } from '../../src/wire/bytes.js';
import * as wire from '../../src/wire/constants.js';
import { FrameType, isSealed } from '../../src/wire/constants.js';
import { encodeFrame, type Frame } from '../../src/wire/frame.js';
import * as payloads from '../../src/wire/payloads.js';
import { ascii, hex } from './hex.js';
import { ReferenceLink } from './reference-link.js';
import { ReferenceSession } from './reference-session.js';

export const PSK = ascii('a key that both sides have');
export const DEVICE_ID = hex('a4cf12000001');

export interface ReferenceOptions {
  readonly role: 'client' | 'server';
  readonly transport: 'tcp' | 'udp';
  /** Default `PSK`. */
  readonly psk?: Uint8Array;
  /** Client: default `DEVICE_ID`. */
  readonly deviceId?: Uint8Array;
  /** The SDK (default), or the C core of devices. */
  readonly flavour?: 'python' | 'c-core';
  readonly suite?: Suite;
  readonly random?: Random;
  /** Server: default 60 s. */
  readonly sessionTimeoutMs?: number;
  /** Server: how late its answers leave; what they answer is acknowledged at once. */
  readonly delays?: { helloRetryMs?: number; challengeMs?: number; sessionOkMs?: number };
  /** Server over UDP: the cookie of a bucket of 30 s; by default always the same. */
  readonly cookie?: (bucket: number) => Uint8Array;
  /** Server: whether there is no room for the session that was just opened. */
  readonly isFull?: () => boolean;
  readonly onEstablished?: () => void;
  /** The application, called by the loop that takes frames, which waits for what is sent from here. */
  readonly onMessage?: (message: Uint8Array, session: Reference, now: number) => void;
}

export type Ending =
  /** `close` was called; the other side said BYE. */
  | 'closed'
  | 'bye'
  /** Five sends without a UTACK; no frame for the session timeout; too many control frames. */
  | 'unacknowledged'
  | 'silent'
  | 'flood'
  /** The other side's proof is wrong; no room; a newer session took its place. */
  | 'proof'
  | 'full'
  | 'replaced'
  /** The handshake took too long; what came is not the protocol; the connection broke. */
  | 'late'
  | 'broken'
  | 'lost';

type State =
  /** Server: no HELLO yet, or (UDP) none with a cookie. */
  | { readonly at: 'door' }
  /** Client: waits for HELLO_RETRY or CHALLENGE, then for SESSION_OK. */
  | { readonly at: 'hello'; readonly pair: KeyPair }
  | { readonly at: 'helloAck'; readonly input: ProofInput; readonly keys: SessionKeys }
  /** Server: CHALLENGE is about to leave, then HELLO_ACK is waited for. */
  | { readonly at: 'asked' }
  | { readonly at: 'challenge'; readonly input: ProofInput; readonly keys: SessionKeys }
  | { readonly at: 'established'; readonly session: ReferenceSession }
  | { readonly at: 'ended'; readonly ending: Ending };

const HANDSHAKE_MS = 10_000;
const SESSION_TIMEOUT_MS = 60_000;
const COOKIE_BUCKET_MS = 30_000;
const FIXED_COOKIE = new Uint8Array(wire.COOKIE_BYTES).fill(0xc0);

export class Reference {
  readonly #options: ReferenceOptions;
  readonly #psk: Secret;
  readonly #random: Random;
  readonly #udp: boolean;
  readonly #link: ReferenceLink;
  #deviceId: Uint8Array;
  #state: State = { at: 'door' };
  #handshakeDeadline = Infinity;
  readonly #handshakeTaken = new Set<FrameType>();
  /** Answers that are on their way out, slowly. */
  #late: { readonly at: number; readonly answer: (now: number) => void }[] = [];
  /** Also after its end. */
  #session: ReferenceSession | undefined;

  constructor(options: ReferenceOptions) {
    const { transport, flavour = 'python' } = options;
    this.#options = options;
    this.#psk = new Secret(options.psk ?? PSK);
    this.#random = options.random ?? systemRandom;
    this.#udp = transport === 'udp';
    this.#deviceId = options.deviceId ?? DEVICE_ID;
    this.#link = new ReferenceLink({
      ...{ transport, flavour },
      admits: (datagram, now) => this.#admits(datagram, now),
      take: (frame, now) => this.#take(frame, now),
      fail: (why) => this.end(this.#session?.leaving ?? why),
    });
  }

  get state(): 'door' | 'handshaking' | 'established' | 'ended' {
    const { at } = this.#state;
    return at === 'door' || at === 'established' || at === 'ended' ? at : 'handshaking';
  }

  get ending(): Ending | undefined {
    return this.#state.at === 'ended' ? this.#state.ending : undefined;
  }

  /** Its own, or the client's once that is known. */
  get deviceId(): Uint8Array {
    return this.#deviceId;
  }

  /** The messages that the application got, in order. */
  get received(): readonly Uint8Array[] {
    return this.#session?.received ?? [];
  }

  get texts(): string[] {
    return this.received.map((message) => Buffer.from(message).toString());
  }

  get pongs(): number {
    return this.#session?.pongs ?? 0;
  }

  /** Takes out what is to be sent; over UDP a datagram each. */
  take(): Uint8Array[] {
    return this.#link.take();
  }

  /** When `tick` is due. */
  get deadline(): number | undefined {
    const state = this.#state;
    if (state.at === 'ended') return undefined;
    const own = state.at === 'established' ? state.session.deadline : this.#handshakeDeadline;
    const earliest = Math.min(own, this.#link.deadline, ...this.#late.map(({ at }) => at));
    return earliest === Infinity ? undefined : earliest;
  }

  tick(now: number): void {
    const due = this.#late.filter(({ at }) => at <= now);
    this.#late = this.#late.filter(({ at }) => at > now);
    for (const { answer } of due) answer(now);
    if (this.#state.at === 'established') this.#state.session.tick(now);
    else if (now >= this.#handshakeDeadline) this.end('late');
    this.#link.tick(now);
  }

  /** The connection is there: a client sends HELLO, a server waits for it, over TCP not for ever (protocol §2.6). */
  start(now: number): void {
    const { role } = this.#options;
    if (role === 'client' || !this.#udp) this.#handshakeDeadline = now + HANDSHAKE_MS;
    if (role === 'server') return;
    const pair = generateKeyPair(this.#random);
    this.#state = { at: 'hello', pair };
    this.#queueHello(pair);
    this.#link.work(now);
  }

  /** Bytes from the transport: any part of a stream, or one datagram. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.#state.at !== 'ended') this.#link.receive(bytes, now);
  }

  transportClosed(): void {
    this.end('lost');
  }

  /** From outside, messages leave one after the other; called by `onMessage`, its loop waits until this one arrived. */
  send(message: Uint8Array | string, now: number): void {
    const bytes = typeof message === 'string' ? ascii(message) : message;
    this.#ask((session) => session.send(bytes), now);
  }

  ping(now: number): void {
    this.#ask((session) => session.ping(), now);
  }

  rekey(now: number): void {
    this.#ask((session) => session.rekey(), now);
  }

  /** Says BYE, and ends once that has been acknowledged or sent five times. */
  close(now: number): void {
    this.#ask((session) => session.sayBye('closed'), now);
  }

  /** Without a word: over TCP the connection is closed, over UDP there is silence (protocol §1.4). */
  end(ending: Ending): void {
    if (this.#state.at === 'ended') return;
    this.#state = { at: 'ended', ending };
    this.#late = [];
    this.#link.close();
  }

  #ask(action: (session: ReferenceSession) => void, now: number): void {
    if (this.#state.at !== 'established') throw new Error(`the stand-in has no session: ${this.#state.at}`);
    action(this.#state.session);
    this.#link.work(now);
  }

  /** UDP: a HELLO without cookie is answered and forgotten (protocol §2.5), anything else is a stranger's. */
  #admits(datagram: Uint8Array, now: number): boolean {
    if (this.#state.at !== 'door') return true;
    const { cookie: cookieOf = () => FIXED_COOKIE, delays } = this.#options;
    if (datagram[3] !== FrameType.HELLO) return false;
    const { cookie } = payloads.decodeHello(datagram.subarray(wire.HEADER_BYTES));
    const bucket = Math.floor(now / COOKIE_BUCKET_MS);
    if (cookie) return [bucket, bucket - 1].some((each) => sameBytes(cookie, cookieOf(each)));
    this.#link.acknowledge(datagram);
    const retry = { type: FrameType.HELLO_RETRY, seq: 0, payload: cookieOf(bucket) };
    // Once for each HELLO, and its UTACK is not waited for (protocol §4.3).
    this.#after(delays?.helloRetryMs, now, () => this.#link.transmit(encodeFrame(retry)));
    return false;
  }

  #after(delayMs = 0, now: number, answer: (now: number) => void): void {
    if (delayMs === 0) answer(now);
    else this.#late.push({ at: now + delayMs, answer });
  }

  #take(frame: Frame, now: number): void {
    const state = this.#state;
    if (state.at === 'established' && isSealed(frame.type)) {
      state.session.take(frame, now);
      return;
    }
    // Repeats are known by their type. A repeated HELLO all the same ends an open session (protocol §5.3).
    const repeated = this.#handshakeTaken.has(frame.type);
    if (this.#udp && repeated && !(state.at === 'established' && frame.type === FrameType.HELLO)) return;
    this.#handshakeTaken.add(frame.type);
    try {
      this.#handshake(state, frame, now);
    } catch {
      this.end('broken');
    }
  }

  /** Protocol §2.1. */
  #handshake(state: State, { type, payload }: Frame, now: number): void {
    const { delays } = this.#options;
    if (state.at === 'door' && type === FrameType.HELLO) {
      if (this.#udp) this.#handshakeDeadline = now + HANDSHAKE_MS;
      const hello = payloads.decodeHello(payload);
      this.#state = { at: 'asked' };
      this.#after(delays?.challengeMs, now, () => this.#challenge(hello));
    } else if (state.at === 'challenge' && type === FrameType.HELLO_ACK) {
      const proof = payloads.decodeHelloAck(payload);
      this.#after(delays?.sessionOkMs, now, (later) => this.#sessionOk(state, proof, later));
    } else if (state.at === 'hello' && type === FrameType.HELLO_RETRY) {
      this.#queueHello(state.pair, payloads.decodeHelloRetry(payload));
    } else if (state.at === 'hello' && type === FrameType.CHALLENGE) {
      this.#helloAck(state.pair, payloads.decodeChallenge(payload));
    } else if (state.at === 'helloAck' && type === FrameType.SESSION_OK) {
      const { sessionId, proof } = payloads.decodeSessionOk(payload);
      if (!equalProofs(proof, sessionOkProof(this.#psk, state.input, sessionId))) this.end('proof');
      else this.#establish(sessionId, state.keys.clientToServer, state.keys.serverToClient, now);
    } else {
      this.end('broken');
    }
  }

  #queue(type: FrameType, seq: number, payload: Uint8Array, done?: () => void): void {
    this.#link.queue({ frame: () => ({ type, seq, payload }), by: 'loop', done });
  }

  /** The UTACK alone stops its repeats, so that a client hangs whose HELLO_RETRY was lost (protocol §4.3). */
  #queueHello({ publicKey: clientPublic }: KeyPair, cookie?: Uint8Array): void {
    const hello = { deviceId: this.#deviceId, clientPublic, ...(cookie && { cookie }) };
    this.#queue(FrameType.HELLO, cookie ? wire.COOKIE_HELLO_SEQ : 0, payloads.encodeHello(hello));
  }

  #challenge({ deviceId, clientPublic }: payloads.Hello): void {
    const pair = generateKeyPair(this.#random);
    const nonce = this.#random(wire.NONCE_BYTES);
    const keys = deriveSessionKeys(pair.agree(clientPublic), nonce, clientPublic, pair.publicKey);
    this.#deviceId = deviceId;
    this.#state = { at: 'challenge', input: { nonce, clientPublic, serverPublic: pair.publicKey }, keys };
    this.#queue(FrameType.CHALLENGE, 0, payloads.encodeChallenge({ nonce, serverPublic: pair.publicKey }));
  }

  #helloAck(pair: KeyPair, { nonce, serverPublic }: payloads.Challenge): void {
    const input = { nonce, clientPublic: pair.publicKey, serverPublic };
    const keys = deriveSessionKeys(pair.agree(serverPublic), nonce, pair.publicKey, serverPublic);
    this.#state = { at: 'helloAck', input, keys };
    this.#queue(FrameType.HELLO_ACK, wire.HELLO_ACK_SEQ, helloAckProof(this.#psk, input, this.#deviceId));
  }

  /** Another PSK ends it without a word (protocol §5.4). */
  #sessionOk({ input, keys }: State & { at: 'challenge' }, helloAck: Uint8Array, now: number): void {
    if (!equalProofs(helloAck, helloAckProof(this.#psk, input, this.#deviceId))) {
      this.end('proof');
      return;
    }
    const sessionId = this.#random(wire.SESSION_ID_BYTES);
    const proof = sessionOkProof(this.#psk, input, sessionId);
    this.#establish(sessionId, keys.serverToClient, keys.clientToServer, now);
    this.#queue(FrameType.SESSION_OK, 0, payloads.encodeSessionOk({ sessionId, proof }), () => {
      // Over UDP the handshake is completed, and then the session dropped for want of room (protocol §5.2).
      if (this.#options.isFull?.()) this.end('full');
      else this.#options.onEstablished?.();
    });
  }

  #establish(sessionId: Uint8Array, tx: Secret, rx: Secret, now: number): void {
    const { role, flavour = 'python', suite = DEFAULT_SUITE, onMessage, onEstablished } = this.#options;
    const session = new ReferenceSession(
      {
        ...{ role, flavour, sessionId, tx, rx, udp: this.#udp, random: this.#random, link: this.#link },
        aead: createAead(suite),
        timeoutMs: this.#options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
        onMessage: (message, at) => onMessage?.(message, this, at),
        end: (ending) => this.end(ending),
      },
      now,
    );
    this.#session = session;
    this.#state = { at: 'established', session };
    this.#link.keys = session;
    if (role === 'client') onEstablished?.();
  }
}
