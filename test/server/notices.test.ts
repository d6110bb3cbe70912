import assert from 'node:assert/strict';
import { Notices } from '../../src/server/notices.js';

describe('notices', () => {
  it('tell a thing once in an interval, with how often it came', () => {
    const notices = new Notices(60_000);
    const told = [0, 1, 59_999, 60_000, 60_001, 200_000].map((now) => notices.note('x', now));
    assert.deepEqual(told, [1, undefined, undefined, 3, undefined, 2]);
    assert.equal(notices.note('y', 1), 1);
  });

  it('tell everything without an interval', () => {
    const notices = new Notices(0);
    assert.deepEqual([notices.note('x', 0), notices.note('x', 0)], [1, 1]);
  });

  it('pass over more than 1,000 things within an interval, and go on when the oldest is over', () => {
    const notices = new Notices(60_000);
    for (let i = 0; i < 1_000; i++) assert.equal(notices.note(`${i}`, i), 1);
    assert.equal(notices.note('one more', 1_000), undefined);
    assert.equal(notices.note('one more', 60_000), 1);
    assert.equal(notices.note('another', 60_000), undefined);
  });
});
