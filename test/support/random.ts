/** Randomness that a test can repeat: from a seed, or from a script. */
import assert from 'node:assert/strict';
import type { Random } from '../../src/crypto/random.js';

export interface Seeded {
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number;
  bytes(length: number): Uint8Array;
  pick<T>(list: readonly T[]): T;
}

/** Mulberry32: small, fast and the same everywhere. Not for keys outside of tests. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit);
  return {
    below,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
    pick: (list) => list[below(list.length)]!,
  };
}

/** As the engine takes it. */
export function seededRandom(seed: number): Random {
  const random = seeded(seed);
  return (length) => random.bytes(length);
}

/** Gives out copies of these bytes, in this order, and nothing else. */
export function scripted(...parts: readonly Uint8Array[]): Random {
  const left = [...parts];
  return (length) => {
    const part = left.shift();
    assert.equal(length, part?.length, 'random bytes were asked for that the script does not hold');
    return Uint8Array.from(part!);
  };
}
