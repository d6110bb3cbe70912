/** Cuts a byte stream into frames (protocol §1), holding back at most one incomplete frame of 491 bytes. */
import { EMPTY, concat, copyOf } from './bytes.js';
import { checkHeader, decodeFrame, type Frame } from './frame.js';

export class Deframer {
  #held: Uint8Array = EMPTY;

  /**
   * Yields the frames that `chunk` completes. After a throw the stream is out of step and must be given up.
   * @throws FrameError or a subclass at the first bytes that cannot be a frame; frames before them are yielded.
   */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let rest = this.#held.length > 0 ? concat(this.#held, chunk) : chunk;
    this.#held = EMPTY;
    for (;;) {
      const size = checkHeader(rest);
      if (size === undefined || size > rest.length) break;
      const frame = decodeFrame(rest.subarray(0, size));
      rest = rest.subarray(size);
      yield frame;
    }
    this.#held = copyOf(rest);
  }
}
