/**
 * Frames over datagrams (protocol §4): the one frame under way, its repeats and when it counts as lost; UTACKs both ways,
 * and the frames of the handshake that come again.
 */
import { FrameType, isSealed } from '../wire/constants.js';
import { decodeFrame, type Frame } from '../wire/frame.js';
import { decodeUtack, encodeUtack, type Utack } from '../wire/utack.js';
import type { Arrival, Link, Outgoing, Silence } from './link.js';
import { RoundTrip } from './rtt.js';

/** Five sends at least, and this long at least: a busy device acknowledges late (protocol §4.2). */
const MIN_SENDS = 5;
const PATIENCE_MS = 10_000;

export interface RepeatTimes {
  /** Before the first repeat, as long as no round trip was measured. */
  readonly initialTimeoutMs: number;
  /** Before each repeat of a frame of the handshake, at least. */
  readonly handshakeTimeoutMs?: number;
}

/** By our own role: protocol §4.2; towards a device §7.3, and in its handshake §7.6. */
export const REPEATS = {
  client: { initialTimeoutMs: 500 },
  server: { initialTimeoutMs: 200, handshakeTimeoutMs: 1_000 },
} as const;

interface UnderWay {
  readonly frame: Outgoing;
  readonly firstAt: number;
  sends: number;
  repeatAt: number;
}

export class DatagramLink implements Link {
  readonly kind = 'datagram';
  readonly isFaultFatal = false;
  readonly holdsMore = false;
  readonly isRekeyRisky = true;
  isTaking = true;
  readonly #roundTrip: RoundTrip;
  readonly #handshakeTimeoutMs: number;
  #outbound: Uint8Array[] = [];
  #arrived: Uint8Array | undefined;
  #repeats = 0;
  #underWay: UnderWay | undefined;
  /** Frames of the handshake dealt with, as text; a repeat is acknowledged and otherwise passed over. */
  readonly #handled: string[] = [];

  constructor(times: RepeatTimes) {
    this.#roundTrip = new RoundTrip(times.initialTimeoutMs);
    this.#handshakeTimeoutMs = times.handshakeTimeoutMs ?? 0;
  }

  take(): Uint8Array[] {
    const taken = this.#outbound;
    this.#outbound = [];
    return taken;
  }

  // Sending

  get isFree(): boolean {
    return this.#underWay === undefined;
  }

  setWritable(): void {
    // A datagram that the socket does not take is as good as lost on the way.
  }

  /** The first of them, in place of any other that is under way, and repeats it. */
  send(frames: readonly Outgoing[], now: number): number {
    const [frame] = frames;
    if (!frame) return 0;
    this.#outbound.push(frame.bytes);
    this.#underWay = { frame, firstAt: now, sends: 1, repeatAt: now + this.#timeoutAfter(1, frame) };
    return 0;
  }

  sendLast(bytes: Uint8Array): void {
    this.#outbound.push(bytes);
  }

  /** An answer is as good as the UTACK. */
  answered(type: number): boolean {
    if (this.#underWay?.frame.type !== type) return false;
    this.#underWay = undefined;
    return true;
  }

  drop(): void {
    this.#underWay = undefined;
  }

  silence(now: number): Silence | undefined {
    const underWay = this.#underWay;
    return underWay && { sends: underWay.sends, ms: now - underWay.firstAt };
  }

  get repeats(): number {
    return this.#repeats;
  }

  get deadline(): number | undefined {
    return this.#underWay?.repeatAt;
  }

  /** Sends the frame under way again, when that is due. */
  tick(now: number): Silence | undefined {
    const underWay = this.#underWay;
    if (!underWay || now < underWay.repeatAt) return undefined;
    if (underWay.sends >= MIN_SENDS && now - underWay.firstAt >= PATIENCE_MS) {
      const silence = this.silence(now);
      this.#underWay = undefined;
      return silence;
    }
    this.#repeat(underWay, now);
    return undefined;
  }

  moved(now: number): void {
    // What has not left yet goes to the new place anyway.
    if (this.#underWay && !this.#outbound.includes(this.#underWay.frame.bytes))
      this.#repeat(this.#underWay, now);
  }

  #repeat(underWay: UnderWay, now: number): void {
    underWay.sends += 1;
    this.#repeats += 1;
    underWay.repeatAt = now + this.#timeoutAfter(underWay.sends, underWay.frame);
    this.#outbound.push(underWay.frame.bytes);
  }

  // Receiving

  /** One datagram, in place of one that was not asked for. */
  add(bytes: Uint8Array): void {
    this.#arrived = bytes;
  }

  next(now: number): Arrival | undefined {
    const bytes = this.#arrived;
    this.#arrived = undefined;
    if (!bytes) return undefined;
    const utack = decodeUtack(bytes);
    if (utack) return this.#isDelivered(utack, now) ? { kind: 'delivered' } : undefined;
    const frame = decodeFrame(bytes);
    if (!isSealed(frame.type) && this.#handled.includes(asText(frame))) {
      this.#utack(frame);
      return undefined;
    }
    // A message that is not taken stays unacknowledged and comes again; all else goes on, as nothing overtakes it (§4).
    return this.isTaking || !isMessagePart(frame) ? { kind: 'frame', frame } : undefined;
  }

  /** It is acknowledged, and so are its repeats. */
  handled(frame: Frame): void {
    this.#utack(frame);
    this.#handled.push(asText(frame));
  }

  acknowledge(frame: Frame, macs: () => readonly Uint8Array[]): void {
    for (const mac of macs()) this.#utack(frame, mac);
  }

  #utack({ type, seq }: Frame, mac?: Uint8Array): void {
    this.#outbound.push(encodeUtack({ type, seq, ...(mac && { mac }) }));
  }

  #isDelivered(utack: Utack, now: number): boolean {
    const underWay = this.#underWay;
    if (!underWay) return false;
    const { frame, sends, firstAt } = underWay;
    if (frame.type !== utack.type || frame.seq !== utack.seq || !frame.acknowledgedBy(utack)) return false;
    if (sends === 1) this.#roundTrip.sample(now - firstAt);
    this.#underWay = undefined;
    return true;
  }

  #timeoutAfter(sends: number, { type }: Outgoing): number {
    const timeoutMs = this.#roundTrip.timeoutAfter(sends);
    return isSealed(type) ? timeoutMs : Math.max(timeoutMs, this.#handshakeTimeoutMs);
  }
}

const isMessagePart = ({ type }: Frame): boolean => type === FrameType.DATA || type === FrameType.DATA_FRAG;

/** All of it, as kept so it takes a quarter of the room. */
const asText = ({ type, seq, payload }: Frame): string => `${type} ${seq} ${String.fromCharCode(...payload)}`;
