import assert from 'node:assert/strict';
import { Outbox, type Delivery, type OutboxLimits } from '../../src/delivery/outbox.js';
import { USMPError } from '../../src/errors.js';
import { FakeClock, settle } from '../support/clock.js';
import { testCode } from '../support/errors.js';

const LIMITS: OutboxLimits = { maxCount: 100, maxBytes: 1_000, maxAgeMs: 0 };

/** An outbox, how often it has told of a change, and what became of the messages that were put in. */
function world(limits: Partial<OutboxLimits> = {}, clock = new FakeClock()) {
  let changes = 0;
  const outbox = new Outbox({ ...LIMITS, ...limits }, clock, () => (changes += 1));
  const outcomes: string[] = [];
  const add = (text: string, delivery: Delivery = 'confirmed'): void => {
    outbox.add(Buffer.from(text), delivery).then(
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
    for (const outcome of ['kept', new USMPError('closed', { code: testCode('TEST_CLOSED') })] as const) {
      const { clock, outbox, add, changed, told } = world({ maxAgeMs: 1_000 });
      add('one');
      add('two');
      changed();
      outbox.close(outcome);
      assert.equal(changed(), 0);
      const code = outcome === 'kept' ? 'kept' : 'TEST_CLOSED at 0';
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
