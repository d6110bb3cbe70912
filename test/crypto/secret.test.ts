import assert from 'node:assert/strict';
import { systemRandom } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import { toHex } from '../../src/wire/bytes.js';
import { hex } from '../support/hex.js';
import { assertHides, assertShows } from '../support/secrecy.js';

const BYTES = hex('c0ffee00112233445566778899aabbcc');

describe('Secret', () => {
  it('is shown by no String(), JSON or util.inspect', () => {
    assertHides(new Secret(BYTES), [BYTES]);
    assertHides({ key: new Secret(BYTES) }, [BYTES]);
    assert.equal(JSON.stringify({ key: new Secret(BYTES) }), '{"key":"[secret]"}');
    // The same bytes without the holder are shown, so the check can fail.
    for (const plain of [BYTES, Array.from(BYTES), toHex(BYTES), Buffer.from(BYTES).toString('base64')]) {
      assertShows({ key: plain }, BYTES);
    }
  });

  it('holds a copy of the bytes that it is given', () => {
    const given = Uint8Array.from(BYTES);
    const copy = new Secret(given);
    given.fill(0);
    assert.deepEqual(copy.bytes, BYTES);
  });

  it('holds zeros once it is wiped', () => {
    const wiped = new Secret(BYTES);
    const live = wiped.bytes;
    wiped.wipe();
    assert.equal(toHex(live), '00'.repeat(16));
  });
});

describe('systemRandom', () => {
  it('gives as many bytes as asked for, in memory of their own, and others each time', () => {
    const [a, b] = [systemRandom(32), systemRandom(32)];
    assert.deepEqual([a.length, a.buffer.byteLength, b.length], [32, 32, 32]);
    assert.notDeepEqual(a, b);
  });
});
