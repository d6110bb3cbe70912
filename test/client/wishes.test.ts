/** What is wanted of a connection, from which state it ever is in: each wish comes true, whatever it meets. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ConnectionOptions } from '../../src/client/connection-options.js';
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

/** How a connection gets into each state. */
const STATES: Record<string, (world: World) => void> = {
  idle: () => undefined,
  connecting: ({ gateway, connection }) => {
    gateway.mode = 'unreachable';
    connection.start();
  },
  handshaking: ({ gateway, connection }) => {
    gateway.mode = 'silent';
    connection.start();
  },
  established: ({ connection }) => connection.start(),
  waiting: ({ gateway, connection }) => {
    gateway.mode = 'refusing';
    connection.start();
  },
  closing: ({ connection }) => connection.start(),
};

/** A connection in this state; the gateway is there from now on. */
async function worldIn(state: string, protocol: Protocol): Promise<World> {
  const made = world({ protocol });
  STATES[state]!(made);
  await settle();
  if (state === 'closing') void made.connection.stop();
  assert.equal(made.connection.state.at, state);
  made.gateway.mode = 'up';
  return made;
}

for (const protocol of PROTOCOLS) {
  for (const state of Object.keys(STATES)) {
    describe(`a connection that is ${state}, over ${protocol}`, () => {
      const orders = [
        ['stop', 'start'],
        ['start', 'stop'],
        ['stop', 'start', 'stop'],
        ['stop', 'start', 'stop', 'start'],
      ] as const;
      for (const order of orders) {
        it(`does what it is told last: ${order.join(', ')}`, async () => {
          const { clock, gateway, connection } = await worldIn(state, protocol);
          for (const wish of order) void connection[wish]();
          await clock.advance(12 * SECOND);
          const isUp = order.at(-1) === 'start';
          assert.equal(connection.state.at, isUp ? 'established' : 'idle');
          const alive = gateway.sessions.filter(({ isEstablished }) => isEstablished);
          assert.equal(alive.length, isUp ? 1 : 0);
          await connection.stop();
          assert.equal(clock.pending, 0, 'no timer is left');
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
