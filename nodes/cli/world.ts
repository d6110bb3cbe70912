/** What the command line needs of the process that it runs in, handed in so that tests need no process. */
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../src/index.js';

/** Standard input; a terminal can be asked to show nothing. */
export interface Input extends Readable {
  readonly isTTY?: boolean | undefined;
  setRawMode?(isRaw: boolean): unknown;
}

export interface World {
  /** What stands behind the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Input;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** The user wants it to end. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The time of day, for people. */
  readonly now: () => Date;
  readonly random: (bytes: number) => Uint8Array;
}

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** It was called in a way that cannot be; the message says what is wrong and what there is. */
export class UsageError extends Error {}

/** It did not work, and the message says why, in words. */
export class Failure extends Error {}

/** The user has ended it before it was done. */
export class Interrupted extends Error {}

export const say = ({ stdout }: Pick<World, 'stdout'>, line: string): void => void stdout.write(`${line}\n`);
export const warn = ({ stderr }: Pick<World, 'stderr'>, line: string): void => void stderr.write(`${line}\n`);

/** Something that can be told to wait: a session, say. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Writes what came from a source, and has it wait while nobody takes what is written. */
export function pass(world: World, line: string, source: Source): void {
  say(world, line);
  if (!world.stdout.writableNeedDrain) return;
  source.pause();
  world.stdout.once('drain', () => source.resume());
}

/** Whether the user wants it to end; a function, as it changes while others are waited for. */
export const isOver = (signal: AbortSignal): boolean => signal.aborted;

/** Resolves when the user wants it to end. */
export function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Waits so many milliseconds, or until the user wants it to end. */
export function pause({ clock, signal }: World, ms: number): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.setTimer(ms, done);
    signal.addEventListener('abort', done);
  });
}
