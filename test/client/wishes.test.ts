/** What is wanted of a connection, from which state it ever is in: each wish comes true, whatever it meets. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ConnectionOptions } from '../../src/client/connection-options.js';
import type { USMPClient } from '../../src/client/usmp-client.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { FakeClock, settle } from '../support/clock.js';
import { stateOf } from '../support/line.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';

const SECOND = 1000;

function world(options: Partial<ConnectionOptions> = {}) {
  const clock = new FakeClock();
  const gateway = new MemoryGateway(clock);
  const connection = new USMPConnection({ host: 'gateway', psk: PSK, ...options }, gateway.environment);
  return { clock, gateway, connection };
}
type World = ReturnType<typeof world>;

/** How a connection gets into each state, or what is just before it. */
const STATES: Record<string, (world: World) => Promise<void> | void> = {
  idle: () => undefined,
  'just started': ({ connection }) => connection.start(),
  connecting: async ({ gateway, connection }) => {
    gateway.mode = 'unreachable';
    connection.start();
    await settle();
  },
  handshaking: async ({ gateway, connection }) => {
    gateway.mode = 'silent';
    connection.start();
    await settle();
  },
  established: async ({ connection }) => {
    connection.start();
    await settle();
  },
  waiting: async ({ gateway, connection }) => {
    gateway.mode = 'refusing';
    connection.start();
    await settle();
  },
  closing: async ({ connection }) => {
    connection.start();
    await settle();
    void connection.stop();
  },
};

/** A connection in this state; the gateway is there from now on. */
async function worldIn(state: string, protocol: Protocol): Promise<World> {
  const made = world({ protocol });
  await STATES[state]!(made);
  assert.equal(made.connection.state.at, state === 'just started' ? 'connecting' : state);
  made.gateway.mode = 'up';
  return made;
}

/** The one session is there, or none; and when it is stopped, nothing is left of it. */
async function assertEnds({ clock, gateway, connection }: World, isUp: boolean): Promise<void> {
  assert.equal(connection.state.at, isUp ? 'established' : 'idle');
  const alive = gateway.sessions.filter(({ isEstablished }) => isEstablished);
  assert.equal(alive.length, isUp ? 1 : 0);
  const client = connection.client as USMPClient;
  assert.equal(client.connected, isUp, 'and nothing else is open');
  const stopped = connection.stop();
  await clock.advance(60 * SECOND);
  await stopped;
  assert.deepEqual([connection.state.at, client.connected, clock.pending], ['idle', false, 0]);
}

/** Wishes in one turn, of which the last counts. */
const ORDERS = [
  ['stop', 'start'],
  ['start', 'stop'],
  ['stop', 'start', 'stop'],
  ['stop', 'start', 'stop', 'start'],
  ['stop', 'stop', 'connect'],
] as const;

for (const protocol of PROTOCOLS) {
  for (const state of Object.keys(STATES)) {
    describe(`a connection that is ${state}, over ${protocol}`, () => {
      for (const order of ORDERS) {
        it(`does what it is told last: ${order.join(', ')}`, async () => {
          const made = await worldIn(state, protocol);
          for (const wish of order) void made.connection[wish]();
          await made.clock.advance(20 * SECOND);
          await assertEnds(made, order.at(-1) !== 'stop');
        });
      }

      it('is down within a second when it is stopped', async () => {
        const { clock, connection } = await worldIn(state, protocol);
        const stopped = connection.stop();
        await clock.advance(SECOND);
        assert.equal(await stateOf(stopped), 'resolved');
        assert.equal(connection.state.at, 'idle');
      });

      it('connects at once when it is asked to, and says when it is', async () => {
        const { clock, connection } = await worldIn(state, protocol);
        const connected = connection.connect();
        connected.catch(() => undefined);
        // It shares the outcome of an attempt that is under way, here one to no avail.
        const isUnderWay = state === 'connecting' || state === 'handshaking';
        await clock.advance(isUnderWay ? 12 * SECOND : SECOND);
        const outcome = isUnderWay ? /^USMP_(CONNECT_TIMEOUT|NO_ANSWER)$/ : /^resolved$/;
        assert.match(await stateOf(connected), outcome);
        await clock.advance(4 * SECOND);
        assert.equal(connection.state.at, 'established');
        await connection.stop();
      });

      it('tells who waits for a session that it was stopped', async () => {
        const { clock, connection } = await worldIn(state, protocol);
        const connected = connection.connect();
        connected.catch(() => undefined);
        const stopped = connection.stop();
        await clock.advance(SECOND);
        assert.equal(await stateOf(stopped), 'resolved');
        const isThere = state === 'established';
        assert.equal(await stateOf(connected), isThere ? 'resolved' : 'USMP_NOT_CONNECTED');
      });
    });
  }
}

for (const protocol of PROTOCOLS) {
  describe(`a wish from inside a change of state, over ${protocol}`, () => {
    for (const at of ['connecting', 'handshaking', 'established', 'waiting', 'closing', 'idle'] as const) {
      for (const wish of ['stop', 'start', 'connect'] as const) {
        const isUp = wish !== 'stop';
        it(`${wish} in ${at} ends ${isUp ? 'up' : 'down'}`, async () => {
          const made = world({ protocol });
          const { clock, gateway, connection } = made;
          let isMade = false;
          connection.on('state', (state) => {
            if (state.at !== at || isMade) return;
            isMade = true;
            gateway.mode = 'up';
            connection[wish]()?.catch(() => undefined);
          });
          if (at === 'waiting') gateway.mode = 'refusing';
          connection.start();
          await clock.advance(SECOND);
          if (at === 'closing' || at === 'idle') void connection.stop();
          await clock.advance(20 * SECOND);
          assert.ok(isMade);
          await assertEnds(made, isUp);
        });
      }
    }

    it('connect in waiting settles with the attempt that it makes', async () => {
      const made = world({ protocol });
      const { clock, gateway, connection } = made;
      gateway.mode = 'refusing';
      let again: Promise<void> | undefined;
      connection.on('state', ({ at }) => {
        if (at !== 'waiting' || again) return;
        gateway.mode = 'up';
        again = connection.connect();
      });
      await assert.rejects(connection.connect(), { code: 'USMP_CONNECTION_REFUSED' });
      await clock.advance(SECOND);
      await again;
      await assertEnds(made, true);
    });
  });
}

describe('a connection to a gateway that does not read any more', () => {
  for (const protocol of PROTOCOLS) {
    it(`is down within a second of stop, over ${protocol}`, async () => {
      const { clock, gateway, connection } = world({ protocol });
      connection.start();
      await settle();
      gateway.stalled = true;
      gateway.lost = { toGateway: true, toClient: true };
      const outcomes = ['a', 'b'].map((message) => stateOf(connection.send(message)));
      await settle();
      const before = clock.now();
      let downAt = Infinity;
      void connection.stop().then(() => (downAt = clock.now()));
      await clock.advance(2 * SECOND);
      assert.ok(downAt - before <= SECOND, `it took ${downAt - before} ms`);
      assert.deepEqual(await Promise.all(outcomes), ['pending', 'pending']);
      assert.equal(connection.stats.queued, 2);
    });
  }
});
