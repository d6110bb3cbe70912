/** A close takes less than a second, whatever the other side does, and whatever is under way. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { FakeClock } from '../support/clock.js';
import { lingering } from '../support/lingering.js';
import { Line } from '../support/line.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';

const SECOND = 1_000;

function world(protocol: Protocol) {
  const clock = new FakeClock();
  const gateway = new MemoryGateway(clock);
  gateway.onMessage = () => undefined;
  const environment = lingering(gateway.environment);
  return { clock, gateway, environment, settings: { host: 'gateway', psk: PSK, protocol } };
}

/** The milliseconds that it takes, of a second. */
async function timeOf(clock: FakeClock, closing: Promise<unknown>): Promise<number> {
  const from = clock.now();
  let at = Infinity;
  void closing.then(() => (at = clock.now()));
  while (at === Infinity && clock.now() < from + 10 * SECOND) await clock.advance(10);
  await clock.advance(10 * SECOND);
  return at - from;
}

type World = ReturnType<typeof world>;

/** What the gateway does wrong from now on. */
const FAULTS: Record<string, { over: readonly Protocol[]; begin: (world: World) => void }> = {
  'does nothing wrong': { over: PROTOCOLS, begin: () => undefined },
  'does not read': { over: ['tcp'], begin: ({ gateway }) => (gateway.stalled = true) },
  'never acknowledges': { over: ['udp'], begin: ({ gateway }) => (gateway.lost.toClient = true) },
  'is gone': {
    over: PROTOCOLS,
    begin: ({ gateway }) => (gateway.lost = { toGateway: true, toClient: true }),
  },
};

for (const protocol of PROTOCOLS) {
  for (const [fault, { over, begin }] of Object.entries(FAULTS)) {
    if (!over.includes(protocol)) continue;
    describe(`closing over ${protocol} with a gateway that ${fault}, and a socket that lingers`, () => {
      const clients: Record<string, (client: USMPClient, world: World) => Promise<void> | void> = {
        'that has nothing to send': () => undefined,
        'that has messages to send': (client) => {
          for (let i = 0; i < 100; i++) client.send(String(i)).catch(() => undefined);
        },
        'that waits for a PONG': (client) => void client.ping().catch(() => undefined),
        'that has changed its keys': (client) => void client.rekey().catch(() => undefined),
        'that takes nothing in': (client, { gateway }) => {
          client.pause();
          for (let i = 0; i < 100; i++) gateway.sessions[0]!.send(Buffer.from('x')).catch(() => undefined);
        },
        'that is being closed already': (client) => void client.disconnect(),
      };
      for (const [what, prepare] of Object.entries(clients)) {
        it(`a client ${what} takes less than a second`, async () => {
          const it = world(protocol);
          const { clock, environment, settings } = it;
          const client = new USMPClient(settings, environment);
          await Promise.all([client.connect(), clock.advance(100)]);
          begin(it);
          await prepare(client, it);
          await clock.advance(1);
          const ms = await timeOf(clock, client.disconnect());
          assert.ok(ms < SECOND, `${ms} ms`);
          await clock.advance(60 * SECOND);
          assert.equal(clock.pending, 0);
        });
      }

      for (const [what, messages, rekeys] of [
        ['with nothing in its outbox', 0, false],
        ['with messages under way', 200, false],
        ['that changes its keys', 1, true],
      ] as const) {
        it(`a connection ${what} takes less than a second`, async () => {
          const it = world(protocol);
          const { clock, environment, settings } = it;
          const connection = new USMPConnection(settings, environment);
          connection.start();
          await clock.advance(100);
          begin(it);
          if (rekeys) connection.rekey().catch(() => undefined);
          await clock.advance(1);
          for (let i = 0; i < messages; i++) connection.send(String(i)).catch(() => undefined);
          const ms = await timeOf(clock, connection.stop());
          assert.ok(ms < SECOND, `${ms} ms`);
          assert.equal(connection.state.at, 'idle');
          await connection.close();
          await clock.advance(60 * SECOND);
          assert.equal(clock.pending, 0);
        });
      }
    });
  }

  describe(`closing over ${protocol} before there is a session`, () => {
    for (const mode of ['unreachable', 'silent', 'refusing'] as const) {
      it(`takes less than a second when the gateway is ${mode}`, async () => {
        const { clock, gateway, environment, settings } = world(protocol);
        gateway.mode = mode;
        const client = new USMPClient(settings, environment);
        const connection = new USMPConnection(settings, environment);
        const connecting = client.connect().catch(() => undefined);
        connection.start();
        await clock.advance(500);
        for (const closing of [client.disconnect(), connection.stop()]) {
          const ms = await timeOf(clock, closing);
          assert.ok(ms < SECOND, `${ms} ms`);
        }
        await connecting;
        assert.equal(clock.pending, 0);
      });
    }
  });

  describe(`closing a channel over ${protocol}`, () => {
    it('has its time and no more, also when something comes in every turn', async () => {
      const line = await new Line({ protocol }).establish();
      line.clientEnd.full = protocol === 'tcp';
      line.clientEnd.lost = true;
      line.client.send(Buffer.from('fills the socket')).catch(() => undefined);
      line.client.send(Buffer.from('waits')).catch(() => undefined);
      let isClosed = false;
      const flood = (): void => {
        if (isClosed) return;
        line.server.send(Buffer.from('more')).catch(() => undefined);
        setImmediate(flood);
      };
      flood();
      const closing = line.client.close(900).then(() => (isClosed = true));
      await line.clock.advance(799);
      assert.equal(isClosed, false);
      await line.clock.advance(1);
      assert.equal(isClosed, true);
      await closing;
      const other = line.server.close(0);
      await line.clock.advance(SECOND);
      await other;
      assert.equal(line.clock.pending, 0);
    });
  });
}
