/** The command line without a process: what it reads, writes and ends with, in the hands of a test. */
import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { main } from '../../nodes/cli/main.js';
import type { Exit, Input, World } from '../../nodes/cli/world.js';
import { systemClock } from '../../src/index.js';
import { eventually, PSK } from './loopback.js';

/** Keeps what is written to it, unless it is held up. */
export class Collector extends Writable {
  text = '';
  #held: (() => void) | undefined;
  #isHeldUp = false;

  constructor() {
    super({ highWaterMark: 1_024 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    if (this.#isHeldUp) this.#held = done;
    else done();
  }

  /** As a pipe whose reader is busy. */
  holdUp(): void {
    this.#isHeldUp = true;
  }

  goOn(): void {
    this.#isHeldUp = false;
    this.#held?.();
  }
}

/** What is typed. With `isTTY` it is a terminal, which writes down whether it shows that. */
export class Keyboard extends PassThrough implements Input {
  isTTY = false;
  readonly raw: boolean[] = [];

  setRawMode(isRaw: boolean): void {
    this.raw.push(isRaw);
  }
}

export interface Running {
  readonly exit: Promise<Exit>;
  readonly stdin: Keyboard;
  readonly stdout: Collector;
  readonly stderr: Collector;
  /** Ctrl-C. */
  interrupt(): void;
  /** Until it has written this to either stream, or has ended. */
  wrote(pattern: RegExp): Promise<RegExpExecArray>;
  /** As it ends by itself. */
  ended(): Promise<{ exit: Exit; out: string; err: string }>;
}

/** @param input all of standard input; without it, it stays open. */
export function command(
  argv: readonly string[],
  { input, isTTY = false, ...world }: Partial<World> & { input?: string | Buffer; isTTY?: boolean } = {},
): Running {
  const [stdin, stdout, stderr] = [new Keyboard(), new Collector(), new Collector()];
  const user = new AbortController();
  stdin.isTTY = isTTY;
  if (input !== undefined) stdin.end(input);
  let isOver = false;
  const exit = main({
    ...{ argv, env: { USMP_PSK: PSK }, stdin, stdout, stderr, signal: user.signal },
    ...{ clock: systemClock, now: () => new Date(2026, 10, 25, 14, 3, 7) },
    random: (bytes) => Buffer.alloc(bytes, 0x5a),
    ...world,
  }).finally(() => (isOver = true));
  const written = (): string => stdout.text + stderr.text;
  return {
    exit,
    stdin,
    stdout,
    stderr,
    interrupt: () => user.abort(),
    wrote: async (pattern) => {
      await eventually(() => isOver || pattern.test(written()));
      const found = pattern.exec(written());
      assert.ok(found, `${String(pattern)} was not written, but:\n${written()}`);
      return found;
    },
    ended: async () => ({ exit: await exit, out: stdout.text, err: stderr.text }),
  };
}
