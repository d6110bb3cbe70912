/** What becomes of messages: nothing accepted is lost, and whoever sent one is told once what became of it. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ConnectionOptions } from '../../src/client/connection-options.js';
import type { SendOptions } from '../../src/delivery/mailbox.js';
import type { Delivery } from '../../src/delivery/message.js';
import type { USMPError } from '../../src/errors.js';
import { FakeClock, settle } from '../support/clock.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';

const SECOND = 1000;

interface Outcome {
  is?: string;
  at?: number;
  error?: USMPError;
  times: number;
}

function world(options: Partial<ConnectionOptions> = {}) {
  const clock = new FakeClock();
  const gateway = new MemoryGateway(clock);
  gateway.onMessage = () => undefined;
  const connection = new USMPConnection(
    { host: 'gateway', psk: PSK, retryJitter: 0, ...options },
    gateway.environment,
  );
  const send = (message: string, options?: Delivery | SendOptions): Outcome => {
    const outcome: Outcome = { times: 0 };
    const settled = (is: string, error?: USMPError): void => {
      outcome.times += 1;
      outcome.at = clock.now();
      outcome.is = is;
      if (error) outcome.error = error;
    };
    connection.send(message, options).then(
      (is) => settled(is),
      (error: unknown) => settled((error as USMPError).code, error as USMPError),
    );
    return outcome;
  };
  return { clock, gateway, connection, send };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);

for (const protocol of ['tcp', 'udp'] as const) {
  describe(`delivery over ${protocol}`, () => {
    it('keeps messages that were sent while there was no session, and delivers them in order', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      const outcomes = numbered(200).map((message) => send(message));
      await settle();
      assert.equal(connection.stats.queued, 200);
      connection.start();
      await clock.advance(2 * SECOND);
      assert.deepEqual(gateway.received, numbered(200));
      assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
      assert.equal(connection.stats.queued, 0);
      await connection.close();
      assert.equal(clock.pending, 0);
    });

    it('tells of a confirmed delivery only when the gateway has taken the message', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      connection.start();
      await settle();
      gateway.lost.toClient = true;
      const confirmed = send('a');
      await clock.advance(5 * SECOND);
      assert.equal(confirmed.times, 0);
      gateway.lost.toClient = false;
      await clock.advance(40 * SECOND);
      assert.equal(confirmed.times, 1);
      assert.equal(confirmed.error, undefined);
      await connection.close();
    });

    it('sends again what was not receipted when a session died, first and in order', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      connection.start();
      await settle();
      gateway.lost.toGateway = true;
      const outcomes = numbered(100).map((message) => send(message));
      await clock.advance(0.01 * SECOND);
      gateway.cut();
      gateway.lost.toGateway = false;
      outcomes.push(send('message 100'));
      await clock.advance(60 * SECOND);
      const unique = gateway.received.filter((message, i, all) => all.indexOf(message) === i);
      assert.deepEqual(unique, numbered(101));
      assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
      await connection.close();
    });

    it('asks for one receipt for messages that are sent together', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      connection.start();
      await settle();
      const sentBefore = gateway.pings;
      const outcomes: Outcome[] = [];
      for (let i = 0; i < 25; i++) {
        for (const message of numbered(20)) outcomes.push(send(message));
        await clock.advance(SECOND / 2);
      }
      await clock.advance(SECOND);
      assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
      assert.equal(gateway.pings - sentBefore, 25);
      await connection.close();
    });

    it('is waited for by stop, which asks for the receipts at once and takes no longer', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      connection.start();
      await settle();
      const outcomes = numbered(10).map((message) => send(message));
      const asked = clock.now();
      let stopped: number | undefined;
      void connection.stop().then(() => (stopped = clock.now()));
      await clock.advance(0);
      assert.ok(
        outcomes.every(({ at, error }) => at === asked && !error),
        'before its BYE',
      );
      assert.deepEqual([stopped, gateway.received.length], [asked, 10]);
      await connection.close();
    });

    it('is waited for by stop for a quarter of a second', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      connection.start();
      await settle();
      gateway.lost.toClient = true;
      const outcome = send('a');
      const stopping = connection.stop();
      await clock.advance(249);
      assert.equal(gateway.sessions[0]!.isEstablished, true, 'no BYE yet');
      await clock.advance(SECOND);
      await stopping;
      assert.equal(outcome.times, 0, 'it waits for the next session');
      gateway.lost.toClient = false;
      connection.start();
      await clock.advance(SECOND);
      assert.deepEqual([outcome.times, outcome.error], [1, undefined]);
      await connection.close();
    });

    it('costs no PING in mode sent', async () => {
      const { clock, gateway, connection, send } = world({ protocol });
      connection.start();
      await settle();
      const before = gateway.pings;
      const outcomes = numbered(50).map((message) => send(message, 'sent'));
      await clock.advance(SECOND);
      assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
      assert.equal(gateway.pings, before);
      await connection.close();
    });

    it('shares one PING among all who ask, and sends at most four a second without a message', async () => {
      const { clock, gateway, connection } = world({ protocol });
      connection.start();
      await settle();
      const before = gateway.pings;
      const together = Promise.all(Array.from({ length: 20 }, () => connection.ping()));
      await clock.advance(0);
      assert.equal((await together).length, 20);
      assert.equal(gateway.pings - before, 1);

      let answered = 0;
      const again = (): void => {
        connection.ping().then(
          () => {
            answered += 1;
            again();
          },
          () => undefined,
        );
      };
      again();
      await clock.advance(10 * SECOND);
      assert.ok(answered >= 36 && answered <= 44, `${answered} PINGs in ten seconds`);
      await connection.close();
      assert.equal(clock.pending, 0);
    });

    it('changes the keys after the configured number of frames, when nothing is under way', async () => {
      const { clock, gateway, connection, send } = world({ protocol, rekeyFrames: 10 });
      gateway.onMessage = (message, session) => void session.send(message);
      connection.start();
      await settle();
      const outcomes = numbered(35).map((message) => send(message));
      await clock.advance(5 * SECOND);
      assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
      assert.deepEqual(gateway.received, numbered(35));
      assert.equal(gateway.rekeys, 3);
      assert.equal(gateway.dials.length, 1, 'the session lived through it');
      await connection.close();
    });

    it('changes the keys after the configured time', async () => {
      const { clock, gateway, connection } = world({ protocol, rekeyAfter: 60 });
      connection.start();
      await clock.advance(185 * SECOND);
      assert.equal(gateway.rekeys, 3);
      assert.equal(gateway.dials.length, 1);
      await Promise.all([connection.stop(), clock.advance(SECOND)]);
      assert.equal(clock.pending, 0, 'no timer goes on without a session');
      await connection.close();
    });
  });
}

describe('the outbox', () => {
  it('refuses what goes beyond its count or its bytes, saying so, and keeps what it has', async () => {
    for (const limits of [{ outboxCount: 3 }, { outboxBytes: 30 }]) {
      const { clock, gateway, connection, send } = world(limits);
      const full: unknown[] = [];
      connection.on('full', (error) => full.push(error));
      const outcomes = numbered(6).map((message) => send(message));
      await settle();
      assert.deepEqual(
        outcomes.map(({ error }) => error?.code),
        [undefined, undefined, undefined, 'USMP_OUTBOX_FULL', 'USMP_OUTBOX_FULL', 'USMP_OUTBOX_FULL'],
      );
      assert.equal(full.length, 1, 'told once until there is room again');
      connection.start();
      await clock.advance(SECOND);
      assert.deepEqual(gateway.received, numbered(3));
      await connection.close();
    }
  });

  it('drops a message that has waited too long, saying so, and sends younger ones', async () => {
    const { clock, gateway, connection, send } = world({ outboxAge: 30 });
    const old = send('old');
    await clock.advance(20 * SECOND);
    const young = send('young');
    await clock.advance(15 * SECOND);
    assert.equal(old.error?.code, 'USMP_EXPIRED');
    assert.equal(old.at, 30 * SECOND);
    connection.start();
    await clock.advance(SECOND);
    assert.deepEqual(gateway.received, ['young']);
    assert.equal(young.times, 1);
    await connection.close();
    assert.equal(clock.pending, 0);
  });

  it('refuses a message that is too long before it is accepted', async () => {
    const { connection, send } = world();
    const outcome = send('x'.repeat(1809));
    await settle();
    assert.equal(outcome.error?.code, 'USMP_MESSAGE_TOO_LONG');
    assert.equal(connection.stats.queued, 0);
  });

  it('is the latest of its key, in the place of the one before, which is told so', async () => {
    const { clock, gateway, connection, send } = world();
    const first = send('20 degrees', { key: 'set-point' });
    const other = send('a reading', 'sent');
    const last = send('21 degrees', { key: 'set-point', delivery: 'sent' });
    await settle();
    assert.deepEqual([first.is, connection.stats.queued, connection.stats.replaced], ['replaced', 2, 1]);
    connection.start();
    await clock.advance(SECOND);
    assert.deepEqual(gateway.received, ['21 degrees', 'a reading']);
    assert.deepEqual(
      [first, other, last].map(({ is, times }) => [is, times]),
      [
        ['replaced', 1],
        ['delivered', 1],
        ['delivered', 1],
      ],
    );
    await connection.close();
  });

  it('waits no longer than it may itself, nor than the outbox allows', async () => {
    const { clock, connection, send } = world({ outboxAge: 10 });
    const [short, long, plain] = [send('short', { maxAge: 1 }), send('long', { maxAge: 60 }), send('plain')];
    await clock.advance(20 * SECOND);
    assert.deepEqual(
      [short, long, plain].map(({ is, at }) => [is, at]),
      [
        ['USMP_EXPIRED', 1 * SECOND],
        ['USMP_EXPIRED', 10 * SECOND],
        ['USMP_EXPIRED', 10 * SECOND],
      ],
    );
    await connection.close();
  });

  for (const { options, field } of [
    { options: 'soon', field: 'delivery' },
    { options: { delivery: 'soon' }, field: 'delivery' },
    { options: { key: '' }, field: 'key' },
    { options: { maxAge: '1' }, field: 'maxAge' },
    { options: 7, field: 'options' },
    { options: null, field: 'options' },
  ]) {
    it(`is refused with ${JSON.stringify(options)}, which names ${field}`, async () => {
      const { connection } = world();
      await assert.rejects(connection.send('x', options as SendOptions), { name: 'ArgumentError', field });
      assert.equal(connection.stats.queued, 0);
    });
  }

  it('is given up when the connection is closed for good: each sender is told once, and no more than is known', async () => {
    const { clock, gateway, connection, send } = world();
    connection.start();
    await settle();
    gateway.lost.toClient = true;
    const outcomes = numbered(100).map((message) => send(message)); // more than may be under way at once
    await clock.advance(SECOND);
    const { underWay } = connection.stats;
    await Promise.all([connection.close(), clock.advance(SECOND)]);
    await settle();
    assert.ok(outcomes.every(({ times, is }) => times === 1 && is === 'USMP_OUTBOX_CLOSED'));
    const left = outcomes.filter(({ error }) =>
      error?.message.startsWith('not confirmed, though it may have'),
    );
    const waited = outcomes.filter(({ error }) => error?.message.startsWith('not sent: '));
    assert.deepEqual([left.length, waited.length], [underWay, 100 - underWay]);
    assert.ok(gateway.received.length > 0 && gateway.received.length <= underWay);
    assert.equal(clock.pending, 0);
  });

  it('takes back what was kept over a restart, before newer messages', async () => {
    const before = world();
    const kept = numbered(3).map((message) => before.send(message));
    before.send('20 degrees', { key: 'set-point', maxAge: 60 });
    before.send('too old', { maxAge: 60 });
    await settle();
    const content = before.connection.undelivered;
    await before.connection.close('kept');
    await settle();
    assert.ok(kept.every(({ times, error }) => times === 1 && !error));

    const { clock, gateway, connection, send } = world();
    const newer = send('newer');
    await settle();
    connection.restore(content);
    const latest = send('21 degrees', { key: 'set-point' });
    await clock.advance(60 * SECOND);
    connection.start();
    await clock.advance(SECOND);
    assert.deepEqual(gateway.received, [...numbered(3), '21 degrees', 'newer']);
    assert.equal(latest.is, 'delivered');
    assert.equal(newer.times, 1);
    await connection.close();
  });

  it('takes back late what was kept, behind what is under way and before what waits', async () => {
    const { clock, gateway, connection, send } = world();
    connection.start();
    await settle();
    const messages = numbered(100); // more than may be under way at once
    const outcomes = messages.map((message) => send(message));
    await Promise.resolve();
    const { underWay } = connection.stats;
    assert.ok(underWay > 0 && underWay < 100);
    connection.restore([{ message: Buffer.from('kept'), delivery: 'confirmed' }]);
    await clock.advance(SECOND);
    assert.deepEqual(gateway.received, messages.toSpliced(underWay, 0, 'kept'));
    assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
    assert.equal(connection.stats.queued, 0);
    await connection.close();
  });

  it('sends at once what it takes back while the session is idle', async () => {
    const { clock, gateway, connection } = world();
    connection.start();
    await settle();
    connection.restore([{ message: Buffer.from('kept'), delivery: 'confirmed' }]);
    await clock.advance(SECOND);
    assert.deepEqual([gateway.received, connection.stats.queued], [['kept'], 0]);
    await connection.close();
  });

  it('gives up messages in time that wait behind others that were taken back', async () => {
    const { clock, connection, send } = world({ outboxAge: 10 });
    const outcome = send('waits');
    await clock.advance(9 * SECOND);
    connection.restore([{ message: Buffer.from('kept'), delivery: 'confirmed' }]);
    await clock.advance(SECOND);
    assert.equal(outcome.error?.code, 'USMP_EXPIRED');
    await connection.close();
  });

  it('takes back as many messages as an outbox may hold', async () => {
    const { connection } = world({ outboxCount: 1_000_000 });
    const message = Buffer.from('kept');
    connection.restore(
      Array.from({ length: 1_000_000 }, () => ({ message, delivery: 'confirmed' as const })),
    );
    assert.equal(connection.stats.queued, 1_000_000);
    await connection.close();
  });

  it('lets what is under way arrive before BYE when the connection is stopped', async () => {
    const { clock, gateway, connection, send } = world();
    connection.start();
    await settle();
    const outcomes = numbered(10).map((message) => send(message));
    const stopped = connection.close();
    await clock.advance(SECOND);
    await stopped;
    assert.deepEqual(gateway.received, numbered(10));
    assert.ok(outcomes.every(({ times, error }) => times === 1 && !error));
    assert.equal(clock.pending, 0);
  });

  it('stays within its bounds when the gateway stops reading', async () => {
    const { clock, gateway, connection, send } = world({ outboxCount: 100 });
    connection.start();
    await settle();
    gateway.stalled = true;
    const outcomes = numbered(500).map((message) => send(message));
    await settle();
    assert.ok(connection.stats.queued <= 100);
    assert.equal(outcomes.filter(({ error }) => error?.code === 'USMP_OUTBOX_FULL').length, 400);
    gateway.stalled = false;
    await clock.advance(60 * SECOND);
    assert.ok(outcomes.every(({ times }) => times === 1));
    assert.deepEqual([...new Set(gateway.received)], numbered(100));
    await connection.close();
  });
});
