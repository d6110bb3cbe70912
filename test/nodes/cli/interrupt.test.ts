/** Ctrl-C, once, twice, and twice from one key press. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { interruption, SIGNALS } from '../../../nodes/cli/interrupt.js';
import { FakeClock } from '../../support/clock.js';

describe('an interruption', () => {
  const table: { at: number[]; ended: number; what: string }[] = [
    { at: [0], ended: 0, what: 'one asks to end' },
    { at: [0, 3, 249], ended: 0, what: 'those of one key press are one' },
    { at: [0, 250], ended: 1, what: 'a second one ends it' },
    { at: [0, 200, 400], ended: 1, what: 'a second one ends it, also when the first came twice' },
    { at: [0, 100, 5_000], ended: 1, what: 'a second key press ends it' },
  ];
  for (const signal of SIGNALS) {
    for (const { at, ended, what } of table) {
      it(`${what} (${signal})`, () => {
        const [clock, signalled] = [new FakeClock(), new EventEmitter()];
        let count = 0;
        const asked = interruption(signalled, clock, () => (count += 1));
        assert.equal(asked.aborted, false);
        for (const time of at) {
          clock.work(time - clock.now());
          signalled.emit(signal);
          assert.ok(asked.aborted);
        }
        assert.equal(count, ended);
      });
    }
  }
});
