/**
 * The lower half of the stand-in for the reference (reference.ts): how its frames travel. Over UDP one frame at a time
 * with its repeats, and UTACKs for what comes in (protocol §4); over TCP simply frames.
 */
import { equalProofs, utackMac } from '../../src/crypto/proofs.js';
import type { Secret } from '../../src/crypto/secret.js';
import { FrameError } from '../../src/errors.js';
import { viewOf } from '../../src/wire/bytes.js';
import { FrameType, HEADER_BYTES, MAGIC, MAX_FRAME_BYTES } from '../../src/wire/constants.js';
import { Deframer } from '../../src/wire/deframer.js';
import { framesOf } from './frames.js';
import { decodeFrame, encodeFrame, type Frame } from '../../src/wire/frame.js';
import { decodeUtack, encodeUtack, type Utack } from '../../src/wire/utack.js';

/** A frame that waits for its turn. */
export interface Job {
  /** Makes it, with the keys and the number of the moment at which it leaves. */
  readonly frame: () => Frame;
  /** The loop that takes frames waits for what it sends itself; the application's own messages take turns with it. */
  readonly by: 'loop' | 'application' | 'caller';
  /** Once it has left (TCP) or its UTACK has come (UDP). */
  readonly done?: ((now: number) => void) | undefined;
}

export interface LinkOptions {
  readonly transport: 'tcp' | 'udp';
  readonly flavour: 'python' | 'c-core';
  /** UDP: whether a datagram gets past the door, behind which it is acknowledged. */
  readonly admits: (datagram: Uint8Array, now: number) => boolean;
  readonly take: (frame: Frame, now: number) => void;
  readonly fail: (why: 'broken' | 'unacknowledged') => void;
}

interface Outstanding {
  readonly job: Job;
  readonly type: number;
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly firstAt: number;
  sends: number;
  repeatAt: number;
}

const MAX_SENDS = 5;
const READ_BUFFER_BYTES = 4_096;

export class ReferenceLink {
  /** The session's keys, by which UTACKs are made and checked: always those of the moment. */
  keys: { readonly tx: Secret; readonly rx: Secret } | undefined;
  readonly #options: LinkOptions;
  readonly #deframer = new Deframer();
  readonly #timeout = new Timeout();
  #outbound: Uint8Array[] = [];
  #jobs: Job[] = [];
  /** Messages of the application, one of which at a time is among the jobs. */
  #messages: (readonly Job[])[] = [];
  #outstanding: Outstanding | undefined;
  #buffer: Frame[] = [];
  #held: Uint8Array | undefined;
  #state: 'idle' | 'taking' | 'closed' = 'idle';

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get deadline(): number {
    return this.#outstanding?.repeatAt ?? Infinity;
  }

  get isTaking(): boolean {
    return this.#state === 'taking';
  }

  take(): Uint8Array[] {
    return this.#outbound.splice(0);
  }

  transmit(bytes: Uint8Array): void {
    this.#outbound.push(bytes);
  }

  queue(...jobs: readonly Job[]): void {
    if (jobs[0]?.by === 'application') this.#messages.push(jobs);
    else this.#jobs.push(...jobs);
  }

  receive(bytes: Uint8Array, now: number): void {
    if (this.#options.transport === 'udp') this.#datagram(bytes, now);
    else this.#stream(bytes);
    this.work(now);
  }

  tick(now: number): void {
    const outstanding = this.#outstanding;
    if (outstanding && now >= outstanding.repeatAt) this.#repeat(outstanding, now);
    this.work(now);
  }

  /** Sends what may be sent and takes what may be taken, until neither goes on. */
  work(now: number): void {
    if (this.#state !== 'idle') return;
    while (this.#sendNext(now) || this.#takeNext(now));
  }

  close(): void {
    this.#state = 'closed';
    this.#jobs = [];
    this.#messages = [];
    this.#buffer = [];
    this.#held = undefined;
    this.#outstanding = undefined;
  }

  #sendNext(now: number): boolean {
    if (this.#outstanding) return false;
    if (!this.#jobs.some(({ by }) => by === 'application'))
      this.#jobs.push(...(this.#messages.shift() ?? []));
    const job = this.#jobs.shift();
    if (!job) return false;
    const frame = job.frame();
    const bytes = encodeFrame(frame);
    this.transmit(bytes);
    if (this.#options.transport === 'tcp') job.done?.(now);
    else {
      const repeatAt = now + this.#timeout.after(1);
      this.#outstanding = { job, type: frame.type, seq: frame.seq, bytes, firstAt: now, sends: 1, repeatAt };
    }
    return true;
  }

  /** The same datagram five times, and then the session is over (protocol §4.2). */
  #repeat(outstanding: Outstanding, now: number): void {
    if (outstanding.sends === MAX_SENDS) {
      this.#options.fail('unacknowledged');
      return;
    }
    this.transmit(outstanding.bytes);
    outstanding.sends += 1;
    outstanding.repeatAt = now + this.#timeout.after(outstanding.sends);
  }

  /** The UTACK of a session frame is checked with the sending key of this moment, whichever key sealed the frame. */
  #acknowledged({ type, seq, mac }: Utack, now: number): void {
    const outstanding = this.#outstanding;
    if (outstanding?.type !== type || outstanding.seq !== seq) return;
    if (type >= FrameType.DATA) {
      if (!this.keys || !mac || !equalProofs(mac, utackMac(this.keys.tx, type, seq))) return;
    }
    if (outstanding.sends === 1) this.#timeout.sample(now - outstanding.firstAt);
    this.#outstanding = undefined;
    outstanding.job.done?.(now);
  }

  #stream(bytes: Uint8Array): void {
    try {
      for (const frame of framesOf(this.#deframer, bytes)) this.#buffer.push(frame);
    } catch {
      this.#options.fail('broken');
    }
  }

  /** Also while a frame of its own waits for its UTACK. */
  #datagram(bytes: Uint8Array, now: number): void {
    const utack = decodeUtack(bytes);
    if (utack) {
      this.#acknowledged(utack, now);
      return;
    }
    if (!isWholeFrame(bytes) || !this.#options.admits(bytes, now)) return;
    if (this.#options.flavour === 'c-core' && this.#outstanding) {
      this.#held ??= bytes; // for one there is room, to be acknowledged later; others are lost (protocol §7.2)
      return;
    }
    const buffered = this.#buffer.reduce((sum, { payload }) => sum + HEADER_BYTES + payload.length, 0);
    if (buffered + bytes.length > READ_BUFFER_BYTES) return; // and not acknowledged (protocol §4.4)
    this.acknowledge(bytes);
    try {
      this.#buffer.push(decodeFrame(bytes));
    } catch (error) {
      // What is damaged is passed over; a frame of unknown type, whoever sent it, ends the session (protocol §5.3).
      if (error instanceof FrameError && error.code === 'USMP_FRAME_TYPE' && this.keys) {
        this.#options.fail('broken');
      }
    }
  }

  /** Before CRC, version, tag and number are looked at (protocol §4.4), and with the receiving key of this moment. */
  acknowledge(datagram: Uint8Array): void {
    const type = datagram[3]!;
    const seq = viewOf(datagram).getUint32(4, true);
    const key = type >= FrameType.DATA ? this.keys?.rx : undefined;
    this.transmit(encodeUtack({ type, seq, ...(key && { mac: utackMac(key, type, seq) }) }));
  }

  #takeNext(now: number): boolean {
    if (this.#held && !this.#outstanding) {
      const held = this.#held;
      this.#held = undefined;
      this.#datagram(held, now);
      return true;
    }
    // The loop waits until what it sent itself has arrived.
    const sending = this.#outstanding ? [this.#outstanding.job, ...this.#jobs] : this.#jobs;
    if (this.#buffer.length === 0 || sending.some(({ by }) => by === 'loop')) return false;
    this.#state = 'taking';
    this.#options.take(this.#buffer.shift()!, now);
    if (this.isTaking) this.#state = 'idle';
    return true;
  }
}

/** Of its clock, as RFC 6298 has it: a path without any variation does not make it repeat what is not late. */
const GRANULARITY_MS = 10;

/** The repeat timeout: 0.5 s at first, then by the measured round trip as in RFC 6298, 0.05 s to 5 s (protocol §4.2). */
class Timeout {
  #ms = 500;
  #smoothed: number | undefined;
  #variation = 0;

  /** Of a frame that was not repeated (Karn's rule). */
  sample(ms: number): void {
    this.#variation =
      this.#smoothed === undefined ? ms / 2 : 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - ms);
    this.#smoothed = this.#smoothed === undefined ? ms : 0.875 * this.#smoothed + 0.125 * ms;
    this.#ms = Math.min(5_000, Math.max(50, this.#smoothed + Math.max(GRANULARITY_MS, 4 * this.#variation)));
  }

  after(sends: number): number {
    return Math.min(5_000, this.#ms * 2 ** (sends - 1));
  }
}

function isWholeFrame(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES || bytes.length > MAX_FRAME_BYTES) return false;
  const view = viewOf(bytes);
  return view.getUint16(0, true) === MAGIC && view.getUint16(8, true) === bytes.length - HEADER_BYTES;
}
