import { randomBytes } from 'node:crypto';

/** A source of `length` unpredictable bytes. Passed in everywhere, so that tests can replay recorded bytes. */
export type Random = (length: number) => Uint8Array;

export const systemRandom: Random = (length) => Uint8Array.from(randomBytes(length));
