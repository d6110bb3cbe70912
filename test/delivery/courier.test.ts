import assert from 'node:assert/strict';
import { Courier, NEVER_REKEY, type RekeyPolicy } from '../../src/delivery/courier.js';
import { Outbox, type Delivery } from '../../src/delivery/outbox.js';
import { DEVICE_POLICY, GATEWAY_POLICY } from '../../src/delivery/policy.js';
import { ConnectionClosedError, USMPError, USMPTimeoutError } from '../../src/errors.js';
import { FakeClock } from '../support/clock.js';
import { errorOf, testCode } from '../support/errors.js';

interface Asked {
  readonly what: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A courier and a session whose answers the test gives. */
function world(rekey: Partial<RekeyPolicy> = {}, policy = GATEWAY_POLICY) {
  const clock = new FakeClock();
  const limits = { maxCount: 1_000, maxBytes: 2 ** 20, maxAgeMs: 0 };
  const outbox = new Outbox({ limits, clock, other: 'gateway' }, () => undefined);
  const asked: Asked[] = [];
  const delivered: string[] = [];
  let withdrawn = 0;
  const ask = (what: string): Promise<void> =>
    new Promise((resolve, reject) => asked.push({ what, resolve, reject }));
  const start = (): Courier =>
    new Courier(
      outbox,
      {
        send: (message) => ask(Buffer.from(message).toString().slice(0, 9)),
        ping: () => ask('PING'),
        withdraw: () => (withdrawn += 1),
        changeKeys: () => ask('REKEY'),
      },
      { clock, policy, rekey: { ...NEVER_REKEY, ...rekey } },
    );
  const courier = start();
  const add = (text: string, delivery: Delivery = 'confirmed'): void => {
    outbox.add(Buffer.from(text), delivery).then(
      () => delivered.push(text.slice(0, 9)),
      () => undefined,
    );
    courier.pump();
  };
  /** What was asked of the session since the last call. */
  const heard = (): Asked[] => asked.splice(0);
  const names = (): string[] => heard().map(({ what }) => what);
  return { clock, outbox, courier, start, add, heard, names, delivered, withdrawn: () => withdrawn };
}

const many = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe('a courier', () => {
  it('asks for a receipt at once, behind all that was handed in together', async () => {
    const { clock, add, names } = world();
    add('one');
    add('two');
    assert.deepEqual(names(), ['one', 'two']);
    await clock.advance(0);
    assert.deepEqual(names(), ['PING']);
  });

  for (const count of [30, 31, 32, 33, 64]) {
    it(`asks for one receipt for ${count} messages that were handed in together, without waiting`, async () => {
      const { clock, add, heard, delivered } = world();
      for (const text of many(count)) add(text);
      await clock.advance(0);
      const asked = heard();
      assert.deepEqual(asked.map(({ what }) => what).slice(-2), [String(count - 1), 'PING']);
      asked.at(-1)!.resolve();
      await clock.advance(0);
      assert.deepEqual([delivered.length, clock.now(), clock.pending], [count, 0, 0]);
    });
  }

  it('asks for another receipt only when the one before is in, and then at once', async () => {
    const { clock, add, heard, names, delivered } = world();
    add('before');
    await clock.advance(0);
    const ping = heard().at(-1)!;
    for (const text of many(20)) {
      add(text);
      await clock.advance(100);
    }
    assert.deepEqual(names(), many(20), 'however slow the path is');
    ping.resolve();
    await clock.advance(0);
    assert.deepEqual(delivered, ['before']);
    const [next, ...others] = heard();
    assert.deepEqual([next?.what, others], ['PING', []]);
    next!.resolve();
    await clock.advance(0);
    assert.deepEqual([delivered.length, names()], [21, []]);
  });

  it('takes a PONG for the receipt of what was sent before its PING, and of nothing after it', async () => {
    const { clock, outbox, add, heard, delivered } = world();
    add('before');
    await clock.advance(0);
    add('after');
    const ping = heard().find(({ what }) => what === 'PING')!;
    ping.resolve();
    await clock.advance(0);
    assert.deepEqual([delivered, outbox.handed, outbox.count], [['before'], 1, 1]);
    heard()
      .find(({ what }) => what === 'PING')!
      .resolve();
    await clock.advance(0);
    assert.deepEqual(delivered, ['before', 'after']);
  });

  for (const [name, policy, window] of [
    ['a gateway', GATEWAY_POLICY, 64],
    ['a device', DEVICE_POLICY, 1],
  ] as const) {
    it(`has ${window} under way to ${name} at most, and goes on with the receipt`, async () => {
      const { clock, add, heard, names, delivered } = world({}, policy);
      for (const text of many(100)) add(text);
      await clock.advance(0);
      const asked = heard();
      assert.deepEqual(
        asked.map(({ what }) => what),
        [...many(window), 'PING'],
      );
      asked.at(-1)!.resolve();
      await clock.advance(0);
      assert.deepEqual(delivered, many(window));
      assert.deepEqual(names(), [...many(100).slice(window, 2 * window), 'PING']);
    });
  }

  it('takes what a full queue refused back, with all behind it, and tries again after a while', async () => {
    const { clock, outbox, add, heard, names, delivered, withdrawn } = world();
    for (const text of ['one', 'two', 'three']) add(text);
    await clock.advance(0);
    const [one, two, three, ping] = heard();
    const full = new USMPError('full', { code: 'USMP_QUEUE_FULL' });
    one!.resolve();
    two!.reject(full);
    three!.reject(full);
    ping!.reject(full);
    await clock.advance(100);
    add('four');
    await clock.advance(149);
    assert.deepEqual([names(), outbox.handed, withdrawn(), delivered], [[], 0, 1, []]);
    await clock.advance(1);
    const again = heard();
    assert.deepEqual(
      again.map(({ what }) => what),
      ['one', 'two', 'three', 'four', 'PING'],
    );
    again.at(-1)!.resolve();
    await clock.advance(0);
    assert.deepEqual([delivered, clock.pending], [['one', 'two', 'three', 'four'], 0]);
  });

  it('asks again after a while when it was the PING that a full queue refused', async () => {
    const { clock, add, heard, names, withdrawn } = world();
    add('one');
    await clock.advance(0);
    heard()
      .at(-1)!
      .reject(new USMPError('full', { code: 'USMP_QUEUE_FULL' }));
    await clock.advance(249);
    assert.deepEqual([names(), withdrawn()], [[], 0]);
    await clock.advance(1);
    assert.deepEqual(names(), ['PING']);
  });

  it('waits for a while after a PING that was not answered also in a hurry, and asks once then', async () => {
    const { clock, courier, add, heard, names } = world();
    add('one');
    await clock.advance(0);
    heard()
      .at(-1)!
      .reject(new USMPTimeoutError('no PONG', { code: 'USMP_NO_PONG' }));
    await clock.advance(0);
    courier.hurry();
    await clock.advance(249);
    assert.deepEqual(names(), []);
    await clock.advance(10_000);
    assert.deepEqual(names(), ['PING']);
  });

  it('asks for none when nobody wants one', async () => {
    const { clock, outbox, add, heard, names, delivered } = world();
    for (const text of many(40)) add(text, 'sent');
    const sends = heard();
    assert.equal(sends.length, 40);
    sends[1]!.resolve();
    await clock.advance(1_000);
    assert.deepEqual([names(), delivered, outbox.count], [[], ['0', '1'], 38]);
  });

  it('asks for receipts at once when it is told to hurry', async () => {
    const { courier, add, names } = world();
    add('one');
    courier.hurry();
    assert.deepEqual(names(), ['one', 'PING']);
    const other = world();
    other.courier.hurry();
    other.add('one');
    const [, ping] = other.heard();
    assert.equal(ping?.what, 'PING');
    ping.resolve();
    await other.clock.advance(0);
    assert.deepEqual([other.delivered, other.names(), other.clock.pending], [['one'], [], 0]);
  });

  it('asks again when a PING was not answered in time and the session goes on', async () => {
    const { clock, add, heard, names, delivered } = world();
    add('one');
    await clock.advance(0);
    heard()
      .at(-1)!
      .reject(new USMPTimeoutError('no PONG', { code: 'USMP_NO_PONG' }));
    await clock.advance(100);
    add('two');
    await clock.advance(149);
    assert.deepEqual(names(), ['two'], 'not before a while has passed');
    await clock.advance(1);
    const [ping] = heard();
    assert.equal(ping?.what, 'PING');
    ping.resolve();
    await clock.advance(0);
    assert.deepEqual([delivered, names(), clock.pending], [['one', 'two'], [], 0]);
  });

  it('leaves what is under way to the next session when its own ends, in order', async () => {
    const { clock, outbox, courier, start, add, heard, names, delivered } = world();
    for (const text of ['one', 'two', 'three']) add(text);
    await clock.advance(0);
    const [first, , , ping] = heard();
    courier.end();
    const died = new ConnectionClosedError('died');
    ping!.reject(died);
    first!.resolve(); // too late to count
    await clock.advance(1_000);
    assert.deepEqual([names(), delivered, outbox.handed, clock.pending], [[], [], 0, 0]);
    start();
    assert.deepEqual(names(), ['one', 'two', 'three']);
  });

  it('ends without a timer, and asks for nothing that was planned', async () => {
    for (const code of ['USMP_NO_PONG', 'USMP_QUEUE_FULL']) {
      const { clock, courier, add, heard, names } = world();
      add('one');
      await clock.advance(0);
      for (const { reject } of heard()) reject(errorOf(code));
      await clock.advance(0);
      assert.ok(clock.pending > 0, code);
      courier.end();
      assert.equal(clock.pending, 0, code);
      add('two');
      await clock.advance(1_000);
      assert.deepEqual(names(), [], code);
    }
    const { clock, courier, add, names } = world();
    add('one');
    courier.end();
    await clock.advance(0);
    assert.deepEqual(names(), ['one']);
  });

  it('takes no PONG of its session for a receipt once that is over', async () => {
    const { clock, courier, add, heard, delivered } = world();
    add('one');
    await clock.advance(0);
    const ping = heard().at(-1)!;
    courier.end();
    ping.resolve();
    await clock.advance(0);
    assert.deepEqual(delivered, []);
  });

  it('sends all again that has no receipt when the gateway has changed the keys', async () => {
    const { clock, courier, add, heard, names, delivered, withdrawn } = world();
    for (const text of ['one', 'two']) add(text);
    await clock.advance(0);
    const ping = heard().at(-1)!;
    courier.keysChanged();
    assert.deepEqual([names(), withdrawn()], [['one', 'two'], 1]);
    ping.resolve(); // says nothing about what was sealed under the new keys
    await clock.advance(0);
    assert.deepEqual(delivered, []);
    await clock.advance(0);
    heard().at(-1)!.resolve();
    await clock.advance(0);
    assert.deepEqual(delivered, ['one', 'two']);
  });
});

describe('a courier that changes keys', () => {
  /** Answers all that is asked of the session, until nothing more is. */
  async function answer(
    { clock, heard }: ReturnType<typeof world>,
    but: readonly string[] = [],
  ): Promise<string[]> {
    const all: string[] = [];
    for (let asked = heard(); asked.length > 0; asked = heard()) {
      for (const { what, resolve } of asked) {
        all.push(what);
        if (!but.includes(what)) resolve();
      }
      await clock.advance(0);
    }
    return all;
  }

  it('does so after the time that was set, again and again, behind a PING', async () => {
    const it = world({ afterMs: 60_000 });
    await it.clock.advance(59_999);
    assert.deepEqual(it.names(), []);
    for (let round = 0; round < 3; round++) {
      await it.clock.advance(round === 0 ? 1 : 60_000);
      assert.deepEqual(await answer(it), ['PING', 'REKEY']);
    }
    it.courier.end();
    assert.equal(it.clock.pending, 0);
  });

  it('does so after the frames that were set, counted by what each message takes', async () => {
    const it = world({ afterFrames: 5 });
    it.add('');
    it.add('x'.repeat(452));
    it.add('x'.repeat(453));
    assert.ok(!(await answer(it)).includes('REKEY'), 'four frames');
    await it.clock.advance(0);
    await answer(it);
    it.add('fifth');
    assert.deepEqual(await answer(it), ['fifth', 'PING', 'PING', 'REKEY']);
    for (const text of many(4)) it.add(text);
    await it.clock.advance(0);
    assert.ok(!(await answer(it)).includes('REKEY'), 'they count anew');
  });

  it('waits until what is under way has its receipt, and sends nothing more before that', async () => {
    const it = world();
    it.add('one');
    void it.courier.rekey();
    it.add('two');
    const [one, ping] = it.heard();
    assert.deepEqual([one?.what, ping?.what], ['one', 'PING'], 'which it asks for at once');
    ping!.resolve();
    await it.clock.advance(0);
    assert.deepEqual(await answer(it, ['REKEY']), ['PING', 'REKEY']);
    assert.equal(it.outbox.handed, 0);
  });

  it('sends what has waited once it is done, or has failed', async () => {
    for (const fails of [false, true]) {
      const it = world();
      const rekeyed = it.courier.rekey();
      it.add('waits');
      it.heard()[0]!.resolve();
      await it.clock.advance(0);
      const [rekey] = it.heard();
      assert.equal(rekey?.what, 'REKEY');
      const again = it.courier.rekey();
      const error = new ConnectionClosedError('no', { code: testCode('TEST_NO') });
      if (fails) rekey.reject(error);
      else rekey.resolve();
      for (const each of [rekeyed, again]) {
        if (fails) await assert.rejects(each, error);
        else await each;
      }
      assert.deepEqual(it.names(), ['waits', 'PING']);
    }
  });

  it('calls the timer off when the keys change for another reason, and sets it anew', async () => {
    const it = world({ afterMs: 60_000 });
    await it.clock.advance(50_000);
    void it.courier.rekey();
    await answer(it);
    assert.equal(it.clock.pending, 1);
    await it.clock.advance(59_999);
    assert.deepEqual(it.names(), []);
    await it.clock.advance(1);
    assert.deepEqual(await answer(it), ['PING', 'REKEY']);
  });

  it('tells those who asked when the session ends before that', async () => {
    const it = world({ afterMs: 60_000 });
    it.add('under way');
    const rekeyed = it.courier.rekey();
    it.courier.end();
    await assert.rejects(rekeyed, { code: 'USMP_CLOSED' });
    assert.equal(it.clock.pending, 0);
  });

  it('leaves it to the change that is under way to tell when the session ends in it', async () => {
    const it = world();
    const rekeyed = it.courier.rekey();
    it.heard()[0]!.resolve();
    await it.clock.advance(0);
    it.courier.end();
    it.add('is for the next session');
    it.heard()[0]!.resolve(); // by a new session
    await rekeyed;
    assert.deepEqual([it.names(), it.clock.pending], [[], 0]);
  });

  it('counts frames anew when the gateway has changed the keys', async () => {
    const it = world({ afterFrames: 3 });
    it.add('one');
    it.add('two');
    it.courier.keysChanged();
    it.heard();
    await it.clock.advance(0);
    assert.ok(!(await answer(it)).includes('REKEY'));
  });
});
