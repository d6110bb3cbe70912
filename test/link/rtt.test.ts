import assert from 'node:assert/strict';
import { RoundTrip } from '../../src/link/rtt.js';

/** A path with this first timeout on which these round trips were measured. */
function measured(initialTimeoutMs: number, ...samples: readonly number[]): RoundTrip {
  const roundTrip = new RoundTrip(initialTimeoutMs);
  for (const ms of samples) roundTrip.sample(ms);
  return roundTrip;
}

describe('RoundTrip, the timeout of RFC 6298 §2', () => {
  const table = [
    { title: 'is the given one before anything was measured', samples: [], timeout: 500 },
    // SRTT 100, RTTVAR 50.
    { title: 'is R + 4 · R/2 after the first round trip', samples: [100], timeout: 300 },
    // RTTVAR ¾·50 + ¼·100 = 62.5, SRTT ⅞·100 + ⅛·200 = 112.5.
    { title: 'follows a slower one', samples: [100, 200], timeout: 362.5 },
    // RTTVAR ¾·62.5 + ¼·32.5 = 55, SRTT ⅞·112.5 + ⅛·80 = 108.4375.
    { title: 'follows a faster one', samples: [100, 200, 80], timeout: 328.4375 },
    { title: 'is at least 50 ms', samples: [1], timeout: 50 },
    { title: 'is at least 50 ms when no time passes at all', samples: [0, 0, 0], timeout: 50 },
    { title: 'is at most 5 s', samples: [4000], timeout: 5000 },
  ];
  for (const { title, samples, timeout } of table) {
    it(`${title}: ${samples.join(', ') || 'nothing'} gives ${timeout} ms`, () => {
      assert.equal(measured(500, ...samples).timeoutAfter(1), timeout);
    });
  }

  it('comes close to the round trip itself when that does not vary', () => {
    const timeout = measured(500, ...Array<number>(60).fill(200)).timeoutAfter(1);
    assert.ok(timeout >= 200 && timeout < 201, String(timeout));
  });
});

describe('RoundTrip, the waits between repeats', () => {
  const table = [
    { title: 'of a client at first', path: measured(500), waits: [500, 1000, 2000, 2000, 2000, 2000] },
    { title: 'of a server at first', path: measured(200), waits: [200, 400, 800, 800, 800, 800] },
    { title: 'on the fastest path', path: measured(500, 1), waits: [50, 100, 200, 400, 400, 400] },
    { title: 'on a slow path', path: measured(500, 1000), waits: [3000, 5000, 5000, 5000, 5000, 5000] },
    { title: 'on the slowest path', path: measured(500, 9000), waits: [5000, 5000, 5000, 5000, 5000, 5000] },
  ];
  for (const { title, path, waits } of table) {
    it(`double up to a limit, ${title}: ${waits.join(', ')} ms`, () => {
      assert.deepEqual(
        waits.map((_, i) => path.timeoutAfter(i + 1)),
        waits,
      );
    });
  }

  it('stay within 50 ms and 5 s for any number of sends', () => {
    for (const path of [measured(500), measured(500, 1), measured(500, 9000)]) {
      for (const sends of [1, 2, 5, 50, 2000]) {
        const wait = path.timeoutAfter(sends);
        assert.ok(wait >= 50 && wait <= 5000, `${wait} ms after ${sends} sends`);
      }
    }
  });
});
