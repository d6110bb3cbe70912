import assert from 'node:assert/strict';
import { Budget } from '../../src/delivery/budget.js';
import type { Delivery, Extras } from '../../src/delivery/message.js';
import { Outbox, type OutboxLimits } from '../../src/delivery/outbox.js';
import type { USMPError } from '../../src/errors.js';
import { FakeClock, settle } from '../support/clock.js';

const LIMITS: OutboxLimits = { maxCount: 100, maxBytes: 1_000, maxAgeMs: 0 };

/** An outbox, how often it has told of a change, and what became of the messages that were put in. */
function world(limits: Partial<OutboxLimits> = {}, clock = new FakeClock(), budget?: Budget) {
  let changes = 0;
  const settings = { limits: { ...LIMITS, ...limits }, clock, other: 'gateway' as const, budget };
  const outbox = new Outbox(settings, () => (changes += 1));
  const outcomes: string[] = [];
  const add = (text: string, delivery: Delivery = 'confirmed', extras: Extras = {}): void => {
    outbox.add(Buffer.from(text), delivery, extras).then(
      (outcome) => outcomes.push(`${text} ${outcome}`),
      (error: unknown) => outcomes.push(`${text} ${(error as USMPError).code} at ${clock.now()}`),
    );
  };
  const hand = (count: number): number[] => Array.from({ length: count }, () => outbox.hand()!.no);
  const told = async (): Promise<string[]> => {
    await settle();
    return outcomes.splice(0);
  };
  /** How often it has told of a change since the last call. */
  const changed = (): number => {
    const count = changes;
    changes = 0;
    return count;
  };
  const content = (): string[] => outbox.content.map(({ message }) => Buffer.from(message).toString());
  return { clock, outbox, add, hand, told, changed, content };
}

describe('an outbox', () => {
  it('tells of each change of its content, once', async () => {
    const { clock, outbox, add, hand, changed } = world({ maxAgeMs: 1_000 });
    const steps: [string, () => unknown][] = [
      ['a message is put in', () => add('one')],
      ['another is', () => add('two', 'sent')],
      ['one is kept', () => outbox.restore([{ message: Buffer.from('kept'), delivery: 'confirmed' }])],
      [
        'one left',
        () => {
          hand(3);
          outbox.sent(3);
        },
      ],
      ['two arrived', () => outbox.confirm(2)],
      ['the session died', () => outbox.takeBack()],
      ['a last one is put in', () => add('three')],
      ['and waits too long', () => clock.advance(1_000)],
    ];
    for (const [what, step] of steps) {
      await step();
      assert.equal(changed(), 1, what);
    }
    assert.equal(outbox.count, 0);
  });

  it('tells of none when it is given up or kept, so that what was kept elsewhere stays', async () => {
    for (const outcome of ['kept', undefined] as const) {
      const { clock, outbox, add, changed, told } = world({ maxAgeMs: 1_000 });
      add('one');
      add('two');
      changed();
      outbox.close(outcome);
      assert.equal(changed(), 0);
      const code = outcome ?? 'USMP_OUTBOX_CLOSED at 0';
      assert.deepEqual(await told(), [`one ${code}`, `two ${code}`]);
      assert.deepEqual([outbox.delivered, outbox.dropped], [0, outcome === 'kept' ? 0 : 2]);
      assert.deepEqual([outbox.count, outbox.bytes, clock.pending], [0, 0, 0]);
    }
  });

  it('keeps a copy of each message', () => {
    const { outbox, content } = world();
    const buffer = Buffer.from('as it was');
    void outbox.add(buffer, 'confirmed');
    buffer.fill(0);
    assert.deepEqual(content(), ['as it was']);
  });

  for (const { limits, fits, refused } of [
    { limits: { maxCount: 2 }, fits: ['a', 'b'], refused: 'c' },
    { limits: { maxBytes: 10 }, fits: ['12345', '12345'], refused: 'c' },
    { limits: { maxBytes: 10 }, fits: ['12345'], refused: '123456' },
  ]) {
    it(`takes ${fits.join(' and ')} and refuses ${refused} with ${JSON.stringify(limits)}`, async () => {
      const { outbox, add, told, changed } = world(limits);
      for (const text of fits) add(text);
      changed();
      add(refused);
      assert.deepEqual(await told(), [`${refused} USMP_OUTBOX_FULL at 0`]);
      assert.deepEqual([outbox.count, outbox.dropped, changed()], [fits.length, 1, 0]);
      outbox.hand();
      outbox.confirm(1);
      add(refused.slice(0, 5));
      assert.equal(outbox.count, fits.length, 'there is room again');
    });
  }

  it('hands messages out in order, and knows how many are under way', () => {
    const { outbox, add } = world();
    add('one');
    add('two');
    const handed = [outbox.hand(), outbox.hand(), outbox.hand()];
    assert.deepEqual(
      handed.map((each) => each && [each.no, Buffer.from(each.message).toString()]),
      [[1, 'one'], [2, 'two'], undefined],
    );
    assert.deepEqual([outbox.handed, outbox.count, outbox.bytes], [2, 2, 6]);
  });

  it('takes what was handed out up to a number for arrived, and nothing after it', async () => {
    const { outbox, add, hand, told } = world();
    for (const text of ['one', 'two', 'three', 'four']) add(text);
    hand(3);
    outbox.confirm(2);
    assert.deepEqual(await told(), ['one delivered', 'two delivered']);
    assert.deepEqual([outbox.handed, outbox.count, outbox.delivered], [1, 2, 2]);
    outbox.confirm(99);
    assert.deepEqual(await told(), ['three delivered'], 'what is not under way cannot have arrived');
    assert.deepEqual([outbox.handed, outbox.count], [0, 1]);
  });

  it('is not told of a change by a receipt for nothing', () => {
    const { outbox, add, hand, changed } = world();
    add('one');
    hand(1);
    changed();
    outbox.confirm(0);
    assert.deepEqual([changed(), outbox.count], [0, 1]);
  });

  it('takes a receipt for an earlier number for none of what was handed out again', async () => {
    const { outbox, add, hand, told } = world();
    add('one');
    hand(1);
    outbox.takeBack();
    assert.deepEqual(hand(1), [2]);
    outbox.confirm(1);
    assert.deepEqual(await told(), []);
    outbox.sent(1);
    outbox.confirm(2);
    assert.deepEqual(await told(), ['one delivered']);
  });

  it('is done with a message that wants no receipt when it left, wherever it stands', async () => {
    const { outbox, add, hand, told } = world();
    add('one');
    add('two', 'sent');
    add('three', 'sent');
    hand(2);
    outbox.sent(1);
    outbox.sent(2);
    outbox.sent(3); // is not under way
    assert.deepEqual(await told(), ['two delivered']);
    assert.deepEqual([outbox.handed, outbox.count, outbox.bytes, outbox.delivered], [1, 2, 8, 1]);
  });

  it('takes what has left before a message for having left, too, whichever is told first', async () => {
    const { outbox, add, hand, told, content } = world();
    for (const [text, delivery] of [
      ['a', 'sent'],
      ['b', 'confirmed'],
      ['c', 'sent'],
      ['d', 'sent'],
    ] as const) {
      add(text, delivery);
    }
    hand(4);
    outbox.sent(3);
    outbox.takeBack();
    outbox.sent(1);
    assert.deepEqual(await told(), ['a delivered', 'c delivered']);
    assert.deepEqual([content(), outbox.delivered], [['b', 'd'], 2]);
  });

  it('knows the last message under way that wants a receipt', () => {
    const { outbox, add, hand } = world();
    assert.equal(outbox.lastToConfirm, undefined);
    for (const [text, delivery] of [
      ['one', 'sent'],
      ['two', 'confirmed'],
      ['three', 'sent'],
      ['four', 'confirmed'],
    ] as const) {
      add(text, delivery);
    }
    assert.equal(outbox.lastToConfirm, undefined);
    hand(3);
    assert.equal(outbox.lastToConfirm, 2);
    hand(1);
    assert.equal(outbox.lastToConfirm, 4);
  });

  it('puts back what was kept behind what is under way and before what waits, in its order', () => {
    const { outbox, add, hand, content } = world({ maxCount: 3 });
    for (const text of ['one', 'two', 'three']) add(text);
    hand(1);
    const kept = ['a', 'b'].map((text) => ({ message: Buffer.from(text), delivery: 'sent' as const }));
    outbox.restore(kept); // however full it is
    assert.deepEqual(content(), ['one', 'a', 'b', 'two', 'three']);
    assert.deepEqual([outbox.handed, outbox.bytes], [1, 13]);
  });

  it('leaves all that is left to another, with those who wait for it', async () => {
    const old = world({ maxAgeMs: 10_000 });
    for (const text of ['one', 'two']) old.add(text);
    old.hand(1);
    await old.clock.advance(4_000);
    const heir = world({ maxAgeMs: 10_000 }, old.clock);
    heir.add('newer');
    heir.changed();
    old.changed();
    heir.outbox.takeOver(old.outbox.release());
    assert.deepEqual([old.outbox.count, old.outbox.bytes, old.changed()], [0, 0, 0]);
    assert.deepEqual([heir.content(), heir.changed()], [['one', 'two', 'newer'], 1]);
    await heir.clock.advance(6_000);
    assert.deepEqual(
      await old.told(),
      ['one USMP_EXPIRED at 10000', 'two USMP_EXPIRED at 10000'],
      'as old as they are',
    );
    assert.equal(heir.outbox.hand()?.no, 1);
    heir.outbox.confirm(1);
    assert.deepEqual(await heir.told(), ['newer delivered']);
    assert.equal(heir.clock.pending, 0);
  });
});

describe('an outbox whose messages may wait for 10 s', () => {
  const aged = () => world({ maxAgeMs: 10_000 });

  it('gives up each in its time, with one timer', async () => {
    const { clock, outbox, add, told } = aged();
    add('one');
    await clock.advance(3_000);
    add('two');
    add('three');
    assert.equal(clock.pending, 1);
    await clock.advance(6_999);
    assert.deepEqual(await told(), []);
    await clock.advance(1);
    assert.deepEqual(await told(), ['one USMP_EXPIRED at 10000']);
    await clock.advance(3_000);
    assert.deepEqual(await told(), ['two USMP_EXPIRED at 13000', 'three USMP_EXPIRED at 13000']);
    assert.deepEqual([outbox.count, outbox.bytes, outbox.dropped, clock.pending], [0, 0, 3, 0]);
  });

  it('gives up none that is under way, and goes on counting those behind it', async () => {
    const { clock, outbox, add, hand, told, content } = aged();
    for (const text of ['one', 'two', 'three']) add(text);
    hand(2);
    await clock.advance(10_000);
    assert.deepEqual(await told(), ['three USMP_EXPIRED at 10000']);
    assert.deepEqual([content(), outbox.handed, outbox.count, outbox.bytes], [['one', 'two'], 2, 2, 6]);
    assert.equal(clock.pending, 0, 'nothing waits');
    add('four');
    outbox.confirm(1);
    assert.deepEqual([await told(), outbox.handed, content()], [['one delivered'], 1, ['two', 'four']]);
    assert.equal(outbox.hand()?.no, 3);
    outbox.confirm(3);
    assert.deepEqual(await told(), ['two delivered', 'four delivered']);
    assert.deepEqual([outbox.handed, outbox.bytes, clock.pending], [0, 0, 0]);
  });

  it('gives up those whose time was over while they were under way, once the session has died', async () => {
    const { clock, outbox, add, hand, told } = aged();
    add('one');
    hand(1);
    await clock.advance(15_000);
    outbox.takeBack();
    await clock.advance(0);
    assert.deepEqual(await told(), ['one USMP_EXPIRED at 15000']);
  });

  it('says how long it was that they may wait', async () => {
    const { clock, outbox } = aged();
    const expired = assert.rejects(
      outbox.add(Buffer.from('x'), 'sent'),
      /has waited for the gateway for 10 s/,
    );
    await clock.advance(10_000);
    await expired;
  });
});

describe('an outbox whose messages have keys', () => {
  /** Puts in a message with this key; `add` of the world has the others. */
  function keyed(limits: Partial<OutboxLimits> = {}) {
    const it = world(limits);
    const put = (text: string, key: string, extras: Extras = {}): void =>
      it.add(text, 'confirmed', { ...extras, key });
    return { ...it, put };
  }

  it('has the latest take the place of the one that waits, and tells so', async () => {
    const { outbox, add, put, told, content, changed } = keyed();
    put('20 degrees', 'target');
    add('another');
    put('on', 'switch');
    changed();
    put('21.5 degrees', 'target');
    assert.equal(changed(), 1);
    assert.deepEqual(content(), ['21.5 degrees', 'another', 'on']);
    assert.deepEqual([outbox.count, outbox.bytes, outbox.replaced, outbox.dropped], [3, 21, 1, 0]);
    assert.deepEqual(await told(), ['20 degrees replaced']);
    for (let i = 0; i < 3; i++) outbox.hand();
    outbox.confirm(3);
    assert.deepEqual(await told(), ['21.5 degrees delivered', 'another delivered', 'on delivered']);
  });

  it('has it take the last place, too, and the only one', () => {
    const { put, content } = keyed();
    put('a', 'key');
    put('b', 'key');
    assert.deepEqual(content(), ['b']);
    put('x', 'other');
    put('y', 'other');
    assert.deepEqual(content(), ['b', 'y']);
  });

  it('has it queue behind the others when the older one is under way', async () => {
    const { outbox, add, put, hand, told, content } = keyed();
    put('old', 'key');
    add('another');
    hand(1);
    put('new', 'key');
    assert.deepEqual(content(), ['old', 'another', 'new']);
    put('newer', 'key');
    assert.deepEqual([content(), await told()], [['old', 'another', 'newer'], ['new replaced']]);
    outbox.confirm(1);
    assert.deepEqual(await told(), ['old delivered']);
  });

  it('has the latest take the place of those that were under way when the session died', async () => {
    const { outbox, add, put, hand, told, content } = keyed();
    put('1', 'key');
    add('a');
    put('x', 'other');
    hand(3);
    put('2', 'key');
    hand(1);
    put('3', 'key');
    outbox.takeBack();
    assert.deepEqual(content(), ['3', 'a', 'x']);
    assert.deepEqual((await told()).sort(), ['1 replaced', '2 replaced']);
    assert.deepEqual([outbox.handed, outbox.count, outbox.bytes, outbox.lastToConfirm], [0, 3, 3, undefined]);
    hand(3);
    outbox.confirm(99);
    assert.deepEqual(await told(), ['3 delivered', 'a delivered', 'x delivered']);
  });

  it('has one that waits take the place of one that was kept, or is taken over', async () => {
    const { outbox, put, told, content } = keyed();
    put('new', 'key');
    put('alone', 'other');
    const message = (text: string, key?: string) => ({
      message: Buffer.from(text),
      delivery: 'sent' as const,
      key,
    });
    outbox.restore([
      message('first'),
      message('old', 'key'),
      message('older twin', 'k'),
      message('twin', 'k'),
    ]);
    assert.deepEqual(content(), ['first', 'new', 'twin', 'alone']);
    assert.deepEqual([outbox.count, outbox.bytes, outbox.replaced], [4, 17, 2]);
    const before = keyed();
    before.put('oldest', 'key');
    before.add('late');
    outbox.takeOver(before.outbox.release());
    assert.deepEqual(content(), ['new', 'late', 'first', 'twin', 'alone']);
    assert.deepEqual([await before.told(), await told()], [['oldest replaced'], []]);
  });

  it('keeps a key over a restart, and an age', () => {
    const { outbox, add, put } = keyed();
    put('a', 'key', { maxAgeMs: 5_000 });
    add('b');
    assert.deepEqual(outbox.content, [
      { message: Uint8Array.from([97]), delivery: 'confirmed', key: 'key', maxAgeMs: 5_000 },
      { message: Uint8Array.from([98]), delivery: 'confirmed' },
    ]);
  });

  it('takes a newer one however full it is, if it is not longer than there is room', async () => {
    const { put, told, content } = keyed({ maxCount: 1, maxBytes: 5 });
    put('123', 'key');
    put('12345', 'key');
    put('123456', 'key');
    assert.deepEqual(await told(), ['123 replaced', '123456 USMP_OUTBOX_FULL at 0']);
    assert.deepEqual(content(), ['12345'], 'and the older one stays');
  });

  it('forgets a key with its message, however that left', async () => {
    const { clock, outbox, put, told, content } = keyed();
    put('expires', 'a', { maxAgeMs: 1_000 });
    await clock.advance(1_000);
    put('goes', 'b');
    outbox.hand();
    outbox.confirm(1);
    put('given up', 'c');
    outbox.close('kept');
    for (const key of ['a', 'b', 'c']) put(key, key);
    assert.deepEqual(content(), ['a', 'b', 'c']);
    assert.deepEqual(await told(), ['expires USMP_EXPIRED at 1000', 'goes delivered', 'given up kept']);
  });
});

describe('an outbox whose messages have ages of their own', () => {
  it('gives up each in its own time, a younger one before an older one, with one timer', async () => {
    const { clock, add, told } = world();
    add('ever');
    add('long', 'sent', { maxAgeMs: 9_000 });
    add('short', 'sent', { maxAgeMs: 1_000 });
    add('medium', 'sent', { maxAgeMs: 5_000 });
    assert.equal(clock.pending, 1);
    await clock.advance(60_000);
    assert.deepEqual(await told(), [
      'short USMP_EXPIRED at 1000',
      'medium USMP_EXPIRED at 5000',
      'long USMP_EXPIRED at 9000',
    ]);
    assert.equal(clock.pending, 0);
  });

  it('lets none wait longer than the outbox allows', async () => {
    const { clock, add, told } = world({ maxAgeMs: 3_000 });
    add('longer', 'sent', { maxAgeMs: 9_000 });
    add('shorter', 'sent', { maxAgeMs: 500 });
    add('as it is', 'sent', { maxAgeMs: 0 });
    await clock.advance(60_000);
    assert.deepEqual(await told(), [
      'shorter USMP_EXPIRED at 500',
      'longer USMP_EXPIRED at 3000',
      'as it is USMP_EXPIRED at 3000',
    ]);
  });

  it('says how long it was that it might wait', async () => {
    const { clock, outbox } = world();
    const expired = assert.rejects(outbox.add(Buffer.from('x'), 'sent', { maxAgeMs: 1_500 }), /for 1\.5 s,/);
    await clock.advance(1_500);
    await expired;
  });

  it('begins anew with the message that takes the place of an older one', async () => {
    const { clock, add, told } = world();
    add('old', 'sent', { key: 'key', maxAgeMs: 1_000 });
    await clock.advance(600);
    add('new', 'sent', { key: 'key', maxAgeMs: 1_000 });
    await clock.advance(60_000);
    assert.deepEqual(await told(), ['old replaced', 'new USMP_EXPIRED at 1600']);
  });

  it('hands out none that is too old, though its timer is late', async () => {
    const { clock, outbox, add, told } = world();
    for (const text of ['one', 'two']) add(text, 'sent', { maxAgeMs: 1_000 });
    add('three');
    clock.work(1_000);
    assert.equal(Buffer.from(outbox.hand()!.message).toString(), 'three');
    assert.deepEqual(await told(), ['one USMP_EXPIRED at 1000', 'two USMP_EXPIRED at 1000']);
    assert.deepEqual([outbox.count, outbox.handed, clock.pending], [1, 1, 0]);
  });

  it('has no timer when none that waits can be too old', async () => {
    const { clock, outbox, add } = world();
    add('under way', 'confirmed', { maxAgeMs: 1_000 });
    outbox.hand();
    add('ever');
    assert.equal(clock.pending, 0);
    outbox.takeBack();
    assert.equal(clock.pending, 1);
    await clock.advance(1_000);
    assert.deepEqual([outbox.count, clock.pending], [1, 0]);
  });
});

describe('what is said of a message that is given up', () => {
  /** What whoever sent it is told, when the outbox ends one way or the other. */
  async function saysOf(outbox: Outbox, end: () => unknown): Promise<string> {
    let text = '';
    outbox.add(Buffer.from('x'), 'confirmed').catch((error: unknown) => (text = (error as Error).message));
    await end();
    await settle();
    return text;
  }
  const taken = (outbox: Outbox): void => {
    outbox.hand();
    outbox.takeBack();
  };

  it('is that it was not sent, when it was not', async () => {
    const { clock, outbox } = world({ maxAgeMs: 1_000 });
    assert.match(
      await saysOf(outbox, () => clock.advance(1_000)),
      /^not sent: .* waited for the gateway for 1 s/,
    );
    assert.match(
      await saysOf(outbox, () => outbox.close()),
      /^not sent: closed here before the gateway was known to have the message$/,
    );
  });

  it('is that it may have arrived, once a session had it', async () => {
    const { clock, outbox } = world({ maxAgeMs: 1_000 });
    const expires = (): Promise<void> => {
      taken(outbox);
      return clock.advance(1_000);
    };
    assert.match(await saysOf(outbox, expires), /^not confirmed, though it may have arrived: .* for 1 s/);
    const ends: Record<string, () => void> = {
      'while it is under way': () => outbox.hand(),
      'when the session is over': () => taken(outbox),
      'after another outbox took it over': () => {
        taken(outbox);
        const heir = world().outbox;
        heir.takeOver(outbox.release());
        heir.close();
      },
    };
    for (const [when, begin] of Object.entries(ends)) {
      const end = (): void => {
        begin();
        outbox.close();
      };
      assert.match(
        await saysOf(outbox, end),
        /^not confirmed, though it may have arrived: closed here/,
        when,
      );
    }
  });
});

describe('outboxes that share a budget', () => {
  it('hold no more together than it allows, and have room again when one of them has', async () => {
    const budget = new Budget({ maxCount: 3, maxBytes: 10 });
    const [one, two] = [world({}, new FakeClock(), budget), world({}, new FakeClock(), budget)];
    one.add('1234');
    two.add('1234');
    two.add('123'); // too many bytes
    two.add('1');
    one.add(''); // too many
    assert.deepEqual(await two.told(), ['123 USMP_OUTBOX_FULL at 0']);
    assert.deepEqual(await one.told(), [' USMP_OUTBOX_FULL at 0']);
    assert.deepEqual([budget.count, budget.bytes, one.outbox.count, two.outbox.count], [3, 9, 1, 2]);
    one.outbox.close('kept');
    assert.deepEqual([budget.count, budget.bytes], [2, 5]);
    two.add('12345');
    assert.equal(two.outbox.count, 3);
  });

  it('say that it is all together that is too much', async () => {
    const budget = new Budget({ maxCount: 1, maxBytes: 10 });
    const [one, two] = [world({}, new FakeClock(), budget), world({}, new FakeClock(), budget)];
    one.add('a');
    await assert.rejects(two.outbox.add(Buffer.from('b'), 'sent'), /1 messages .* for all gateways together/);
  });

  it('draw on it for what they take over, however much that is, and for what is replaced no more', () => {
    const budget = new Budget({ maxCount: 2, maxBytes: 10 });
    const { outbox, add } = world({}, new FakeClock(), budget);
    const kept = ['a', 'b', 'c'].map((text) => ({
      message: Buffer.from(text),
      delivery: 'sent' as const,
      key: text,
    }));
    outbox.restore(kept);
    assert.deepEqual([budget.count, budget.bytes], [3, 3]);
    add('long', 'sent', { key: 'b' });
    assert.deepEqual([budget.count, budget.bytes], [3, 6]);
    outbox.restore(kept.slice(0, 2));
    assert.deepEqual([budget.count, budget.bytes, outbox.bytes], [3, 6, 6]);
    for (let i = 0; i < 3; i++) outbox.hand();
    outbox.sent(3);
    assert.deepEqual([budget.count, budget.bytes], [0, 0]);
  });
});
