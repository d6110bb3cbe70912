import assert from 'node:assert/strict';
import { concat } from '../../src/wire/bytes.js';
import { fragment } from '../../src/wire/fragments.js';
import { seeded } from '../support/random.js';

describe('fragment (protocol §3.4)', () => {
  const table = [
    { bytes: 0, pieces: [0] },
    { bytes: 1, pieces: [1] },
    { bytes: 451, pieces: [451] },
    { bytes: 452, pieces: [452] },
    { bytes: 453, pieces: [452, 1] },
    { bytes: 904, pieces: [452, 452] },
    { bytes: 905, pieces: [452, 452, 1] },
    { bytes: 1356, pieces: [452, 452, 452] },
    { bytes: 1357, pieces: [452, 452, 452, 1] },
    { bytes: 1808, pieces: [452, 452, 452, 452] },
  ];
  for (const { bytes, pieces } of table) {
    it(`cuts ${bytes} bytes into ${pieces.join(' + ')}, which together are the message`, () => {
      const message = seeded(bytes).bytes(bytes);
      const cut = fragment(message);
      assert.deepEqual(
        cut.map(({ length }) => length),
        pieces,
      );
      assert.deepEqual(concat(...cut), message);
    });
  }

  it('refuses 1,809 bytes as too long, naming both sizes, as a local fault', () => {
    assert.throws(() => fragment(new Uint8Array(1809)), {
      name: 'PayloadError',
      code: 'USMP_MESSAGE_TOO_LONG',
      fault: 'local',
      message: /1809 bytes.*at most 1808/,
    });
  });
});
