import assert from 'node:assert/strict';
import { Tries, type Try } from '../../src/server/tries.js';
import { FakeClock, settle } from '../support/clock.js';
import { seededRandom } from '../support/random.js';

const ID = 'a4:cf:12:00:00:01';
const INTERVAL_MS = 3_500;
const MINUTE_MS = 60_000;

function world() {
  const clock = new FakeClock();
  const tries = new Tries({ clock, random: seededRandom(5), intervalMs: INTERVAL_MS });
  const open = (address: string, id = ID): Try => tries.begin(id, address);
  const letThrough = async (attempt: Try): Promise<void> => {
    assert.equal(attempt.isWaiting ? await clock.until(attempt.mayGoOn) : true, true);
  };
  /** A handshake with a wrong key, as soon as it may; the milliseconds that it had to wait. */
  const fail = async (address: string, id = ID): Promise<number> => {
    const from = clock.now();
    const attempt = open(address, id);
    await letThrough(attempt);
    attempt.wrong();
    attempt.end();
    return clock.now() - from;
  };
  const succeed = async (address: string, id = ID): Promise<number> => {
    const from = clock.now();
    const attempt = open(address, id);
    await letThrough(attempt);
    attempt.right();
    attempt.end();
    return clock.now() - from;
  };
  /** Handshakes with a wrong key from these addresses, again and again. @returns how many got to try. */
  const attack = (addresses: readonly string[]) => {
    const state = { on: true, tries: 0 };
    const run = async (address: string): Promise<void> => {
      while (state.on) {
        const attempt = open(address);
        if (await attempt.mayGoOn) {
          state.tries += 1;
          attempt.wrong();
        }
        attempt.end();
      }
    };
    const runs = addresses.map(run);
    return {
      get tries() {
        return state.tries;
      },
      async end() {
        state.on = false;
        await clock.advance(MINUTE_MS * addresses.length);
        await Promise.all(runs);
      },
    };
  };
  return { clock, tries, open, fail, succeed, attack };
}

const isWaiting = async (attempt: Try): Promise<boolean> => {
  await settle();
  return attempt.isWaiting;
};

describe('Tries to prove to be a device', () => {
  it('wait for nothing as long as nobody fails', async () => {
    const { clock, succeed } = world();
    for (let n = 0; n < 20; n++) assert.equal(await succeed(`192.0.2.${n}`), 0);
    assert.equal(clock.pending, 0);
  });

  it('follow each other at the interval after a wrong proof', async () => {
    const { fail, clock } = world();
    const waits = [];
    for (let n = 0; n < 4; n++) waits.push(await fail('a'));
    assert.deepEqual(waits, [0, 0, INTERVAL_MS, INTERVAL_MS], 'the second one is in another lane');
    assert.equal(clock.pending, 0);
  });

  it('with another device id are not concerned, at the same address', async () => {
    const { fail, succeed } = world();
    await fail('a');
    assert.equal(await succeed('a', 'a4:cf:12:00:00:02'), 0);
  });

  it('are fewer than one a second for a device id, over all addresses, be they many', async () => {
    for (const count of [1, 3, 50]) {
      const { clock, attack, succeed } = world();
      await succeed('address 0');
      const attacking = attack(Array.from({ length: count }, (_, n) => `address ${n}`));
      await clock.advance(0);
      const before = attacking.tries;
      assert.ok(before <= 8 + 3, `${before} at once`);
      await clock.advance(100_000);
      assert.ok(attacking.tries - before < 100, `${attacking.tries - before} in 100 s`);
      await attacking.end();
    }
  });

  it('from where the device last succeeded do not wait for those from elsewhere', async () => {
    const { clock, attack, succeed } = world();
    await succeed('home');
    const attacking = attack(Array.from({ length: 30 }, (_, n) => `stranger ${n}`));
    await clock.advance(30_000);
    for (let n = 0; n < 5; n++) {
      assert.equal(await succeed('home'), 0);
      await clock.advance(INTERVAL_MS);
    }
    await attacking.end();
  });

  it('from an address that has not failed do not wait for those that have', async () => {
    const { clock, attack, succeed } = world();
    const attacking = attack(Array.from({ length: 30 }, (_, n) => `stranger ${n}`));
    await clock.advance(30 * INTERVAL_MS);
    assert.equal(await succeed('new here'), 0);
    await attacking.end();
  });

  it('with the right key get their turn beside a neighbour who guesses at the same address', async () => {
    for (const home of [true, false]) {
      const { clock, attack, succeed } = world();
      if (home) await succeed('nat');
      const attacking = attack(['nat']);
      await clock.advance(60_000);
      const waits = [];
      for (let n = 0; n < 20; n++) {
        waits.push(await succeed('nat'));
        await clock.advance(10_000);
      }
      waits.sort((a, b) => a - b);
      assert.ok(waits[10]! <= 4 * INTERVAL_MS, waits.join(' '));
      await attacking.end();
    }
  });

  it('are put off by each further wrong proof of one handshake, by a minute at most', async () => {
    for (const { wrongs, waits } of [
      { wrongs: 1, waits: INTERVAL_MS },
      { wrongs: 5, waits: 5 * INTERVAL_MS },
      { wrongs: 100, waits: MINUTE_MS },
    ]) {
      const { clock, open, fail } = world();
      const attempt = open('a');
      assert.equal(await attempt.mayGoOn, true);
      for (let n = 0; n < wrongs; n++) attempt.wrong();
      attempt.end();
      assert.equal(await fail('b'), waits, `${wrongs} wrong proofs`);
      assert.equal(clock.pending, 0);
    }
  });

  it('are eight at the same time before anybody has failed, the others following at the interval', async () => {
    const { clock, open } = world();
    const attempts = Array.from({ length: 11 }, () => open('a'));
    await clock.advance(0);
    const through = (): number => attempts.filter((each) => !each.isWaiting).length;
    assert.equal(through(), 9);
    await clock.advance(INTERVAL_MS - 1);
    assert.equal(through(), 9);
    await clock.advance(1);
    assert.equal(through(), 10);
    for (const each of attempts) each.end();
    assert.equal(clock.pending, 0);
  });

  it('begin anew ten minutes after the last failure', async () => {
    const { clock, fail } = world();
    await fail('a');
    await clock.advance(10 * MINUTE_MS);
    assert.equal(await fail('a'), 0);
    assert.deepEqual([await fail('a'), await fail('a')], [0, INTERVAL_MS]);
  });

  it('that end while they wait are told so, and hold up nobody', async () => {
    const { clock, fail, open } = world();
    await fail('a');
    await fail('a');
    const [first, second] = [open('a'), open('a')];
    assert.equal(await isWaiting(first), true);
    first.end();
    assert.equal(await first.mayGoOn, false);
    await clock.advance(INTERVAL_MS);
    assert.equal(await second.mayGoOn, true);
    second.end();
    assert.equal(clock.pending, 0);
  });

  it('are remembered of ten thousand device ids and no more, and of none that nothing came of', async () => {
    const { tries, fail, open } = world();
    const attempt = open('a', 'comes to nothing');
    attempt.end();
    assert.equal(tries.remembered, 0);
    for (let n = 0; n < 10_050; n++) await fail('a', `device ${n}`);
    assert.equal(tries.remembered, 10_000);
    assert.equal(await fail('b', 'device 10049'), INTERVAL_MS);
    assert.equal(await fail('b', 'device 0'), 0, 'forgotten for another one');
  });
});
