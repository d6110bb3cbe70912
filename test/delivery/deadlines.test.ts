import assert from 'node:assert/strict';
import { Deadlines, type Deadline } from '../../src/delivery/deadlines.js';
import { FakeClock } from '../support/clock.js';
import { seeded } from '../support/random.js';

function world() {
  const clock = new FakeClock();
  const due: { item: string; at: number }[] = [];
  const turns: number[] = [];
  const deadlines = new Deadlines<string>(clock, (items) => {
    turns.push(items.length);
    due.push(...items.map((item) => ({ item, at: clock.now() })));
  });
  return { clock, deadlines, due, turns };
}

describe('deadlines', () => {
  it('are met in their order, those of the same time in that of their coming, with one timer', async () => {
    const { clock, deadlines, due } = world();
    for (const at of [50, 10, 30, 10, 40]) deadlines.add(at, `${at}`);
    deadlines.add(10, 'third at 10');
    assert.equal(clock.pending, 1);
    await clock.advance(100);
    assert.deepEqual(
      due.map(({ item, at }) => `${item} at ${at}`),
      ['10 at 10', '10 at 10', 'third at 10 at 10', '30 at 30', '40 at 40', '50 at 50'],
    );
    assert.equal(clock.pending, 0);
  });

  it('are not met once they were taken out, and leave no timer when none is left', async () => {
    const { clock, deadlines, due } = world();
    const [first, second] = [deadlines.add(10, 'first'), deadlines.add(20, 'second')];
    deadlines.remove(first);
    deadlines.remove(first);
    assert.equal(clock.pending, 1);
    await clock.advance(15);
    assert.deepEqual([due, clock.pending], [[], 1], 'the timer was early, and is set anew');
    deadlines.remove(second);
    assert.equal(clock.pending, 0);
    await clock.advance(100);
    assert.deepEqual(due, []);
  });

  it('leave no timer for an empty place when the last item was met', async () => {
    const { clock, deadlines, due } = world();
    deadlines.add(10, 'first');
    deadlines.remove(deadlines.add(20, 'second'));
    await clock.advance(10);
    assert.deepEqual([due.length, clock.pending], [1, 0]);
    for (let i = 0; i < 1_000; i++) deadlines.add(20, 'all that one turn has');
    deadlines.remove(deadlines.add(30, 'none'));
    await clock.advance(10);
    assert.deepEqual([due.length, clock.pending], [1_001, 0]);
  });

  it('are met a thousand a turn, when more are due at once', async () => {
    const { clock, deadlines, turns } = world();
    for (let i = 0; i < 2_500; i++) deadlines.add(10, `${i}`);
    await clock.advance(10);
    assert.deepEqual([turns, clock.pending], [[1_000, 1_000, 500], 0]);
  });

  it('are met each once and in time, whatever is put in and taken out', async () => {
    const { clock, deadlines, due } = world();
    const random = seeded(7);
    const left = new Map<string, Deadline<string>>();
    let met = 0;
    for (let i = 0; i < 5_000; i++) {
      const at = clock.now() + random.below(500);
      left.set(`${i}`, deadlines.add(at, `${i}`));
      if (random.below(3) > 0) {
        const [name, deadline] = [...left][random.below(left.size)]!;
        deadlines.remove(deadline);
        left.delete(name);
      }
      if (i % 10 > 0) continue;
      await clock.advance(5);
      for (const { item, at: when } of due.splice(0)) {
        assert.equal(left.get(item)?.at, when, item);
        left.delete(item);
        met += 1;
      }
      for (const { at: when } of left.values()) assert.ok(when > clock.now());
    }
    assert.ok(met > 100);
  });
});
