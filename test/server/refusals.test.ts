import assert from 'node:assert/strict';
import { AuthError, HandshakeError, type USMPError } from '../../src/errors.js';
import { Refusals } from '../../src/server/refusals.js';

const ID = 'a4:cf:12:00:00:01';
const WALL = 1_700_000_000_000;

const unknown = (deviceId = ID): USMPError =>
  new AuthError('not known', { code: 'USMP_UNKNOWN_DEVICE', values: { deviceId } });
const proof = (deviceId = ID): USMPError =>
  new AuthError('another key', { code: 'USMP_DEVICE_PROOF', values: { deviceId } });
const silent = (): USMPError => new HandshakeError('no HELLO', { code: 'USMP_NO_ANSWER' });

function world(intervalMs = 60_000) {
  const told: string[] = [];
  const state = { now: 0 };
  const refusals = new Refusals(intervalMs, {
    onRefused: ({ address, port, reason, deviceId, count }) =>
      told.push(`${address}:${port} ${reason.code} ${deviceId ?? '-'} ${count}`),
    onKnock: ({ deviceId, address, time, count }) =>
      told.push(`knock ${deviceId} ${address} ${time - WALL} ${count}`),
    now: () => state.now,
    wallTime: () => WALL + state.now,
  });
  /** What this one makes it tell. */
  const refused = (address: string, reason: USMPError, now: number): string[] => {
    state.now = now;
    refusals.refused({ address, port: 1 }, reason);
    return told.splice(0);
  };
  return { refusals, refused };
}

describe('what is told of those who did not come in', () => {
  it('is where they were, why, and who they said they were; a knock where that has no key here', () => {
    const { refused } = world();
    assert.deepEqual(refused('a', silent(), 0), ['a:1 USMP_NO_ANSWER - 1']);
    assert.deepEqual(refused('a', proof(), 0), [`a:1 USMP_DEVICE_PROOF ${ID} 1`]);
    assert.deepEqual(refused('a', unknown(), 7), [`a:1 USMP_UNKNOWN_DEVICE ${ID} 1`, `knock ${ID} a 7 1`]);
  });

  it('is told once in the interval for each address, device id and code, with how often it happened', () => {
    const { refused } = world();
    for (const [address, reason] of [
      ['a', proof()],
      ['b', proof()],
      ['a', proof('a4:cf:12:00:00:02')],
      ['a', silent()],
    ] as const) {
      assert.equal(refused(address, reason, 0).length, 1);
      for (const now of [1, 59_999]) assert.deepEqual(refused(address, reason, now), []);
    }
    assert.deepEqual(refused('a', proof(), 60_000), [`a:1 USMP_DEVICE_PROOF ${ID} 3`]);
  });

  it('counts the addresses of an IPv6 /64 as one, and names the one that it was', () => {
    const { refused } = world();
    assert.deepEqual(refused('2001:db8::1', silent(), 0), ['2001:db8::1:1 USMP_NO_ANSWER - 1']);
    for (let n = 2; n < 9; n++) assert.deepEqual(refused(`2001:db8::${n}`, silent(), n), []);
    assert.deepEqual(refused('2001:db8::9', silent(), 60_000), ['2001:db8::9:1 USMP_NO_ANSWER - 8']);
    assert.equal(refused('2001:db8:0:1::1', silent(), 60_000).length, 1);
  });

  it('goes by another interval from now on', () => {
    const { refusals, refused } = world();
    refused('a', silent(), 0);
    refusals.setInterval(0);
    for (const now of [1, 1]) assert.equal(refused('a', silent(), now).length, 1);
  });
});
