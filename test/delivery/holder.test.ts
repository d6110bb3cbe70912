import assert from 'node:assert/strict';
import { Holder } from '../../src/delivery/holder.js';

function world(takes = true) {
  const given: number[] = [];
  const told: string[] = [];
  const hooks: { onGive(item: number): void } = { onGive: () => undefined };
  const holder = new Holder<number>({
    give(item) {
      given.push(item);
      hooks.onGive(item);
      return takes;
    },
    onRoom: (room) => told.push(room ? 'room' : 'full'),
  });
  const put = (from: number, to: number): void => {
    for (let item = from; item <= to; item++) holder.put(item);
  };
  return { holder, given, told, hooks, put };
}

describe('a holder of messages', () => {
  it('gives them at once, and counts those that nobody took', () => {
    for (const takes of [true, false]) {
      const { holder, given, told, put } = world(takes);
      put(1, 3);
      assert.deepEqual([given, told], [[1, 2, 3], []]);
      assert.deepEqual([holder.received, holder.unclaimed], [3, takes ? 0 : 3]);
    }
  });

  it('keeps them on hold, and gives them in order when it is released', () => {
    const { holder, given, put } = world(false);
    holder.hold();
    put(1, 3);
    assert.deepEqual([given, holder.received, holder.unclaimed], [[], 3, 0]);
    holder.release();
    put(4, 4);
    assert.deepEqual([given, holder.received, holder.unclaimed], [[1, 2, 3, 4], 4, 4]);
  });

  it('asks for no more from 256 on, and for more when it is released', () => {
    const { holder, told, put, given } = world();
    holder.hold();
    put(1, 255);
    assert.equal(told.length, 0);
    put(256, 256);
    assert.deepEqual(told, ['full']);
    put(257, 257); // was under way
    holder.release();
    assert.equal(told.at(-1), 'room');
    assert.equal(given.length, 257);
  });

  it('may be put on hold again by whoever is given one', () => {
    const { holder, given, told, hooks, put } = world();
    holder.hold();
    put(1, 300);
    hooks.onGive = (item) => {
      if (item === 10) holder.hold();
    };
    holder.release();
    assert.deepEqual(
      [given.length, told.filter((each) => each === 'room')],
      [10, []],
      'there is no room yet',
    );
    put(301, 301);
    assert.equal(given.length, 10, 'and nothing overtakes what waits');
    holder.release();
    assert.deepEqual(given.slice(-2), [300, 301]);
    assert.equal(told.at(-1), 'room');
  });

  it('keeps the order when one comes while it is giving', () => {
    const { holder, given, hooks, put } = world();
    holder.hold();
    put(1, 3);
    hooks.onGive = (item) => {
      if (item === 1) holder.put(4);
    };
    holder.release();
    assert.deepEqual(given, [1, 2, 3, 4]);
  });
});

describe('a holder that takes over from another', () => {
  function handedOver(isOnHold: boolean) {
    const old = world();
    old.holder.hold();
    old.put(1, 300);
    const heir = world();
    heir.holder.hold();
    heir.put(301, 302);
    if (!isOnHold) heir.holder.release();
    heir.given.length = 0;
    heir.told.length = 0;
    old.holder.handOver(heir.holder);
    return { old, heir };
  }

  it('on hold has them wait before its own, within its bounds', () => {
    const { old, heir } = handedOver(true);
    assert.deepEqual([heir.given, heir.told], [[], ['full']]);
    heir.holder.release();
    assert.equal(heir.given.length, 302);
    assert.deepEqual([heir.given[0], heir.given.at(-1)], [1, 302]);
    old.holder.release();
    assert.deepEqual(old.given, [], 'they are given once');
  });

  it('not on hold gives them at once, so that what comes after them is given, too', () => {
    const { heir } = handedOver(false);
    assert.equal(heir.given.length, 300);
    heir.put(303, 303);
    assert.equal(heir.given.at(-1), 303);
  });
});
