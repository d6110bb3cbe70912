/**
 * An established session, without transport or time (protocol §3): directional keys and counters, sealing and
 * opening, message fragments and REKEY. Whoever holds it decides what a fault means: over a stream it ends the
 * session, a datagram is dropped.
 */
import { createAead, type Aead, type Suite } from '../crypto/aead.js';
import { equalProofs, utackMac } from '../crypto/proofs.js';
import type { Random } from '../crypto/random.js';
import { deriveRekeyedKeys } from '../crypto/schedule.js';
import type { Secret } from '../crypto/secret.js';
import { CryptoError, PayloadError, SequenceError, USMPError } from '../errors.js';
import { EMPTY, concat, sameBytes, viewOf } from '../wire/bytes.js';
import {
  AEAD_NONCE_BYTES,
  FrameType,
  REKEY_SALT_BYTES,
  SEAL_BYTES,
  SEQ_END,
  typeName,
  type LinkKind,
} from '../wire/constants.js';
import { encodeAad, encodeFrame, type Frame } from '../wire/frame.js';
import { fragment } from '../wire/fragments.js';
import { StrictOrder, WindowOrder, type ReceiveOrder } from './order.js';
import { Reassembly } from './reassembly.js';

export interface SealedFrame {
  readonly type: FrameType;
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** The mac of the UTACK that acknowledges this frame (protocol §4.1); empty over a stream. */
  readonly utackMac: Uint8Array;
}

/** What an authenticated frame turned out to be. */
export type Content =
  | { readonly kind: 'message'; readonly data: Uint8Array }
  | { readonly kind: 'fragment' | 'ping' | 'pong' | 'bye' | 'rekey' | 'repeat' }
  /** Authentic, but against the protocol: ends the session over a stream, is passed over among datagrams. */
  | { readonly kind: 'violation'; readonly error: USMPError }
  /** Ends the session over either. */
  | { readonly kind: 'fatal'; readonly error: USMPError };

export interface Opened {
  readonly content: Content;
  /** Makes the macs of the UTACKs that acknowledge this frame; to be called before the next frame is opened. */
  readonly utackMacs: () => Uint8Array[];
}

export interface SessionOptions {
  readonly sessionId: Uint8Array;
  readonly txKey: Secret;
  readonly rxKey: Secret;
  readonly suite: Suite;
  readonly over: LinkKind;
  readonly random: Random;
}

interface Receiving {
  readonly key: Secret;
  readonly order: ReceiveOrder;
}

export class Session {
  readonly sessionId: Uint8Array;
  readonly #aead: Aead;
  readonly #random: Random;
  readonly #over: LinkKind;
  readonly #reassembly = new Reassembly();
  #tx: { key: Secret; nextSeq: number };
  #rx: Receiving;
  /** The receiving key from before the last REKEY, until the first frame under the new one (protocol §3.8). */
  #oldRx: Receiving | undefined;
  /** `unsettled`: the keys changed and no frame under the new ones has come yet; `wiped`: there are no keys. */
  #keys: 'settled' | 'unsettled' | 'wiped' = 'settled';

  constructor(options: SessionOptions) {
    this.sessionId = options.sessionId;
    this.#aead = createAead(options.suite);
    this.#random = options.random;
    this.#over = options.over;
    this.#tx = { key: options.txKey, nextSeq: 0 };
    this.#rx = { key: options.rxKey, order: this.#newOrder() };
  }

  /** Whether `sealRekey` may be called: a second REKEY before the first was answered could cross. */
  get canRekey(): boolean {
    return this.#keys === 'settled';
  }

  /** Frames sealed under the present sending key. */
  get sealed(): number {
    return this.#tx.nextSeq;
  }

  /**
   * The frames of a message, to be sent in this order with nothing between them.
   * @throws PayloadError when it is over 1,808 bytes; SequenceError when the counter is at its end.
   */
  sealMessage(message: Uint8Array): SealedFrame[] {
    const pieces = fragment(message);
    return pieces.map((piece, i) =>
      this.#seal(i < pieces.length - 1 ? FrameType.DATA_FRAG : FrameType.DATA, piece),
    );
  }

  sealControl(type: typeof FrameType.PING | typeof FrameType.PONG | typeof FrameType.BYE): SealedFrame {
    return this.#seal(type, EMPTY);
  }

  /** Seals REKEY under the old keys and moves to the new ones. Only while `canRekey`. */
  sealRekey(): SealedFrame {
    const salt = this.#random(REKEY_SALT_BYTES);
    const frame = this.#seal(FrameType.REKEY, salt);
    const { initiatorTx, initiatorRx } = deriveRekeyedKeys(this.#tx.key, this.#rx.key, salt, this.sessionId);
    this.#moveTo(initiatorTx, initiatorRx);
    return frame;
  }

  /**
   * Whether `mac` acknowledges the frame. After REKEY the reference macs the UTACKs of frames under the old key
   * with the new one, so both are taken (protocol §7.5).
   */
  acknowledges(mac: Uint8Array, { type, seq, utackMac: own }: SealedFrame): boolean {
    return equalProofs(mac, own) || equalProofs(mac, utackMac(this.#tx.key, type, seq));
  }

  /**
   * Authenticates a frame and says what it is. Nothing changes when it throws.
   * @throws SequenceError, CryptoError or PayloadError when it is not an authentic frame of the peer.
   */
  open(frame: Frame): Opened {
    this.#requireKeys();
    const { receiving, plaintext, repeat } = this.#authenticate(frame);
    const { type, seq } = frame;
    const keys = [receiving.key];
    // The reference checks the UTACK of a frame that it had under way at a REKEY with its new key (protocol §3.9).
    if (receiving === this.#oldRx) keys.push(this.#rx.key);
    const content: Content = repeat ? { kind: 'repeat' } : this.#accept(receiving, type, seq, plaintext);
    return { content, utackMacs: () => keys.map((key) => utackMac(key, type, seq)) };
  }

  /** Overwrites the keys. The session is unusable afterwards. */
  wipe(): void {
    this.#keys = 'wiped';
    this.#tx.key.wipe();
    this.#rx.key.wipe();
    this.#oldRx?.key.wipe();
  }

  #seal(type: FrameType, plaintext: Uint8Array): SealedFrame {
    this.#requireKeys();
    const { key } = this.#tx;
    const seq = this.#tx.nextSeq;
    if (seq >= SEQ_END) {
      throw new SequenceError('the sending counter is at its end: rekey or reconnect', { fault: 'local' });
    }
    this.#tx.nextSeq = seq + 1; // burnt, whatever happens next
    const nonce = this.#nonce(seq);
    const sealed = this.#aead.seal(
      key,
      nonce,
      encodeAad(type, seq, plaintext.length + SEAL_BYTES),
      plaintext,
    );
    const bytes = encodeFrame({ type, seq, payload: concat(nonce, sealed) });
    return { type, seq, bytes, utackMac: this.#over === 'datagram' ? utackMac(key, type, seq) : EMPTY };
  }

  #requireKeys(): void {
    if (this.#keys === 'wiped')
      throw new CryptoError('the keys of this session were wiped', { fault: 'local' });
  }

  #nonce(seq: number): Uint8Array {
    const nonce = new Uint8Array(AEAD_NONCE_BYTES);
    viewOf(nonce).setUint32(0, seq, true);
    nonce.set(this.sessionId.subarray(0, AEAD_NONCE_BYTES - 4), 4);
    return nonce;
  }

  #authenticate({ type, seq, payload }: Frame): {
    receiving: Receiving;
    plaintext: Uint8Array;
    repeat: boolean;
  } {
    if (payload.length < SEAL_BYTES) {
      throw new PayloadError(
        `${typeName(type)} with ${payload.length} payload bytes; at least ${SEAL_BYTES} expected`,
      );
    }
    const nonce = this.#nonce(seq);
    if (!sameBytes(payload.subarray(0, AEAD_NONCE_BYTES), nonce)) {
      throw new CryptoError(`${typeName(type)} carries a nonce that is not its own`, { code: 'USMP_NONCE' });
    }
    const aad = encodeAad(type, seq, payload.length);
    const sealed = payload.subarray(AEAD_NONCE_BYTES);
    let fault: unknown;
    for (const receiving of this.#oldRx ? [this.#rx, this.#oldRx] : [this.#rx]) {
      const verdict = receiving.order.check(seq);
      if (verdict === 'refused') {
        fault ??= new SequenceError(`${typeName(type)} has number ${seq}, which is not the next one`);
        continue;
      }
      try {
        const plaintext = this.#aead.open(receiving.key, nonce, aad, sealed);
        return { receiving, plaintext, repeat: verdict === 'repeat' };
      } catch (error) {
        fault = error;
      }
    }
    throw fault;
  }

  #accept(receiving: Receiving, type: FrameType, seq: number, plaintext: Uint8Array): Content {
    receiving.order.accept(seq);
    if (receiving === this.#rx) this.#settleRekey();
    if (seq === SEQ_END) {
      return { kind: 'fatal', error: new SequenceError("the peer's counter has reached its end") };
    }
    if (type === FrameType.DATA || type === FrameType.DATA_FRAG) {
      const result = this.#reassembly.add(plaintext, seq, type === FrameType.DATA);
      return result.kind === 'broken' ? { kind: 'violation', error: result.error } : result;
    }
    // Among datagrams only the broken message is given up (protocol §3.4): the control frame itself counts.
    const interrupted = this.#reassembly.interrupt();
    if (interrupted && this.#over === 'stream') return { kind: 'violation', error: interrupted };
    switch (type) {
      case FrameType.PING:
        return { kind: 'ping' };
      case FrameType.PONG:
        return { kind: 'pong' };
      case FrameType.BYE:
        return { kind: 'bye' };
      case FrameType.REKEY:
        return this.#answerRekey(receiving, plaintext);
      default:
        return { kind: 'violation', error: new CryptoError(`a sealed ${typeName(type)}`) };
    }
  }

  #answerRekey(receiving: Receiving, salt: Uint8Array): Content {
    if (salt.length !== REKEY_SALT_BYTES) {
      return { kind: 'violation', error: new PayloadError(`REKEY with a salt of ${salt.length} bytes`) };
    }
    if (receiving !== this.#rx) {
      // Sent before the peer had seen our own REKEY: nobody can say which keys come next (protocol §3.8).
      return {
        kind: 'fatal',
        error: new USMPError(
          'both sides changed keys at the same moment; the session has to be opened again',
          {
            code: 'USMP_REKEY_CROSSED',
            fault: 'network',
          },
        ),
      };
    }
    const { initiatorTx, initiatorRx } = deriveRekeyedKeys(this.#rx.key, this.#tx.key, salt, this.sessionId);
    this.#moveTo(initiatorRx, initiatorTx);
    return { kind: 'rekey' };
  }

  #newOrder(): ReceiveOrder {
    return this.#over === 'stream' ? new StrictOrder() : new WindowOrder();
  }

  #moveTo(txKey: Secret, rxKey: Secret): void {
    this.#tx.key.wipe();
    this.#tx = { key: txKey, nextSeq: 0 };
    this.#oldRx?.key.wipe();
    this.#oldRx = this.#rx;
    this.#rx = { key: rxKey, order: this.#newOrder() };
    this.#keys = 'unsettled';
  }

  #settleRekey(): void {
    if (this.#keys === 'settled') return;
    this.#oldRx?.key.wipe();
    this.#oldRx = undefined;
    this.#keys = 'settled';
    // What the peer had not finished under the old key it begins anew.
    this.#reassembly.reset();
  }
}
