import assert from 'node:assert/strict';
import type { USMPError } from '../../src/errors.js';
import { keyFinder, type PskSource } from '../../src/server/keys.js';
import { Keyring } from '../../src/server/keyring.js';
import { keyMark } from '../../src/crypto/key-mark.js';
import { Secret } from '../../src/crypto/secret.js';
import { FakeClock, settle } from '../support/clock.js';

const KEY = 'a key of sixteen bytes and more';
const OTHER = 'another key of sixteen bytes';
const MARK = keyMark(new Secret(new TextEncoder().encode(KEY)));

/** Sessions that were opened with `KEY`, and what became of them when the keys were changed. */
function world(count: number) {
  const clock = new FakeClock();
  const keyring = new Keyring(keyFinder(KEY), clock);
  const ended: string[] = [];
  const sessions = Array.from({ length: count }, (_, i) => {
    const deviceId = `02:00:00:00:00:${i.toString(16).padStart(2, '0')}`;
    const end = (reason: USMPError): Promise<void> => {
      ended.push(`${deviceId} ${reason.code}`);
      return Promise.resolve();
    };
    return { deviceId, keyMark: MARK, end };
  });
  let isJudged = false;
  const change = (source: PskSource): void => {
    void keyring.replace(keyFinder(source), sessions).then(() => (isJudged = true));
  };
  return { clock, keyring, ended, change, isJudged: () => isJudged };
}

describe('the keys of a server that change', () => {
  it('end the sessions whose key is not valid any more, and no other', async () => {
    const { change, ended, clock } = world(3);
    change({ '020000000000': KEY, '020000000001': [OTHER, KEY], '020000000002': OTHER });
    await settle();
    assert.deepEqual(ended, ['02:00:00:00:00:02 USMP_KEY_CHANGED']);
    assert.equal(clock.pending, 0);
  });

  it('wait for no look-up without end, which says nothing against a key', async () => {
    const { change, ended, clock, isJudged } = world(100);
    change(() => new Promise(() => undefined));
    for (let i = 0; i < 4; i++) {
      assert.equal(isJudged(), false);
      await clock.advance(10_000);
    }
    assert.deepEqual([isJudged(), ended, clock.pending], [true, [], 0]);
  });

  it('are not asked a second time by who came in long after', async () => {
    const { change, keyring, clock } = world(0);
    change(KEY);
    assert.equal(keyring.isFresh(5_000), true);
    await clock.advance(5_001);
    assert.equal(keyring.isFresh(5_000), false);
  });
});
