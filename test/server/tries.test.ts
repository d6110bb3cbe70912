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

  it('follow each other at a third of the interval after some wrong proofs, as nobody else wants one', async () => {
    const { fail, clock } = world();
    const waits = [];
    for (let n = 0; n < 15; n++) waits.push(await fail('a'));
    assert.deepEqual(waits.slice(0, 7), Array<number>(7).fill(0), 'one is in another lane');
    for (const waitMs of waits.slice(10)) assert.ok(Math.abs(waitMs - INTERVAL_MS / 3) < 50, String(waitMs));
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
      assert.ok(before <= 8, `${before} at once`);
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

  for (const { guessers, atHome } of [
    { guessers: 1, atHome: true },
    { guessers: 1, atHome: false },
    { guessers: 8, atHome: true },
    { guessers: 30, atHome: true },
  ]) {
    const where = atHome ? 'its home' : 'an origin where it never was';
    it(`with the right key wait ${guessers + 1} turns on average beside ${guessers} guessers at ${where}`, async () => {
      const { clock, attack, succeed } = world();
      if (atHome) await succeed('nat');
      const attacking = attack(Array<string>(guessers).fill('nat'));
      await clock.advance(60_000);
      const rounds = 40;
      let waited = 0;
      for (let n = 0; n < rounds; n++) {
        waited += await succeed('nat');
        await clock.advance(10_000);
      }
      const turns = waited / rounds / (INTERVAL_MS / 3);
      assert.ok(turns <= 1.5 * (guessers + 1), `${turns} turns`);
      await attacking.end();
    });
  }

  it('are put off in their lane by each further wrong proof of one handshake', async () => {
    for (const { wrongs, least, most } of [
      { wrongs: 1, least: 0, most: 0 },
      { wrongs: 9, least: INTERVAL_MS, most: 2 * INTERVAL_MS },
      { wrongs: 100, least: 20_000, most: MINUTE_MS },
    ]) {
      const { clock, open, fail } = world();
      await fail('a');
      await clock.advance(MINUTE_MS);
      const attempt = open('a');
      assert.equal(await attempt.mayGoOn, true);
      for (let n = 0; n < wrongs; n++) attempt.wrong();
      attempt.end();
      assert.equal(await fail('b'), 0, 'not those of others');
      const waitMs = await fail('a');
      assert.ok(waitMs >= least && waitMs <= most, `${wrongs}: ${waitMs}`);
      assert.equal(clock.pending, 0);
    }
  });

  it('are given back when they end without a wrong proof, and are six at once of one lane', async () => {
    const { clock, open } = world();
    const attempts = Array.from({ length: 9 }, () => open('a'));
    await clock.advance(0);
    const through = (): number => attempts.filter((each) => !each.isWaiting).length;
    assert.equal(through(), 6);
    for (const each of attempts.filter(({ isWaiting }) => !isWaiting)) each.end();
    await clock.advance(0);
    assert.equal(through(), 9);
    for (const each of attempts) each.end();
    assert.equal(clock.pending, 0);
  });

  it('forget ten minutes after the last failure who failed', async () => {
    const { clock, fail, open } = world();
    const guess = async (): Promise<void> => {
      for (let n = 0; n < 10; n++) await fail('a');
    };
    await guess();
    const failed = open('a');
    assert.equal(await isWaiting(failed), true);
    failed.end();
    await clock.advance(10 * MINUTE_MS);
    await guess();
    assert.equal(await isWaiting(open('b')), false, 'the lane of those that have not failed is free again');
  });

  it('of many handshakes of one origin are no more than one of another', async () => {
    const { clock, fail, open } = world();
    for (const origin of ['many', 'one']) for (let n = 0; n < 10; n++) await fail(origin);
    let wins = 0;
    for (let n = 0; n < 100; n++) {
      const many = Array.from({ length: 50 }, () => open('many'));
      const one = open('one');
      await clock.advance(INTERVAL_MS / 3 + 1);
      if (!one.isWaiting) {
        one.wrong();
        wins += 1;
      }
      for (const each of [...many, one]) {
        if (!each.isWaiting) each.wrong();
        each.end();
      }
    }
    assert.ok(wins > 30 && wins < 70, `${wins} of 100`);
  });

  it('that end while they wait are told so, and hold up nobody', async () => {
    const { clock, fail, open } = world();
    for (let n = 0; n < 10; n++) await fail('a');
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
  });
});
