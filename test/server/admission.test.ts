import assert from 'node:assert/strict';
import { Admission, type AdmissionLimits, type Place } from '../../src/server/admission.js';

const IP = '192.0.2.1';
const OTHER = '192.0.2.2';
const LIMITS = { maxHandshakes: 10, maxHandshakesPerAddress: 5, maxSessions: 100, maxSessionsPerAddress: 5 };

/** An admission, and who had to make way, by name. */
function make(limits: Partial<AdmissionLimits> = {}) {
  const admission = new Admission({ ...LIMITS, ...limits });
  const evicted: string[] = [];
  const enter = (address: string, name = ''): Place => admission.enter(address, () => evicted.push(name));
  const session = (address: string, leaving: readonly Place[] = []): Place => {
    const place = enter(address);
    assert.equal(place.establish(leaving), true);
    return place;
  };
  return { admission, evicted, enter, session };
}

describe('Admission: room for handshakes', () => {
  it('is there for everybody, the oldest of the address with most of them making way', () => {
    const { admission, evicted, enter } = make({ maxHandshakes: 5 });
    for (const [address, name] of [
      ['a', 'a1'],
      ['b', 'b1'],
      ['b', 'b2'],
      ['b', 'b3'],
      ['c', 'c1'],
    ] as const)
      enter(address, name);
    assert.deepEqual(evicted, []);
    enter('d', 'd1');
    assert.deepEqual(evicted, ['b1']);
    enter('d', 'd2');
    assert.deepEqual(evicted, ['b1', 'b2']);
    enter('d', 'd3');
    assert.deepEqual(evicted, ['b1', 'b2', 'd1']);
    assert.equal(admission.handshakes, 5);
  });

  it('is a share for one address, whose own oldest makes way', () => {
    const { admission, evicted, enter } = make({ maxHandshakesPerAddress: 2 });
    enter(OTHER, 'other');
    for (const name of ['first', 'second', 'third', 'fourth']) enter(IP, name);
    assert.deepEqual(evicted, ['first', 'second']);
    assert.equal(admission.handshakes, 3);
  });

  it('is free again when a handshake is over or has become a session', () => {
    const { admission, evicted, enter } = make({ maxHandshakes: 2 });
    const [first, second] = [enter('a', 'first'), enter('b', 'second')];
    first.release();
    enter('c', 'third');
    assert.equal(second.establish([]), true);
    enter('d', 'fourth');
    assert.deepEqual(evicted, []);
    assert.deepEqual([admission.handshakes, admission.sessions], [2, 1]);
  });

  it('is given back once, however often that is said, and by one that made way not again', () => {
    const { admission, evicted, enter } = make({ maxHandshakes: 2 });
    const first = enter('a', 'first');
    enter('b', 'second');
    enter('c', 'third');
    assert.deepEqual(evicted, ['first']);
    for (let n = 0; n < 3; n++) first.release();
    assert.equal(admission.handshakes, 2);
    assert.equal(first.establish([]), false);
  });

  it('is never found by ending a session', () => {
    const { admission, enter, session } = make({ maxHandshakes: 1 });
    session(IP);
    session(IP);
    enter(IP);
    enter(IP);
    assert.deepEqual([admission.handshakes, admission.sessions], [1, 2]);
  });
});

describe('Admission: room for sessions', () => {
  const limits: Record<string, { limits: Partial<AdmissionLimits>; addresses: string[] }> = {
    'as many as allowed': {
      limits: { maxSessions: 2, maxSessionsPerAddress: 2 },
      addresses: ['a', 'b', 'c'],
    },
    'as many of one address as allowed': {
      limits: { maxSessionsPerAddress: 2 },
      addresses: [IP, IP, IP],
    },
  };
  for (const [what, { limits: given, addresses }] of Object.entries(limits)) {
    it(`is there for ${what}, and again when one ends`, () => {
      const { admission, enter } = make(given);
      const places = addresses.map((address) => enter(address));
      const [first, , third] = places;
      assert.deepEqual(
        places.map((place) => {
          const hadRoom = admission.hasRoom(place.network, []);
          assert.equal(place.establish([]), hadRoom);
          return hadRoom;
        }),
        [true, true, false],
      );
      first!.release();
      assert.equal(third!.establish([]), true);
    });
  }

  it('is there for another address when one has no more', () => {
    const { session, admission } = make({ maxSessionsPerAddress: 1 });
    session(IP);
    assert.deepEqual([admission.hasRoom(IP, []), admission.hasRoom(OTHER, [])], [false, true]);
  });

  it('is there in the place of a session that leaves, of this address or of all', () => {
    for (const given of [{ maxSessions: 1 }, { maxSessionsPerAddress: 1 }]) {
      const { session, admission, enter } = make(given);
      const old = session(IP);
      assert.equal(admission.hasRoom(IP, []), false);
      assert.equal(admission.hasRoom(IP, [old]), true);
      assert.equal(enter(IP).establish([old]), true);
    }
  });

  it('is not there in the place of a session that leaves another address', () => {
    const { session, admission, enter } = make({ maxSessionsPerAddress: 1 });
    session(IP);
    const old = session(OTHER);
    assert.equal(admission.hasRoom(IP, [old]), false);
    const place = enter(IP);
    assert.equal(place.establish([old]), false);
    assert.equal(admission.sessions, 2, 'the old one is still there');
  });

  it('is not there in the place of one that has left already', () => {
    const { session, admission } = make({ maxSessions: 2 });
    const [first] = [session('a'), session('b'), 0] as const;
    first.release();
    session('c');
    assert.equal(admission.hasRoom('d', [first]), false);
  });

  it('counts a session where it is now', () => {
    const { session, admission } = make({ maxSessionsPerAddress: 1 });
    const place = session(IP);
    place.move(OTHER);
    assert.deepEqual([admission.hasRoom(IP, []), admission.hasRoom(OTHER, [])], [true, false]);
    place.release();
    assert.equal(admission.hasRoom(OTHER, []), true);
    place.move(IP);
    assert.equal(admission.hasRoom(IP, []), true);
  });

  it('makes no second session of one place, and none of one that was given back', () => {
    const { enter } = make();
    const place = enter(IP);
    assert.deepEqual([place.establish([]), place.establish([])], [true, false]);
    place.release();
    assert.equal(place.establish([]), false);
  });
});
