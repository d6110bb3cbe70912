import assert from 'node:assert/strict';
import { Admission } from '../../src/server/admission.js';

const LOCKED = 'locked out after failed handshakes';
const BUSY = 'too many handshakes at once';
const IP = '192.0.2.1';

function make(limits = { maxSessions: 100, maxSessionsPerAddress: 5 }): Admission {
  return new Admission(limits);
}

/** A handshake that fails at this time, as the server reports it. */
function fail(admission: Admission, address: string, now: number, times = 1): void {
  for (let n = 0; n < times; n++) {
    const place = admission.take(address);
    place.release();
    place.failed(now);
  }
}

describe('Admission: the lockout (protocol §5.1)', () => {
  it('lets an address try five times', () => {
    const admission = make();
    for (let n = 0; n < 4; n++) {
      fail(admission, IP, 0);
      assert.equal(admission.refusal(IP, 0), undefined, `after ${n + 1} failures`);
    }
    fail(admission, IP, 0);
    assert.equal(admission.refusal(IP, 0), LOCKED);
  });

  it('lasts 1 s at first and doubles with each further failure, up to 60 s', () => {
    const admission = make();
    let now = 0;
    fail(admission, IP, now, 4);
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60, 60]) {
      fail(admission, IP, now);
      assert.equal(admission.refusal(IP, now + seconds * 1000 - 1), LOCKED, `${seconds} s`);
      now += seconds * 1000;
      assert.equal(admission.refusal(IP, now), undefined, `after ${seconds} s`);
    }
  });

  it('stays at 60 s after any number of failures', () => {
    const admission = make();
    fail(admission, IP, 0, 2000);
    assert.equal(admission.refusal(IP, 59_999), LOCKED);
    assert.equal(admission.refusal(IP, 60_000), undefined);
  });

  it('concerns one address only', () => {
    const admission = make();
    fail(admission, IP, 0, 5);
    assert.equal(admission.refusal('192.0.2.2', 0), undefined);
  });

  it('is cleared by a success, and the count begins anew', () => {
    const admission = make();
    fail(admission, IP, 0, 4);
    const place = admission.take(IP);
    assert.equal(place.established(), true);
    place.release();
    fail(admission, IP, 0, 4);
    assert.equal(admission.refusal(IP, 0), undefined);
    fail(admission, IP, 0);
    assert.equal(admission.refusal(IP, 0), LOCKED);
  });

  it('is forgotten after ten minutes without a failure, and not before', () => {
    for (const { pause, locked } of [
      { pause: 10 * 60_000 - 1, locked: LOCKED },
      { pause: 10 * 60_000, locked: undefined },
    ]) {
      const admission = make();
      fail(admission, IP, 0, 5);
      fail(admission, IP, pause);
      assert.equal(admission.refusal(IP, pause), locked, `after ${pause} ms`);
    }
  });

  it('is remembered of 10,000 addresses, the one that failed longest ago being forgotten for another', () => {
    const admission = make();
    fail(admission, 'first', 0, 5);
    fail(admission, 'second', 0, 5);
    for (let n = 0; n < 9_998; n++) fail(admission, `other ${n}`, 0);
    assert.equal(admission.refusal('first', 0), LOCKED);
    // Failing again makes it the youngest.
    fail(admission, 'first', 0);
    fail(admission, 'one more', 0);
    assert.equal(admission.refusal('first', 0), LOCKED);
    assert.equal(admission.refusal('second', 0), undefined);
  });
});

describe('Admission: the limits (protocol §5.2)', () => {
  it('lets ten handshakes run at the same time, from whatever address', () => {
    const admission = make();
    const places = Array.from({ length: 10 }, (_, n) => {
      assert.equal(admission.refusal(`192.0.2.${n}`, 0), undefined);
      return admission.take(`192.0.2.${n}`);
    });
    assert.equal(admission.refusal(IP, 0), BUSY);
    places[3]!.release();
    assert.equal(admission.refusal(IP, 0), undefined);
  });

  it('counts a handshake no longer once it is a session', () => {
    const admission = make();
    const places = Array.from({ length: 10 }, (_, n) => admission.take(`192.0.2.${n}`));
    assert.equal(places[0]!.established(), true);
    assert.equal(admission.refusal(IP, 0), undefined);
  });

  it('has room for as many sessions as allowed, and again when one ends', () => {
    const admission = make({ maxSessions: 2, maxSessionsPerAddress: 2 });
    const [first, second, third] = ['a', 'b', 'c'].map((address) => admission.take(address));
    assert.deepEqual(
      [first, second, third].map((place) => place!.established()),
      [true, true, false],
    );
    first!.release();
    assert.equal(third!.established(), true);
  });

  it('has room for as many sessions of one address as allowed, and again when one ends', () => {
    const admission = make({ maxSessions: 100, maxSessionsPerAddress: 2 });
    const [first, second, third, other] = [IP, IP, IP, 'elsewhere'].map((address) => admission.take(address));
    assert.deepEqual(
      [first, second, third, other].map((place) => place!.established()),
      [true, true, false, true],
    );
    second!.release();
    assert.equal(third!.established(), true);
    assert.equal(admission.take(IP).established(), false);
  });

  it('gives a place back once, however often that is said', () => {
    const admission = make({ maxSessions: 1, maxSessionsPerAddress: 1 });
    const first = admission.take(IP);
    first.established();
    for (let n = 0; n < 3; n++) first.release();
    assert.equal(admission.take(IP).established(), true);
    assert.equal(admission.take(IP).established(), false);
  });

  it('gives a handshake back once, too', () => {
    const admission = make();
    const places = Array.from({ length: 10 }, () => admission.take(IP));
    for (let n = 0; n < 3; n++) places[0]!.release();
    admission.take(IP);
    assert.equal(admission.refusal(IP, 0), BUSY);
  });

  it('makes no second session of one place, and none of one that was given back', () => {
    const admission = make();
    const place = admission.take(IP);
    assert.deepEqual([place.established(), place.established()], [true, false]);
    place.release();
    assert.equal(place.established(), false);
  });

  it('does not lock an address out for want of room', () => {
    const admission = make({ maxSessions: 1, maxSessionsPerAddress: 1 });
    admission.take(IP).established();
    for (let n = 0; n < 8; n++) {
      const place = admission.take(IP);
      assert.equal(place.established(), false);
      place.release();
    }
    assert.equal(admission.refusal(IP, 0), undefined);
  });
});
