/** A server closes within a second, whatever its devices do. Its clock is fake; only what a socket lingers is real. */
import assert from 'node:assert/strict';
import { systemRandom } from '../../src/crypto/random.js';
import type { USMPError } from '../../src/errors.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { ServerSession } from '../../src/server/server-session.js';
import { FakeClock } from '../support/clock.js';
import { HoldingRelay } from '../support/holding-relay.js';
import { stateOf } from '../support/line.js';
import { eventually, useLoopback } from '../support/loopback.js';

/** Sends until the socket takes no more. */
async function fill(session: ServerSession): Promise<void> {
  const message = new Uint8Array(1_808);
  for (;;) {
    const sent = session.send(message);
    sent.catch(() => undefined);
    if ((await stateOf(sent)) === 'pending') return;
  }
}

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} that closes`, () => {
    const loopback = useLoopback();

    async function world() {
      const clock = new FakeClock();
      const server = await loopback.serve({ protocol }, { clock, random: systemRandom });
      const relay = await new HoldingRelay().open(loopback, protocol, server.port!);
      const port = protocol === 'udp' ? relay.port : server.port!;
      const { client, session } = await loopback.pair(server, { protocol, port });
      await client.ping();
      return { clock, server, relay, client, session };
    }

    for (const what of ['server', 'session'] as const) {
      it(`the ${what} does so though a device ${protocol === 'tcp' ? 'reads nothing' : 'acknowledges nothing'}`, async () => {
        const { clock, server, relay, client, session } = await world();
        if (protocol === 'tcp') {
          client.pause();
          await session.send('after which it does not read');
          await fill(session);
        } else {
          relay.hold('client');
          session.send('into the dark').catch(() => undefined);
        }
        const closing = what === 'server' ? server.close() : session.bye();
        await clock.advance(899);
        await closing;
        assert.equal(session.connected, false);
        assert.equal(server.sessions.size, 0);
      });
    }
  });
}

describe('a server over tcp that closes', () => {
  const loopback = useLoopback();

  it('also ends a handshake that is under way', async () => {
    const clock = new FakeClock();
    const server = await loopback.serve({}, { clock, random: systemRandom });
    await loopback.tcpSocket(server.port!);
    assert.ok(await eventually(() => clock.pending > 0));
    await server.close();
    assert.equal(clock.pending, 0);
  });
});

describe('a server that closes with messages for its devices', () => {
  const loopback = useLoopback();
  const IDS = ['a4:cf:12:00:00:01', 'a4:cf:12:00:00:02'] as const;
  const [ID, OTHER] = IDS;
  const told = async (all: Promise<unknown>[]): Promise<string[]> =>
    Promise.all(all.map((each) => each.then(String, (error: unknown) => (error as USMPError).code)));

  it('gives up what waits, and tells whoever sent it once', async () => {
    const server = await loopback.serve();
    const outcomes = told([server.send(ID, 'one'), server.send(OTHER, 'two'), server.send(ID, 'three')]);
    await server.close();
    assert.deepEqual(await outcomes, Array(3).fill('USMP_OUTBOX_CLOSED'));
    assert.deepEqual([server.undelivered, server.devices.size], [[], 0]);
  });

  it('gives up what is sent while it closes, but not what is sent after that', async () => {
    const server = await loopback.serve();
    await loopback.pair(server, { deviceId: ID });
    const closing = server.close();
    const meanwhile = told([server.send(OTHER, 'meanwhile')]);
    await closing;
    assert.deepEqual(await meanwhile, ['USMP_OUTBOX_CLOSED']);
    const next = server.send(ID, 'for the next life');
    await server.listen();
    const { client } = await loopback.pair(server, { deviceId: ID });
    assert.equal((await client.recv()).toString(), 'for the next life');
    assert.equal(await next, 'delivered');
  });

  for (const outcome of [undefined, 'kept'] as const) {
    it(`tells also of what is sent while its sessions end (${outcome ?? 'given up'})`, async () => {
      const server = await loopback.serve();
      const { session } = await loopback.pair(server, { deviceId: ID });
      let sent: Promise<string[]> | undefined;
      session.once('close', () => {
        sent = told([server.send(OTHER, 'at the end')]);
      });
      const kept = await (outcome ? server.close(outcome) : server.close().then(() => undefined));
      assert.deepEqual(server.undelivered, []);
      assert.deepEqual(await sent, [outcome ?? 'USMP_OUTBOX_CLOSED']);
      if (outcome)
        assert.deepEqual(
          kept?.map(({ deviceId }) => deviceId),
          [OTHER],
        );
    });
  }

  it('returns what waits to be kept, which the next one puts back in its order, before all that waits there', async () => {
    const server = await loopback.serve();
    const { client } = await loopback.pair(server, { deviceId: OTHER });
    const outcomes = told([
      server.send(ID, 'one', { key: 'set-point', maxAge: 60 }),
      server.send(ID, 'two', { delivery: 'sent' }),
      server.send(OTHER, 'is here'),
    ]);
    assert.equal((await client.recv()).toString(), 'is here');
    assert.deepEqual(server.undelivered.find(({ deviceId }) => deviceId === ID)?.messages.length, 2);
    const kept = await server.close('kept');
    assert.deepEqual(await outcomes, ['kept', 'kept', 'delivered']);
    assert.deepEqual(kept, [
      {
        deviceId: ID,
        messages: [
          {
            message: new Uint8Array(Buffer.from('one')),
            delivery: 'confirmed',
            key: 'set-point',
            maxAgeMs: 60_000,
          },
          { message: new Uint8Array(Buffer.from('two')), delivery: 'sent' },
        ],
      },
    ]);
    const next = await loopback.serve({ mailboxCount: 1 });
    const later = next.send(ID, 'later');
    next.restore(kept);
    await assert.rejects(next.send(ID, 'too much'), { code: 'USMP_OUTBOX_FULL' });
    const again = await loopback.pair(next, { deviceId: ID });
    for (const text of ['one', 'two', 'later']) assert.equal((await again.client.recv()).toString(), text);
    assert.equal(await later, 'delivered');
  });

  it('checks how it is told to', async () => {
    const server = await loopback.serve();
    await assert.rejects(server.close('thrown away' as 'kept'), { name: 'ArgumentError', field: 'outcome' });
    await (await loopback.pair(server)).client.ping();
  });
});
