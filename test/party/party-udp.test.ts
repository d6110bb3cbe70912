/** Two peers over datagrams that get lost, doubled, late and out of order (protocol §4). */
import assert from 'node:assert/strict';
import { delaying, doubling, losing, pass, type Passing, type Path } from '../support/path.js';
import { seeded } from '../support/random.js';
import { Duo, LATENCY_MS, type DuoOptions, type End } from '../support/wire-tap.js';

const udp = (options: DuoOptions = {}): Duo => new Duo({ ...options, over: 'datagram' });
const LONG = 'a message of four frames. '.repeat(60);

/**
 * One of everything: messages short and long at the same time, PING, REKEY from either side, BYE; behind so many frames
 * each way.
 */
function wholeSession(path: Path, { seed = 1, frames = 0 } = {}): Duo {
  const force = frames > 0; // the reference would lose what follows a REKEY then, this package does not
  const duo = udp({ path, seed, serverTimes: { sessionTimeoutMs: 60_000 } })
    .establish(30_000)
    .seasoned(frames);
  const done = (): boolean => duo.ends.every((end) => end.count('sent') === asked.get(end));
  const asked = new Map<End, number>(duo.ends.map((end) => [end, 0]));
  const ask = (end: End, action: () => unknown): void => {
    asked.set(end, asked.get(end)! + 1);
    action();
  };
  const both = (text: string): void => {
    for (const end of duo.ends) ask(end, () => end.send(text));
  };
  both('one');
  both(LONG);
  duo.until(done);
  duo.client.ping();
  duo.server.ping();
  duo.until(() => duo.ends.every((end) => end.has('pong')));
  both('two');
  ask(duo.client, () => duo.client.rekey(force));
  both(LONG);
  duo.until(done);
  ask(duo.server, () => duo.server.rekey(force));
  both('three');
  duo.until(done);
  duo.client.close();
  duo.until(() => duo.ends.every(({ party }) => party.state === 'closed'), 70_000);
  return duo;
}

function assertWhole(duo: Duo, what: string): void {
  for (const end of duo.ends) assert.deepEqual(end.textsOnce, ['one', LONG, 'two', LONG, 'three'], what);
  assert.deepEqual(
    duo.ends.map((end) => end.count('rekeyed')),
    [2, 2],
    what,
  );
  assert.deepEqual([duo.client.code, duo.server.code], ['closed', 'USMP_BYE'], what);
}

/** The same session again for each of its datagrams, with something done to that one. */
function forEachDatagram(frames: number, does: (which: (passing: Passing) => boolean) => Path): void {
  const { wire } = wholeSession(pass, { frames });
  for (const { n, from, name } of wire) {
    const duo = wholeSession(
      does((passing) => passing.n === n),
      { frames },
    );
    assertWhole(duo, `datagram ${n}, ${name} of the ${from}`);
  }
}

for (const { frames, isEach, seeds } of [
  { frames: 0, isEach: true, seeds: 15 },
  { frames: 100, isEach: true, seeds: 5 },
  { frames: 1_000, isEach: false, seeds: 3 }, // as each datagram behind so many takes minutes
]) {
  describe(`a whole session over UDP${frames > 0 ? `, behind ${frames} frames` : ''}`, () => {
    it('completes without a repeat on a path that loses nothing', () => {
      const duo = wholeSession(pass, { frames });
      assertWhole(duo, 'all');
      for (const end of duo.ends) {
        const frames = end.sent.filter(({ name }) => !name.startsWith('UTACK'));
        assert.equal(
          new Set(frames.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).size,
          frames.length,
        );
      }
    });

    if (isEach) {
      it('completes whichever datagram is lost', () => forEachDatagram(frames, losing));
      it('completes whichever datagram comes twice', () => forEachDatagram(frames, doubling));

      for (const laterMs of [1, 2 * LATENCY_MS + 1, 3_000]) {
        it(`completes whichever datagram is overtaken by others because it is ${laterMs} ms late`, () =>
          forEachDatagram(frames, (which) => delaying(laterMs, which)));
      }
    }

    it('completes when each datagram comes twice, the second time late', () => {
      for (const laterMs of [1, 20, 700, 5_000]) {
        assertWhole(
          wholeSession(() => [{}, { laterMs }], { frames }),
          `${laterMs} ms`,
        );
      }
    });

    it('completes on a path that loses, doubles, delays and damages at random', () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const random = seeded(seed);
        const chaos: Path = ({ bytes }) => {
          const chance = random.below(100);
          if (chance < 15) return [];
          if (chance < 25) return [{}, { laterMs: random.below(2_000) }];
          if (chance < 45) return [{ laterMs: random.below(100) }];
          if (chance < 50) {
            const damaged = Uint8Array.from(bytes);
            damaged[random.below(damaged.length)]! ^= 1 + random.below(255);
            return [{ bytes: damaged }];
          }
          return [{}];
        };
        const duo = wholeSession(chaos, { seed, frames });
        // Every BYE may be lost within the second that close allows; the server's session timeout ends it then.
        for (const end of duo.ends)
          assert.deepEqual(end.textsOnce, ['one', LONG, 'two', LONG, 'three'], `seed ${seed}`);
      }
    });
  });
}

describe('a whole session over UDP', () => {
  it('carries 300 messages each way, once and in order, when 30 % of the datagrams are lost', () => {
    const random = seeded(30);
    const duo = udp({ path: losing(() => random.below(100) < 30) }).establish(30_000);
    const texts = Array.from({ length: 300 }, (_, i) => `message ${i} `.repeat(1 + random.below(100)));
    for (const text of texts) for (const end of duo.ends) end.send(text);
    duo.quiet(3_600_000);
    for (const end of duo.ends) {
      assert.deepEqual(end.texts, texts);
      assert.equal(end.count('sent'), 300);
    }
  });
});
