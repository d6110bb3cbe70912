/** The stand-in for the reference (reference.ts) once its session is open: keys and numbers, messages, control frames. */
import type { Aead } from '../../src/crypto/aead.js';
import type { Random } from '../../src/crypto/random.js';
import { deriveRekeyedKeys } from '../../src/crypto/schedule.js';
import type { Secret } from '../../src/crypto/secret.js';
import { concat, EMPTY, sameBytes, viewOf } from '../../src/wire/bytes.js';
import {
  AEAD_NONCE_BYTES,
  FrameType,
  MAX_FRAGMENTS,
  REKEY_SALT_BYTES,
  SEAL_BYTES,
} from '../../src/wire/constants.js';
import { fragment } from '../../src/wire/fragments.js';
import { encodeAad, type Frame } from '../../src/wire/frame.js';
import type { Job, ReferenceLink } from './reference-link.js';

export interface ReferenceSessionOptions {
  readonly role: 'client' | 'server';
  readonly udp: boolean;
  readonly flavour: 'python' | 'c-core';
  readonly sessionId: Uint8Array;
  readonly tx: Secret;
  readonly rx: Secret;
  readonly aead: Aead;
  readonly random: Random;
  readonly link: ReferenceLink;
  readonly timeoutMs: number;
  readonly onMessage: (message: Uint8Array, now: number) => void;
  readonly end: (ending: 'closed' | 'bye' | 'silent' | 'flood' | 'broken') => void;
}

const WINDOW = 64;
const MAX_CONTROLS = 8;
const CONTROLS_MS = 1_000;

export class ReferenceSession {
  readonly received: Uint8Array[] = [];
  pongs = 0;
  tx: Secret;
  rx: Secret;
  /** It says BYE, and does not mind whether that is acknowledged. */
  leaving: 'closed' | 'bye' | undefined;
  readonly #options: ReferenceSessionOptions;
  #nextTx = 0;
  /** The numbers taken under the receiving key, the highest of them, and the highest under any key. */
  #taken = new Set<number>();
  #highest = -1;
  #highestEver = -1;
  #pieces: Uint8Array[] = [];
  #nextPiece = 0;
  /** PINGs and PONGs since then, without a message between them. */
  #controls: { readonly since: number; count: number };
  #heardAt: number;
  #watchdogAt: number;

  constructor(options: ReferenceSessionOptions, now: number) {
    this.#options = options;
    this.tx = options.tx;
    this.rx = options.rx;
    this.#controls = { since: now, count: 0 };
    this.#heardAt = now;
    this.#watchdogAt = options.role === 'server' ? now + options.timeoutMs / 2 : Infinity;
  }

  get deadline(): number {
    return this.#watchdogAt;
  }

  /** Only what the device sends counts (protocol §3.5). Looked at twice a timeout: a dead session stays up to 90 s. */
  tick(now: number): void {
    const { timeoutMs, end } = this.#options;
    if (now < this.#watchdogAt) return;
    if (now - this.#heardAt > timeoutMs) end('silent');
    else this.#watchdogAt = now + timeoutMs / 2;
  }

  send(message: Uint8Array): void {
    const { link } = this.#options;
    const pieces = fragment(message);
    const type = (i: number): FrameType => (i < pieces.length - 1 ? FrameType.DATA_FRAG : FrameType.DATA);
    const by = link.isTaking ? 'loop' : 'application';
    link.queue(...pieces.map((piece, i): Job => ({ frame: () => this.#seal(type(i), piece), by })));
  }

  ping(): void {
    this.#queue(FrameType.PING);
  }

  rekey(): void {
    const salt = this.#options.random(REKEY_SALT_BYTES);
    this.#queue(FrameType.REKEY, () => this.#changeKeys(salt, 'initiator'), salt);
  }

  sayBye(ending: 'closed' | 'bye'): void {
    this.leaving = ending;
    this.#queue(FrameType.BYE, () => this.#options.end(ending));
  }

  take(frame: Frame, now: number): void {
    const { type, seq } = frame;
    const plaintext = this.#isDue(seq) ? this.#open(frame) : undefined;
    if (!plaintext) {
      // Also what crossed a REKEY, of either side or of both: over UDP it has been acknowledged and is lost.
      if (!this.#options.udp) this.#options.end('broken');
      return;
    }
    this.#heardAt = now;
    this.#taken.add(seq);
    this.#highest = Math.max(this.#highest, seq);
    this.#highestEver = Math.max(this.#highestEver, seq);
    if (type === FrameType.DATA || type === FrameType.DATA_FRAG) this.#piece(type, seq, plaintext, now);
    else if (type === FrameType.BYE) this.#bye();
    else if (this.#pieces.length > 0) this.#violation();
    else if (type === FrameType.REKEY) this.#rekeyed(plaintext);
    else this.#control(type, now);
  }

  #queue(type: FrameType, done?: () => void, plaintext: Uint8Array = EMPTY): void {
    const { link } = this.#options;
    link.queue({ frame: () => this.#seal(type, plaintext), by: link.isTaking ? 'loop' : 'caller', done });
  }

  #seal(type: FrameType, plaintext: Uint8Array): Frame {
    const seq = this.#nextTx++;
    const nonce = this.#nonce(seq);
    const aad = encodeAad(type, seq, plaintext.length + SEAL_BYTES);
    return { type, seq, payload: concat(nonce, this.#options.aead.seal(this.tx, nonce, aad, plaintext)) };
  }

  #open({ type, seq, payload }: Frame): Uint8Array | undefined {
    const nonce = this.#nonce(seq);
    if (!sameBytes(payload.subarray(0, nonce.length), nonce)) return undefined;
    try {
      const aad = encodeAad(type, seq, payload.length);
      return this.#options.aead.open(this.rx, nonce, aad, payload.subarray(nonce.length));
    } catch {
      return undefined;
    }
  }

  #nonce(seq: number): Uint8Array {
    const nonce = new Uint8Array(AEAD_NONCE_BYTES);
    viewOf(nonce).setUint32(0, seq, true);
    nonce.set(this.#options.sessionId.subarray(0, AEAD_NONCE_BYTES - 4), 4);
    return nonce;
  }

  #isDue(seq: number): boolean {
    if (!this.#options.udp) return seq === this.#highest + 1;
    // The SDK tells old numbers by the highest one ever, which no REKEY of either side resets: after N frames, the
    // first N - 63 that follow a REKEY are acknowledged and thrown away. The C core begins anew.
    const highest = this.#options.flavour === 'python' ? this.#highestEver : this.#highest;
    return seq > highest - WINDOW && !this.#taken.has(seq);
  }

  #piece(type: FrameType, seq: number, piece: Uint8Array, now: number): void {
    const isLast = type === FrameType.DATA;
    const inOrder = this.#pieces.length === 0 || seq === this.#nextPiece;
    if (!inOrder || (!isLast && this.#pieces.length + 1 === MAX_FRAGMENTS)) {
      this.#violation();
      return;
    }
    this.#pieces.push(piece);
    this.#nextPiece = seq + 1;
    if (!isLast) return;
    const message = concat(...this.#pieces.splice(0));
    this.#controls = { since: now, count: 0 };
    this.received.push(message);
    this.#options.onMessage(message, now);
  }

  /** What breaks a message costs that message and itself over UDP, and the session over TCP (protocol §3.4). */
  #violation(): void {
    this.#pieces = [];
    if (!this.#options.udp) this.#options.end('broken');
  }

  /** PING is answered by the loop that hands out messages (§3.6). The ninth in a second still is, and then it ends. */
  #control(type: FrameType, now: number): void {
    if (now - this.#controls.since > CONTROLS_MS) this.#controls = { since: now, count: 0 };
    this.#controls.count += 1;
    const isTooMany = this.#controls.count > MAX_CONTROLS;
    const answered = (): void => {
      if (isTooMany) this.#options.end('flood');
    };
    if (type === FrameType.PING) {
      this.#queue(FrameType.PONG, answered);
    } else {
      this.pongs += 1;
      answered();
    }
  }

  /** The client answers with a BYE of its own over UDP; the gateway is gone and acknowledges no repeat (protocol §3.7). */
  #bye(): void {
    const { udp, role, end } = this.#options;
    if (udp && role === 'client') this.sayBye('bye');
    else end('bye');
  }

  #rekeyed(salt: Uint8Array): void {
    if (salt.length === REKEY_SALT_BYTES) this.#changeKeys(salt, 'responder');
    else this.#violation();
  }

  /**
   * When REKEY was acknowledged, or when it came: both directions at once. The old keys are forgotten, though frames
   * under them may be under way, in either direction.
   */
  #changeKeys(salt: Uint8Array, as: 'initiator' | 'responder'): void {
    const [from, to] = as === 'initiator' ? [this.tx, this.rx] : [this.rx, this.tx];
    const { initiatorTx, initiatorRx } = deriveRekeyedKeys(from, to, salt, this.#options.sessionId);
    [this.tx, this.rx] = as === 'initiator' ? [initiatorTx, initiatorRx] : [initiatorRx, initiatorTx];
    this.#nextTx = 0;
    this.#taken = new Set();
    this.#highest = -1;
  }
}
