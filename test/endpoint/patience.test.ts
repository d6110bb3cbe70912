import assert from 'node:assert/strict';
import { patient, type Arrivals } from '../../src/endpoint/patience.js';
import { TurnClock } from '../support/clock.js';

function world(arrivals?: Partial<Arrivals>) {
  const clock = new TurnClock();
  const state = { count: 0, isBehind: false, ...arrivals };
  const fired: number[] = [];
  const timers = patient(clock, arrivals && state);
  const cancel = timers.setTimer(1_000, () => fired.push(clock.now()));
  return { clock, state, fired, cancel };
}

describe('a patient timer', () => {
  it('fires when its time is over, and one turn of the event loop after that', async () => {
    for (const { clock, fired } of [world(), world({})]) {
      await clock.advance(999);
      await clock.turn();
      await clock.advance(1);
      assert.deepEqual(fired, []);
      await clock.turn();
      assert.deepEqual(fired, [1_000]);
      assert.deepEqual([await clock.turns(), clock.pending], [0, 0]);
    }
  });

  it('waits while something has arrived in each turn, and for one turn without', async () => {
    const { clock, state, fired } = world({});
    await clock.advance(1_000);
    for (let i = 0; i < 10; i++) {
      state.count += 1;
      await clock.turn();
      assert.deepEqual(fired, [], `turn ${i}`);
    }
    await clock.turn();
    assert.equal(fired.length, 1);
  });

  it('waits while what has arrived is not worked off', async () => {
    const { clock, state, fired } = world({ isBehind: true });
    await clock.advance(1_000);
    for (let i = 0; i < 10; i++) await clock.turn();
    assert.deepEqual(fired, []);
    state.isBehind = false;
    await clock.turn();
    assert.equal(fired.length, 1);
  });

  it('waits for 5 s at most, counted from when the process came to look', async () => {
    const { clock, fired } = world({ isBehind: true });
    clock.work(60_000); // in which nothing could be worked off
    await clock.advance(0);
    clock.work(4_999);
    await clock.turn();
    assert.deepEqual(fired, []);
    clock.work(1);
    await clock.turn();
    assert.deepEqual(fired, [65_000]);
  });

  it('can be called off before its time is over, and after that', async () => {
    const before = world({});
    before.cancel();
    assert.equal(before.clock.pending, 0);
    const after = world({ isBehind: true });
    await after.clock.advance(1_000);
    await after.clock.turn();
    after.cancel();
    after.state.isBehind = false;
    for (const { clock, fired, cancel } of [before, after]) {
      await clock.advance(10_000);
      await clock.turns();
      cancel();
      assert.deepEqual(fired, []);
    }
  });
});
