/** Standard input, in pieces as they come and as lines, of which no more is kept than a message may have. */
import type { Readable } from 'node:stream';
import { isOver } from './world.js';

export interface Line {
  /** The first one is 1. */
  readonly number: number;
  /** Without its end; undefined when it is longer than it may be. */
  readonly bytes: Buffer | undefined;
}

const LF = 0x0a;
const CR = 0x0d;

/** Cuts bytes into lines. */
export class Lines {
  readonly #maxBytes: number;
  #number = 0;
  #pieces: Buffer[] = [];
  #size = 0;

  /** @param maxBytes of a line without its end. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  *push(chunk: Buffer): Generator<Line> {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      this.#keep(chunk.subarray(from, at));
      from = at + 1;
      yield this.#take();
    }
    this.#keep(chunk.subarray(from));
  }

  /** What is left when there was no end to the last line. */
  *end(): Generator<Line> {
    if (this.#size > 0) yield this.#take();
  }

  #keep(piece: Buffer): void {
    // One more, for a carriage return or to be too long by.
    const room = this.#maxBytes + 1 - this.#size;
    if (room > 0) this.#pieces.push(Buffer.from(piece.subarray(0, room)));
    this.#size += piece.length;
  }

  #take(): Line {
    const line = Buffer.concat(this.#pieces);
    const bytes = line.at(-1) === CR ? line.subarray(0, -1) : line;
    const isWhole = line.length === this.#size;
    this.#pieces = [];
    this.#size = 0;
    this.#number += 1;
    return { number: this.#number, bytes: isWhole && bytes.length <= this.#maxBytes ? bytes : undefined };
  }
}

/** What comes in, until it ends or the signal is given; then nobody reads from it any more. */
export async function* chunksOf(stdin: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  if (isOver(signal)) return;
  const stop = (): void => void stdin.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer | string>) yield Buffer.from(chunk as Buffer);
  } catch (error) {
    if (!isOver(signal)) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

export async function* linesOf(stdin: Readable, maxBytes: number, signal: AbortSignal): AsyncGenerator<Line> {
  const lines = new Lines(maxBytes);
  for await (const chunk of chunksOf(stdin, signal)) yield* lines.push(chunk);
  if (!isOver(signal)) yield* lines.end();
}
