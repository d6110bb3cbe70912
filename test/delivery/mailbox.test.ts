/** Messages to one other side, whichever session there is to it: each outcome told once, and never one for another. */
import assert from 'node:assert/strict';
import { Budget } from '../../src/delivery/budget.js';
import { NEVER_REKEY, type Carrier } from '../../src/delivery/courier.js';
import {
  isKeptMessage,
  Mailbox,
  type MailboxSettings,
  type SendOptions,
} from '../../src/delivery/mailbox.js';
import type { KeptMessage } from '../../src/delivery/outbox.js';
import { DEVICE_POLICY, GATEWAY_POLICY } from '../../src/delivery/policy.js';
import { ArgumentError, ConnectionClosedError, USMPError } from '../../src/errors.js';
import { FakeClock, settle } from '../support/clock.js';
import { testCode } from '../support/errors.js';
import { seeded } from '../support/random.js';

interface Asked {
  readonly what: string;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A session whose answers the test gives. */
class FakeCarrier implements Carrier {
  readonly #asked: Asked[] = [];
  withdrawn = 0;

  send(message: Uint8Array): Promise<void> {
    return this.#ask(Buffer.from(message).toString());
  }

  ping(): Promise<void> {
    return this.#ask('PING');
  }

  withdraw(): void {
    this.withdrawn += 1;
  }

  changeKeys(): Promise<void> {
    return this.#ask('REKEY');
  }

  /** What was asked of it since the last call. */
  heard(): Asked[] {
    return this.#asked.splice(0);
  }

  names(): string[] {
    return this.heard().map(({ what }) => what);
  }

  /** Answers all that is asked, until nothing more is. @returns what it was. */
  async answer(): Promise<string[]> {
    const all: string[] = [];
    for (;;) {
      await settle();
      const asked = this.heard();
      if (asked.length === 0) return all;
      for (const { what, resolve } of asked) {
        all.push(what);
        resolve();
      }
    }
  }

  #ask(what: string): Promise<void> {
    return new Promise((resolve, reject) => this.#asked.push({ what, resolve, reject }));
  }
}

function world(settings: Partial<MailboxSettings> = {}) {
  const clock = new FakeClock();
  const changes = { count: 0 };
  const mailbox = new Mailbox(
    {
      limits: { maxCount: 100, maxBytes: 10_000, maxAgeMs: 0 },
      ...{ clock, policy: GATEWAY_POLICY, rekey: NEVER_REKEY, other: 'device' },
      ...settings,
    },
    () => (changes.count += 1),
  );
  const outcomes: string[] = [];
  const send = (text: string, options?: SendOptions): void => {
    mailbox.send(text, options).then(
      (outcome) => outcomes.push(`${text} ${outcome}`),
      (error: unknown) => outcomes.push(`${text} ${(error as USMPError).code}`),
    );
  };
  const told = async (): Promise<string[]> => {
    await settle();
    return outcomes.splice(0);
  };
  return { clock, mailbox, changes, send, told };
}

const kept = (...texts: string[]): KeptMessage[] =>
  texts.map((text) => ({ message: Buffer.from(text), delivery: 'confirmed' }));

describe('a mailbox', () => {
  it('keeps what it accepts while there is no session, and sends it in order over the first one', async () => {
    const { clock, mailbox, send, told } = world();
    for (const text of ['one', 'two']) send(text);
    await settle();
    assert.deepEqual([mailbox.count, mailbox.stats.underWay, clock.pending], [2, 0, 0]);
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    send('three');
    assert.deepEqual(await carrier.answer(), ['one', 'two', 'three', 'PING']);
    assert.deepEqual(await told(), ['one delivered', 'two delivered', 'three delivered']);
    assert.deepEqual([mailbox.count, clock.pending], [0, 0]);
  });

  it('sends again over the next session what the last one did not receipt, and takes nothing from the old one', async () => {
    const { mailbox, send, told } = world();
    const [first, second] = [new FakeCarrier(), new FakeCarrier()];
    mailbox.attach(first);
    for (const text of ['one', 'two']) send(text);
    await settle();
    const [, , ping] = first.heard();
    mailbox.detach();
    send('three');
    mailbox.attach(second);
    ping!.resolve();
    assert.deepEqual(await told(), []);
    assert.deepEqual(await second.answer(), ['one', 'two', 'three', 'PING']);
    assert.deepEqual(await told(), ['one delivered', 'two delivered', 'three delivered']);
    assert.deepEqual(first.names(), []);
  });

  it('goes over to a new session at once, and is not detached from it by the end of the old one', async () => {
    const { mailbox, send, told } = world();
    const [first, second] = [new FakeCarrier(), new FakeCarrier()];
    mailbox.attach(first);
    send('one');
    mailbox.attach(second);
    mailbox.detach(first);
    assert.ok(mailbox.isAttached);
    assert.deepEqual(await second.answer(), ['one', 'PING']);
    assert.deepEqual(await told(), ['one delivered']);
    mailbox.detach(second);
    assert.ok(!mailbox.isAttached);
    mailbox.detach();
  });

  it('has one message under way to a device, whose receipt lets the next one go', async () => {
    const { mailbox, send } = world({ policy: DEVICE_POLICY });
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    for (const text of ['one', 'two']) send(text);
    await settle();
    const [one, ping, ...others] = carrier.heard();
    assert.deepEqual([one?.what, ping?.what, others], ['one', 'PING', []]);
    one!.resolve();
    await settle();
    assert.deepEqual(carrier.names(), [], 'that it arrived is not enough: the sketch has to have taken it');
    ping!.resolve();
    await settle();
    assert.deepEqual(carrier.names(), ['two', 'PING']);
  });

  it('tells of all outcomes, each once: delivered, replaced, expired, full, given up, shut', async () => {
    const { clock, mailbox, send, told } = world({ limits: { maxCount: 4, maxBytes: 100, maxAgeMs: 0 } });
    send('old', { key: 'target' });
    send('expires', { maxAge: 1 });
    send('leaves', { delivery: 'sent' });
    send('stays');
    send('new', { key: 'target' });
    send('too much');
    assert.deepEqual(await told(), ['old replaced', 'too much USMP_OUTBOX_FULL']);
    await clock.advance(1_000);
    assert.deepEqual(await told(), ['expires USMP_EXPIRED']);
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    await settle();
    const [, leaves] = carrier.heard();
    leaves!.resolve();
    assert.deepEqual(await told(), ['leaves delivered']);
    mailbox.close();
    await assert.rejects(mailbox.send('late'), { message: 'not sent: closed here already' });
    send('late');
    assert.deepEqual((await told()).sort(), [
      'late USMP_OUTBOX_CLOSED',
      'new USMP_OUTBOX_CLOSED',
      'stays USMP_OUTBOX_CLOSED',
    ]);
    assert.deepEqual(mailbox.stats, {
      ...{ queued: 0, queuedBytes: 0, underWay: 0, delivered: 1, dropped: 4, replaced: 1 },
    });
    assert.equal(clock.pending, 0);
  });

  it('is put back before what waits, and sends that at once where there is a session', async () => {
    const { mailbox, send } = world();
    send('newer');
    mailbox.restore(kept('a', 'b'));
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    assert.deepEqual(await carrier.answer(), ['a', 'b', 'newer', 'PING']);
    mailbox.restore(kept('c'));
    assert.deepEqual(await carrier.answer(), ['c', 'PING']);
  });

  it('gives what it has kept as restore takes it', async () => {
    const { mailbox, send } = world();
    send('set', { key: 'target', maxAge: 2.5 });
    send('plain', { delivery: 'sent' });
    const another = world();
    another.mailbox.restore(mailbox.content);
    assert.deepEqual(another.mailbox.content, mailbox.content);
    another.send('newer', { key: 'target' });
    await another.clock.advance(60_000);
    assert.deepEqual(
      another.mailbox.content.map(({ message }) => Buffer.from(message).toString()),
      ['newer', 'plain'],
    );
    another.mailbox.restore(mailbox.content.slice(0, 1));
    assert.equal(another.mailbox.count, 2, 'the newer one has its place');
  });

  it('tells of each change of its content', async () => {
    const { mailbox, send, changes } = world();
    send('one');
    await settle();
    assert.equal(changes.count, 1);
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    assert.equal(changes.count, 1);
    await carrier.answer();
    assert.equal(changes.count, 2);
  });

  it('changes the keys of its session, and says so when there is none', async () => {
    const { mailbox } = world();
    await assert.rejects(mailbox.rekey(), { code: 'USMP_NOT_CONNECTED' });
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    const rekeyed = mailbox.rekey();
    assert.deepEqual(await carrier.answer(), ['PING', 'REKEY']);
    await rekeyed;
  });

  it('sends all again that has no receipt when the other side has changed the keys', async () => {
    const { mailbox, send } = world();
    mailbox.keysChanged(); // without a session it means nothing
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    send('one');
    await settle();
    carrier.heard();
    mailbox.keysChanged();
    assert.deepEqual([carrier.names(), carrier.withdrawn], [['one'], 1]);
  });
});

describe('a mailbox that is drained for a stop', () => {
  it('waits for the receipts of what is under way', async () => {
    const { clock, mailbox, send, told } = world();
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    send('one');
    let isDrained = false;
    void mailbox.drain(250).then(() => (isDrained = true));
    await settle();
    assert.equal(isDrained, false);
    assert.deepEqual(await carrier.answer(), ['one', 'PING']);
    assert.deepEqual([isDrained, await told(), clock.pending], [true, ['one delivered'], 0]);
  });

  it('waits no longer than it is told, and not beyond the end of its session', async () => {
    for (const end of ['time', 'session'] as const) {
      const { clock, mailbox, send } = world();
      mailbox.attach(new FakeCarrier());
      send('one');
      let isDrained = false;
      void mailbox.drain(250).then(() => (isDrained = true));
      await clock.advance(249);
      assert.equal(isDrained, false);
      if (end === 'session') mailbox.detach();
      else await clock.advance(1);
      await settle();
      assert.deepEqual([isDrained, mailbox.count, clock.pending], [true, 1, 0], end);
    }
  });

  it('waits for nothing without a session or a message', async () => {
    const { clock, mailbox, send } = world();
    send('one');
    await mailbox.drain(250);
    const other = world();
    other.mailbox.attach(new FakeCarrier());
    await other.mailbox.drain(250);
    assert.deepEqual([clock.pending, other.clock.pending], [0, 0]);
  });
});

describe('a mailbox that comes to its end', () => {
  it('accepts nothing once it is shut, saying why, and delivers what it has', async () => {
    const { mailbox, send, told } = world();
    send('one');
    mailbox.shut(() => new ConnectionClosedError('over', { code: testCode('TEST_SHUT') }));
    mailbox.shut();
    send('two');
    assert.throws(() => mailbox.restore(kept('three')), { code: 'TEST_SHUT' });
    const carrier = new FakeCarrier();
    mailbox.attach(carrier);
    assert.deepEqual(await carrier.answer(), ['one', 'PING']);
    assert.deepEqual((await told()).sort(), ['one delivered', 'two TEST_SHUT']);
  });

  it('tells those who wait that what they sent is kept, where it is', async () => {
    const { mailbox, send, told } = world();
    mailbox.attach(new FakeCarrier());
    send('one');
    mailbox.close('kept');
    mailbox.close();
    assert.deepEqual([await told(), mailbox.count, mailbox.stats.dropped], [['one kept'], 0, 0]);
  });

  it('leaves what it has to another, which sends it at once and tells of it', async () => {
    const old = world();
    const heir = world();
    const [first, second] = [new FakeCarrier(), new FakeCarrier()];
    old.mailbox.attach(first);
    heir.mailbox.attach(second);
    old.send('one');
    old.send('two');
    old.mailbox.handOver(heir.mailbox);
    old.send('late');
    assert.deepEqual(await second.answer(), ['one', 'two', 'PING']);
    heir.send('three');
    assert.deepEqual(await second.answer(), ['three', 'PING']);
    assert.deepEqual(await old.told(), ['late USMP_OUTBOX_CLOSED', 'one delivered', 'two delivered']);
    assert.deepEqual(await heir.told(), ['three delivered']);
    assert.deepEqual([old.mailbox.count, old.mailbox.isAttached, old.clock.pending], [0, false, 0]);
  });

  it('gives up what it has when its heir is shut', async () => {
    const old = world();
    const heir = world();
    heir.mailbox.shut();
    old.send('one');
    old.mailbox.handOver(heir.mailbox);
    assert.deepEqual([await old.told(), heir.mailbox.count], [['one USMP_OUTBOX_CLOSED'], 0]);
  });

  it('moves from one budget to another with what is handed over', async () => {
    const [from, to] = [0, 1].map(() => new Budget({ maxCount: 10, maxBytes: 100 })) as [Budget, Budget];
    const old = world({ budget: from });
    const heir = world({ budget: to });
    old.send('one');
    await settle();
    assert.deepEqual([from.count, from.bytes], [1, 3]);
    old.mailbox.handOver(heir.mailbox);
    assert.deepEqual([from.count, from.bytes, to.count, to.bytes], [0, 0, 1, 3]);
  });
});

describe('the door of a mailbox', () => {
  const bad: { what: string; message: unknown; options: unknown; says: RegExp }[] = [
    { what: 'no message', message: undefined, options: {}, says: /^message: expected a string or bytes/ },
    { what: 'options that are none', message: 'x', options: 'sent', says: /^options: expected an object/ },
    { what: 'null for options', message: 'x', options: null, says: /^options: expected an object/ },
    { what: 'a delivery', message: 'x', options: { delivery: 'soon' }, says: /^delivery: expected one of/ },
    { what: 'an empty key', message: 'x', options: { key: '' }, says: /^key: expected a text of 1 to 256/ },
    { what: 'a long key', message: 'x', options: { key: 'k'.repeat(257) }, says: /^key: .* got text of 257/ },
    { what: 'a number for a key', message: 'x', options: { key: 1 }, says: /^key: .* got number/ },
    { what: 'an age', message: 'x', options: { maxAge: -1 }, says: /^maxAge: expected a number of seconds/ },
    { what: 'an age as text', message: 'x', options: { maxAge: '1' }, says: /^maxAge: expected a number/ },
  ];
  for (const { what, message, options, says } of bad) {
    it(`refuses ${what}, naming the field`, async () => {
      const { mailbox } = world();
      await assert.rejects(mailbox.send(message as string, options as SendOptions), { message: says });
      assert.equal(mailbox.count, 0);
    });
  }

  it('takes what is at its limits', async () => {
    const { mailbox } = world();
    void mailbox.send('x'.repeat(1_808), { key: 'k'.repeat(256), maxAge: 366 * 86_400 });
    await settle();
    assert.equal(mailbox.count, 1);
    await assert.rejects(mailbox.send('x'.repeat(1_809)), { code: 'USMP_MESSAGE_TOO_LONG' });
  });

  for (const each of [
    null,
    { message: 'x' },
    { message: 'x', delivery: 'sent', key: '' },
    { message: 'x', delivery: 'sent', key: 5 },
    { message: 'x', delivery: 'sent', maxAgeMs: NaN },
    { message: 'x', delivery: 'sent', maxAgeMs: '5' },
  ]) {
    it(`does not put back ${JSON.stringify(each)}, nor what comes with it`, () => {
      const { mailbox } = world();
      assert.throws(
        () => mailbox.restore([...kept('sound'), each as unknown as KeptMessage]),
        (error) => error instanceof ArgumentError && error.field === 'kept',
      );
      assert.equal(mailbox.count, 0);
      assert.equal(isKeptMessage(each), false);
    });
  }

  it('says whether it puts back a message', () => {
    const sound = { message: new Uint8Array(1_808), delivery: 'sent' };
    assert.ok(isKeptMessage(sound));
    assert.ok(isKeptMessage({ ...sound, key: 'key', maxAgeMs: 1 }));
    for (const message of [new Uint8Array(1_809), 'text', undefined]) {
      assert.equal(isKeptMessage({ ...sound, message }), false);
    }
  });
});

describe('mailboxes by the thousand', () => {
  it('have no timer while they are empty, nor when all of them had something', async () => {
    const clock = new FakeClock();
    const budget = new Budget({ maxCount: 2_000, maxBytes: 100_000 });
    const settings: MailboxSettings = {
      limits: { maxCount: 10, maxBytes: 1_000, maxAgeMs: 60_000 },
      ...{ clock, policy: DEVICE_POLICY, rekey: NEVER_REKEY, other: 'device' },
      budget,
    };
    const mailboxes = Array.from({ length: 1_000 }, () => new Mailbox(settings));
    assert.equal(clock.pending, 0);
    const outcomes = mailboxes.map((mailbox) => mailbox.send('to all'));
    await settle();
    assert.equal(budget.count, 1_000, 'a message to all is one entry each');
    const carriers = mailboxes.map((mailbox) => {
      const carrier = new FakeCarrier();
      mailbox.attach(carrier);
      return carrier;
    });
    for (const carrier of carriers) for (const { resolve } of carrier.heard()) resolve();
    await settle();
    for (const carrier of carriers) for (const { resolve } of carrier.heard()) resolve();
    assert.ok((await Promise.all(outcomes)).every((outcome) => outcome === 'delivered'));
    assert.deepEqual([budget.count, budget.bytes, clock.pending], [0, 0, 0]);
  });

  it('tell each outcome once and in order, whatever sessions, receipts, keys and ages do', async () => {
    const random = seeded(3);
    const { clock, mailbox } = world({ limits: { maxCount: 12, maxBytes: 10_000, maxAgeMs: 0 } });
    const plain = new Set<string>();
    const taken: string[] = [];
    const outcomes = new Map<string, string[]>();
    let carrier: FakeCarrier | undefined;
    for (let i = 0; i < 3_000; i++) {
      const text = String(i);
      const told: string[] = [];
      outcomes.set(text, told);
      const key = random.below(4) === 0 ? `key ${random.below(3)}` : undefined;
      if (!key) plain.add(text);
      const maxAge = random.below(5) === 0 ? 0.02 : 0;
      mailbox.send(text, { key, maxAge, delivery: random.below(4) === 0 ? 'sent' : 'confirmed' }).then(
        (outcome) => told.push(outcome),
        (error: unknown) => told.push((error as USMPError).code),
      );
      if (random.below(3) === 0) {
        for (const { what, resolve } of carrier?.heard() ?? []) {
          if (what !== 'PING') taken.push(what);
          resolve();
        }
      }
      await clock.advance(random.below(4));
      if (random.below(20) === 0) {
        mailbox.detach();
        carrier = undefined;
      }
      if (!carrier && random.below(5) === 0) mailbox.attach((carrier = new FakeCarrier()));
    }
    mailbox.attach((carrier = new FakeCarrier()));
    taken.push(...(await carrier.answer()));
    await settle();
    assert.deepEqual([mailbox.count, clock.pending], [0, 0]);
    assert.ok([...outcomes.values()].every((told) => told.length === 1));
    const all = (outcome: string): string[] =>
      [...outcomes].filter(([, [told]]) => told === outcome).map(([text]) => text);
    assert.deepEqual(
      all('delivered').filter((text) => !taken.includes(text)),
      [],
    );
    for (const outcome of ['delivered', 'replaced', 'USMP_EXPIRED', 'USMP_OUTBOX_FULL']) {
      assert.ok(all(outcome).length > 10, `${outcome} ${all(outcome).length} times`);
    }
    // One of a key may overtake, in the place of an older one.
    const firsts = [...new Set(taken)].filter((text) => plain.has(text)).map(Number);
    assert.deepEqual(
      firsts,
      firsts.toSorted((a, b) => a - b),
    );
  });
});
