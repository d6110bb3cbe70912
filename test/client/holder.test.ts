import assert from 'node:assert/strict';
import { Holder } from '../../src/client/holder.js';

interface World {
  readonly holder: Holder<number>;
  readonly given: number[];
  readonly room: boolean[];
}

/** @param takes whether somebody takes what is given. */
function world(takes = true): World {
  const given: number[] = [];
  const room: boolean[] = [];
  const give = (item: number): boolean => {
    given.push(item);
    return takes;
  };
  return { holder: new Holder({ give, onRoom: (each) => room.push(each) }), given, room };
}

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('messages on their way to whoever takes them', () => {
  it('are handed out at once, and counted as unclaimed when nobody takes them', () => {
    for (const takes of [true, false]) {
      const { holder, given } = world(takes);
      for (const each of numbers(3)) holder.put(each);
      assert.deepEqual(given, numbers(3));
      assert.deepEqual([holder.received, holder.unclaimed], [3, takes ? 0 : 3]);
    }
  });

  it('wait on hold, up to a limit, and are handed out in order', () => {
    const { holder, given, room } = world();
    holder.hold();
    for (const each of numbers(255)) holder.put(each);
    assert.equal(room.length, 0);
    for (const each of [255, 256]) holder.put(each); // the second one was on its way
    assert.equal(room.at(-1), false);
    assert.deepEqual(given, []);
    holder.release();
    assert.equal(room.at(-1), true);
    holder.put(257);
    assert.deepEqual(given, numbers(258));
  });

  it('stay in order when whoever gets one puts the rest on hold, and more come', () => {
    const given: number[] = [];
    const holder = new Holder<number>({
      give: (item) => {
        given.push(item);
        if (item === 1) holder.hold();
        return true;
      },
      onRoom: () => undefined,
    });
    holder.hold();
    for (const each of numbers(3)) holder.put(each);
    holder.release();
    holder.put(3);
    assert.deepEqual(given, [0, 1]);
    holder.release();
    assert.deepEqual(given, numbers(4));
  });

  for (const isOnHold of [true, false]) {
    it(`go to an heir that is ${isOnHold ? '' : 'not '}on hold, before what it gets itself`, () => {
      const [old, heir] = [world(), world()];
      old.holder.hold();
      if (isOnHold) heir.holder.hold();
      for (const each of numbers(300)) old.holder.put(each);
      old.holder.handOver(heir.holder);
      heir.holder.put(300);
      if (isOnHold) heir.holder.release();
      heir.holder.put(301);
      assert.deepEqual([old.given, heir.given], [[], numbers(302)]);
      assert.notEqual(heir.room.at(-1), false);
    });
  }
});
