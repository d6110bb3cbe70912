/**
 * Frames over a stream (protocol §1): cut out of its bytes one by one, and written while the transport takes them. What
 * is written is done with, and whatever is at fault means that the stream is out of step.
 */
import { concat } from '../wire/bytes.js';
import { Deframer } from '../wire/deframer.js';
import type { Arrival, Link, Outgoing } from './link.js';

export class StreamLink implements Link {
  readonly kind = 'stream';
  readonly repeats = 0;
  readonly isFaultFatal = true;
  readonly holdsMore = true;
  readonly isRekeyRisky = false;
  readonly deadline = undefined;
  /** Without effect: it is the caller that does not read. */
  isTaking = true;
  readonly #deframer = new Deframer();
  #outbound: Uint8Array[] = [];
  #isWritable = true;

  take(): Uint8Array[] {
    const taken = this.#outbound;
    this.#outbound = [];
    return taken;
  }

  get isFree(): boolean {
    return this.#isWritable;
  }

  setWritable(writable: boolean): void {
    this.#isWritable = writable;
  }

  /** In one write. */
  send(frames: readonly Outgoing[]): number {
    this.#outbound.push(concat(...frames.map(({ bytes }) => bytes)));
    return frames.length;
  }

  sendLast(bytes: Uint8Array): void {
    if (this.#isWritable) this.#outbound.push(bytes);
  }

  answered(): boolean {
    return false;
  }

  drop(): void {
    // Nothing is ever under way.
  }

  silence(): undefined {
    return undefined;
  }

  moved(): void {
    // A stream does not move.
  }

  tick(): undefined {
    return undefined;
  }

  /** The caller leaves the bytes alone until `next` has returned undefined. */
  add(bytes: Uint8Array): void {
    this.#deframer.add(bytes);
  }

  next(): Arrival | undefined {
    const frame = this.#deframer.next();
    return frame && { kind: 'frame', frame };
  }

  handled(): void {
    // A stream loses nothing.
  }

  acknowledge(): void {
    // Nor has it anything to acknowledge.
  }
}
