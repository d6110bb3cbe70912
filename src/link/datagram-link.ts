/** Stop-and-wait over datagrams (protocol §4): the one frame under way, its repeats, and when it counts as lost. */
import { sameBytes } from '../wire/bytes.js';
import { isSealed, type FrameType } from '../wire/constants.js';
import type { Utack } from '../wire/utack.js';
import { RoundTrip } from './rtt.js';

/** Five sends at least, and this long at least: a busy device acknowledges late (protocol §4.2). */
const MIN_SENDS = 5;
const PATIENCE_MS = 10_000;

export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly type: FrameType;
  readonly seq: number;
  /** Whether this UTACK, which names type and seq, ends the repeats. */
  acknowledgedBy(utack: Utack): boolean;
}

/** How long a frame has gone without an answer, as far as it was tried. */
export interface Silence {
  readonly sends: number;
  readonly ms: number;
}

interface UnderWay {
  readonly frame: Outgoing;
  readonly firstAt: number;
  sends: number;
  repeatAt: number;
}

export class DatagramLink {
  readonly #roundTrip: RoundTrip;
  readonly #handshakeTimeoutMs: number;
  #repeats = 0;
  #underWay: UnderWay | undefined;
  /** Handshake datagrams dealt with; a repeat is acknowledged and otherwise passed over. */
  readonly #handled: Uint8Array[] = [];

  /**
   * @param options.initialTimeoutMs before the first repeat, as long as no round trip was measured.
   * @param options.handshakeTimeoutMs before each repeat of a frame of the handshake, at least.
   */
  constructor(options: { initialTimeoutMs: number; handshakeTimeoutMs?: number }) {
    this.#roundTrip = new RoundTrip(options.initialTimeoutMs);
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs ?? 0;
  }

  get busy(): boolean {
    return this.#underWay !== undefined;
  }

  /** A handshake datagram was dealt with. */
  handled(datagram: Uint8Array): void {
    this.#handled.push(Uint8Array.from(datagram));
  }

  hasHandled(datagram: Uint8Array): boolean {
    return this.#handled.some((handled) => sameBytes(handled, datagram));
  }

  /** Datagrams that were sent again so far. */
  get repeats(): number {
    return this.#repeats;
  }

  /** When `tick` is due, in the caller's milliseconds. */
  get deadline(): number | undefined {
    return this.#underWay?.repeatAt;
  }

  /** Takes over the repeats of a frame that the caller sends now, in place of any other. */
  sent(frame: Outgoing, now: number): void {
    this.#underWay = { frame, firstAt: now, sends: 1, repeatAt: now + this.#timeoutAfter(1, frame) };
  }

  /** @returns whether the UTACK ended the repeats of the frame under way. */
  utack(utack: Utack, now: number): boolean {
    const underWay = this.#underWay;
    if (!underWay) return false;
    const { frame, sends, firstAt } = underWay;
    if (frame.type !== utack.type || frame.seq !== utack.seq || !frame.acknowledgedBy(utack)) return false;
    if (sends === 1) this.#roundTrip.sample(now - firstAt);
    this.#underWay = undefined;
    return true;
  }

  /** What the frame under way has met with so far; undefined when none is. */
  silence(now: number): Silence | undefined {
    const underWay = this.#underWay;
    return underWay && { sends: underWay.sends, ms: now - underWay.firstAt };
  }

  /** Repeats the frame under way no more. */
  drop(): void {
    this.#underWay = undefined;
  }

  /** The answer to a frame of this type came, which is as good as its UTACK. */
  answered(type: number): boolean {
    if (this.#underWay?.frame.type !== type) return false;
    this.#underWay = undefined;
    return true;
  }

  /** @returns the bytes to send again, `lost` when patience is at its end, or undefined when nothing is due. */
  tick(now: number): Uint8Array | 'lost' | undefined {
    const underWay = this.#underWay;
    if (!underWay || now < underWay.repeatAt) return undefined;
    if (underWay.sends >= MIN_SENDS && now - underWay.firstAt >= PATIENCE_MS) {
      this.#underWay = undefined;
      return 'lost';
    }
    underWay.sends += 1;
    this.#repeats += 1;
    underWay.repeatAt = now + this.#timeoutAfter(underWay.sends, underWay.frame);
    return underWay.frame.bytes;
  }

  #timeoutAfter(sends: number, { type }: Outgoing): number {
    const timeoutMs = this.#roundTrip.timeoutAfter(sends);
    return isSealed(type) ? timeoutMs : Math.max(timeoutMs, this.#handshakeTimeoutMs);
  }
}
