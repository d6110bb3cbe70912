/** Cuts a byte stream into frames (protocol §1), a frame at a time, so that whoever reads can stop between two. */
import { EMPTY, concat, copyOf } from './bytes.js';
import { checkHeader, decodeFrame, type Frame } from './frame.js';

export class Deframer {
  #held: Uint8Array = EMPTY;
  /** Whether `#held` is a view of the caller's chunk. */
  #borrowed = false;

  /** Takes in bytes of the stream. The caller leaves them alone until `next` has returned undefined. */
  add(chunk: Uint8Array): void {
    this.#borrowed = this.#held.length === 0;
    this.#held = this.#borrowed ? chunk : concat(this.#held, chunk);
  }

  /**
   * The next whole frame; undefined when the rest is none, of which at most 491 bytes are then held back. After a
   * throw the stream is out of step and must be given up.
   * @throws FrameError or a subclass at the first bytes that cannot be a frame.
   */
  next(): Frame | undefined {
    const size = checkHeader(this.#held);
    if (size === undefined || size > this.#held.length) {
      if (this.#borrowed) this.#held = this.#held.length === 0 ? EMPTY : copyOf(this.#held);
      this.#borrowed = false;
      return undefined;
    }
    const frame = decodeFrame(this.#held.subarray(0, size));
    this.#held = this.#held.subarray(size);
    return frame;
  }
}
