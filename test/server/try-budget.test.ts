import assert from 'node:assert/strict';
import { LANES, TryBudget, type Lane } from '../../src/server/try-budget.js';
import { seeded } from '../support/random.js';

const INTERVAL_MS = 3_000;

const make = () => new TryBudget(INTERVAL_MS, 0);

/** As many as there are at once. */
function drain(budget: TryBudget, lane: Lane, now = 0): number {
  let count = 0;
  for (; budget.waitMs(lane, now) === 0; count++) budget.take(lane, now);
  return count;
}

describe('the tries that there are for a device id', () => {
  it('are eight at once at first, of which each lane has one to itself', () => {
    const budget = make();
    assert.equal(drain(budget, 'failed'), 6);
    assert.equal(drain(budget, 'fresh'), 1);
    assert.equal(drain(budget, 'home'), 1);
    for (const lane of LANES) assert.equal(budget.waitMs(lane, 0), INTERVAL_MS);
  });

  it('are all there for one lane when the others do not use theirs', () => {
    const budget = make();
    drain(budget, 'home');
    let now = 0;
    for (let n = 0; n < 30; n++) {
      const waitMs = budget.waitMs('home', now);
      assert.equal(waitMs, INTERVAL_MS / 3);
      now += waitMs;
      budget.take('home', now);
    }
  });

  it('come when it is told, and not before', () => {
    const random = seeded(7);
    const budget = make();
    let now = 0;
    for (let n = 0; n < 2_000; n++) {
      const lane = random.pick(LANES);
      const waitMs = budget.waitMs(lane, now);
      if (waitMs > 0) assert.ok(budget.waitMs(lane, now + waitMs - 1) > 0, 'too late');
      now += waitMs;
      assert.equal(budget.waitMs(lane, now), 0, 'too early');
      budget.take(lane, now);
    }
    assert.ok(8 + (now * 3) / INTERVAL_MS >= 2_000, 'no more than three an interval');
  });

  it('are owed by the lane alone that took too many, for a minute at most', () => {
    const budget = make();
    for (const lane of LANES) drain(budget, lane);
    for (let n = 0; n < 3; n++) budget.take('failed', 0);
    assert.equal(budget.waitMs('home', 0), INTERVAL_MS);
    // Its own three and the first one, of which the others pay a part once they are full.
    assert.equal(budget.waitMs('failed', 0), 2 * INTERVAL_MS);
    for (let n = 0; n < 1_000; n++) budget.take('failed', 0);
    for (const lane of ['home', 'fresh'] as const) drain(budget, lane, 0);
    const waitMs = budget.waitMs('failed', 0);
    assert.ok(waitMs > 20_000 && waitMs <= 60_000 + INTERVAL_MS, String(waitMs));
  });

  it('are there again when they are given back, and no more than there were', () => {
    const budget = make();
    for (let n = 0; n < 50; n++) {
      budget.take('home', 0);
      budget.giveBack('home', 0);
    }
    budget.giveBack('home', 0);
    assert.equal(drain(budget, 'home'), 6);
    budget.giveBack('home', 0);
    assert.equal(drain(budget, 'home'), 1);
  });
});
