/** How many tests of a connection are let through. */
import assert from 'node:assert/strict';
import { askerOf, type Request } from '../../../nodes/shared/dialog/permission.js';
import { Turnstile } from '../../../nodes/shared/dialog/turnstile.js';

const RUNNING = { key: 'test.running' };
const TOO_MANY = { key: 'test.tooMany' };

describe('the turnstile in front of the test of a connection', () => {
  let now: number;
  let turnstile: Turnstile;
  beforeEach(() => {
    now = 1_000;
    turnstile = new Turnstile(() => now);
  });

  /** Tests that begin and end, until one is refused. @returns how many. */
  function passes(asker: string, most = 50): number {
    for (let i = 0; i < most; i++) {
      if (turnstile.enter('gw', asker)) return i;
      turnstile.leave('gw');
    }
    return most;
  }

  it('lets one test of a gateway through at a time', () => {
    assert.equal(turnstile.enter('gw', 'ann'), undefined);
    assert.deepEqual(turnstile.enter('gw', 'bob'), RUNNING);
    assert.equal(turnstile.enter('other', 'bob'), undefined);
    turnstile.leave('gw');
    assert.equal(turnstile.enter('gw', 'bob'), undefined);
  });

  it('lets three through at once, whoever asks', () => {
    for (const id of ['a', 'b', 'c']) assert.equal(turnstile.enter(id, `asker of ${id}`), undefined);
    assert.deepEqual(turnstile.enter('d', 'somebody else'), TOO_MANY);
    turnstile.leave('b');
    assert.equal(turnstile.enter('d', 'somebody else'), undefined);
  });

  it('lets each asker have twenty a minute, and takes nothing from the others', () => {
    assert.equal(passes('ann'), 20);
    assert.deepEqual(turnstile.enter('gw', 'ann'), TOO_MANY);
    assert.equal(passes('bob'), 20);
    now += 59_999;
    assert.deepEqual(turnstile.enter('gw', 'ann'), TOO_MANY);
    now += 1;
    assert.equal(passes('ann'), 20);
  });

  it('counts the last minute, whenever it began, and not what was refused', () => {
    assert.equal(passes('ann', 10), 10);
    now += 40_000;
    assert.equal(passes('ann'), 10);
    assert.equal(passes('ann'), 0);
    now += 20_000;
    assert.equal(passes('ann'), 10);
  });

  it('forgets those who asked longest ago, so that they cannot fill the memory', () => {
    assert.equal(passes('ann'), 20);
    assert.equal(passes('bob'), 20);
    for (let i = 0; i < 999; i++) assert.equal(passes(`one of many ${i}`, 1), 1);
    assert.equal(passes('bob'), 0);
    assert.equal(passes('ann'), 20);
  });
});

describe('an asker', () => {
  const from = (ip: string | undefined, user?: object, remoteAddress = '::1'): string =>
    askerOf({ ip, socket: { remoteAddress }, ...(user && { user }) } as unknown as Request);

  it('is a user at an address', () => {
    const askers = [
      from('10.0.0.1'),
      from('10.0.0.2'),
      from('10.0.0.1', { username: 'ann' }),
      from('10.0.0.1', { username: 'bob' }),
      from('10.0.0.2', { username: 'bob' }),
    ];
    assert.equal(new Set(askers).size, askers.length);
    assert.equal(from('10.0.0.1', { anonymous: true, permissions: '*' }), from('10.0.0.1'));
  });

  it('is at the other end of the socket where nothing else is known', () => {
    assert.equal(from(undefined, undefined, '10.0.0.1'), from('10.0.0.1'));
  });
});
