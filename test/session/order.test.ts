import assert from 'node:assert/strict';
import { StrictOrder, WindowOrder, type ReceiveOrder, type Verdict } from '../../src/session/order.js';
import { seeded } from '../support/random.js';

/** Takes the numbers as they come, as a session does, and tells what it made of each. */
function verdicts(order: ReceiveOrder, numbers: readonly number[]): Verdict[] {
  return numbers.map((seq) => {
    const verdict = order.check(seq);
    if (verdict === 'new') order.accept(seq);
    return verdict;
  });
}

describe('StrictOrder, over TCP', () => {
  it('takes 0, 1, 2 and so on', () => {
    assert.deepEqual(verdicts(new StrictOrder(), [0, 1, 2, 3]), ['new', 'new', 'new', 'new']);
  });

  it('refuses what was there before, what is ahead and a start other than 0', () => {
    assert.deepEqual(verdicts(new StrictOrder(), [1, 0, 0, 2, 1, 0, 2]), [
      'refused',
      'new',
      'refused',
      'refused',
      'new',
      'refused',
      'new',
    ]);
  });
});

describe('WindowOrder, over UDP', () => {
  const table: { title: string; numbers: number[]; expected: Verdict[] }[] = [
    { title: 'takes numbers in order', numbers: [0, 1, 2], expected: ['new', 'new', 'new'] },
    {
      title: 'takes each number once',
      numbers: [0, 0, 1, 0, 1],
      expected: ['new', 'repeat', 'new', 'repeat', 'repeat'],
    },
    {
      title: 'takes late ones within the window',
      numbers: [5, 3, 4, 3],
      expected: ['new', 'new', 'new', 'repeat'],
    },
    {
      title: 'takes the number 63 before the highest',
      numbers: [63, 0, 0],
      expected: ['new', 'new', 'repeat'],
    },
    {
      title: 'takes the number 64 before the highest for a repeat',
      numbers: [64, 0],
      expected: ['new', 'repeat'],
    },
    {
      title: 'forgets nothing within the window when it moves by 63',
      numbers: [1, 64, 1],
      expected: ['new', 'new', 'repeat'],
    },
    {
      title: 'begins anew after a jump',
      numbers: [0, 1000, 1000, 999, 936],
      expected: ['new', 'new', 'repeat', 'new', 'repeat'],
    },
    { title: 'takes the first number, whatever it is', numbers: [4242, 4241], expected: ['new', 'new'] },
    {
      title: 'works up to the last number',
      numbers: [0xfffffffe, 0xffffffff, 0xfffffffe],
      expected: ['new', 'new', 'repeat'],
    },
  ];
  for (const { title, numbers, expected } of table) {
    it(`${title}: ${numbers.join(', ')}`, () => {
      assert.deepEqual(verdicts(new WindowOrder(), numbers), expected);
    });
  }

  it('does not move for a number that was only asked about', () => {
    const order = new WindowOrder();
    assert.equal(order.check(1_000_000), 'new');
    assert.equal(order.check(0), 'new');
  });

  it('agrees with a set of all numbers seen, over 50,000 steps', () => {
    const random = seeded(64);
    const tally = { new: 0, repeat: 0, refused: 0 };
    let [order, seen, highest] = [new WindowOrder(), new Set<number>(), -1];
    for (let step = 0; step < 50_000; step++) {
      if (random.below(2_000) === 0) [order, seen, highest] = [new WindowOrder(), new Set(), -1];
      // Mostly near the window, where it matters; now and then a jump.
      const reach = random.below(200) === 0 ? random.below(1_000_000) : random.below(100) - 80;
      const seq = Math.min(0xffffffff, Math.max(0, highest + reach));
      const known = seen.has(seq) || (seq < highest && highest - seq >= 64);
      const verdict = order.check(seq);
      assert.equal(verdict, known ? 'repeat' : 'new', `step ${step}: ${seq} after ${highest}`);
      tally[verdict] += 1;
      // A frame that does not authenticate is never accepted.
      if (known || random.below(5) === 0) continue;
      order.accept(seq);
      seen.add(seq);
      highest = Math.max(highest, seq);
    }
    assert.ok(tally.new > 10_000 && tally.repeat > 10_000, JSON.stringify(tally));
  });
});
