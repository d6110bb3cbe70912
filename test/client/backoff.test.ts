import assert from 'node:assert/strict';
import { retryDelay, type Backoff } from '../../src/client/backoff.js';

const STANDARD: Backoff = { firstMs: 2_000, maxMs: 60_000, jitter: 0.2 };
/** A chance in the middle leaves the delay as it is. */
const MIDDLE = 0.5;

describe('the delay before the next attempt', () => {
  const table: { failures: number; backoff?: Partial<Backoff>; chance?: number; ms: number }[] = [
    { failures: 1, ms: 2_000 },
    { failures: 2, ms: 4_000 },
    { failures: 5, ms: 32_000 },
    { failures: 6, ms: 50_000 },
    { failures: 1_000, ms: 50_000 },
    { failures: Infinity, ms: 50_000 },
    { failures: 1, chance: 0, ms: 1_600 },
    { failures: 1, chance: 1, ms: 2_400 },
    { failures: Infinity, chance: 1, ms: 60_000 },
    { failures: Infinity, chance: 0, ms: 40_000 },
    { failures: Infinity, backoff: { jitter: 0 }, ms: 60_000 },
    { failures: 1, backoff: { jitter: 1 }, chance: 0, ms: 0 },
    { failures: 1, backoff: { firstMs: 100 }, ms: 100 },
    { failures: 40, backoff: { firstMs: 100, maxMs: 86_400_000, jitter: 0 }, ms: 86_400_000 },
    { failures: 1, backoff: { firstMs: 60_000 }, ms: 50_000 },
  ];
  for (const { failures, backoff = {}, chance = MIDDLE, ms } of table) {
    it(`is ${ms} ms after ${failures} failures, with ${JSON.stringify(backoff)} and chance ${chance}`, () => {
      const delay = retryDelay(failures, { ...STANDARD, ...backoff }, chance);
      assert.ok(Math.abs(delay - ms) < 1e-6, String(delay));
    });
  }
});
