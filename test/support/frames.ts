/** All frames of a stream, as far as they have come. */
import { Deframer } from '../../src/wire/deframer.js';
import type { Frame } from '../../src/wire/frame.js';

/** @throws FrameError at the first bytes that cannot be a frame; frames before them are yielded. */
export function* framesOf(deframer: Deframer, chunk: Uint8Array): Generator<Frame, void, undefined> {
  deframer.add(chunk);
  for (let frame; (frame = deframer.next());) yield frame;
}
