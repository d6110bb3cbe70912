/** What becomes of the chunks or datagrams between two ends, as the test wants it. */
import { typeName } from '../../src/wire/constants.js';
import { decodeFrame, type Frame } from '../../src/wire/frame.js';
import { decodeUtack } from '../../src/wire/utack.js';

export type Side = 'client' | 'server';
export const otherSide = (side: Side): Side => (side === 'client' ? 'server' : 'client');

/** What a side put on the wire. */
export interface Passing {
  /** 1 for the first of the session, counted over both directions. */
  readonly n: number;
  readonly from: Side;
  readonly at: number;
  readonly bytes: Uint8Array;
  /** `DATA 3`, `UTACK of DATA 3`, or `?` for what is neither (a part of a TCP stream). */
  readonly name: string;
}

/** What arrives in its place: nothing when it is lost, two when it is doubled. */
export interface Arrival {
  readonly bytes?: Uint8Array;
  /** On top of the path's own delay. */
  readonly laterMs?: number;
}

export type Path = (passing: Passing) => readonly Arrival[];

export const pass: Path = () => [{}];
export const losing =
  (which: (passing: Passing) => boolean): Path =>
  (passing) =>
    which(passing) ? [] : [{}];
export const doubling =
  (which: (passing: Passing) => boolean): Path =>
  (passing) =>
    which(passing) ? [{}, {}] : [{}];
export const delaying =
  (laterMs: number, which: (passing: Passing) => boolean): Path =>
  (passing) =>
    which(passing) ? [{ laterMs }] : [{}];
/** True once, for the first that fits. */
export function first(which: (passing: Passing) => boolean): (passing: Passing) => boolean {
  let met = false;
  return (passing) => !met && (met = which(passing));
}
export const named =
  (name: string, from?: Side) =>
  (passing: Passing): boolean =>
    passing.name === name && (from === undefined || passing.from === from);

/** The frame, if it is exactly one. */
export function frameOf(bytes: Uint8Array): Frame | undefined {
  try {
    return decodeFrame(bytes);
  } catch {
    return undefined;
  }
}

/** As in `Passing.name`. */
export function nameOf(bytes: Uint8Array): string {
  const utack = decodeUtack(bytes);
  if (utack) return `UTACK of ${typeName(utack.type)} ${utack.seq}`;
  const frame = frameOf(bytes);
  return frame ? `${typeName(frame.type)} ${frame.seq}` : '?';
}
