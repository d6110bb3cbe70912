/** As test/client/every-state.test.ts, for a server and its sessions, over real sockets and with a fake clock. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { inspect } from 'node:util';
import type { USMPClient } from '../../src/client/usmp-client.js';
import { systemRandom } from '../../src/crypto/random.js';
import { ConnectionClosedError } from '../../src/errors.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import type { ServerSession } from '../../src/server/server-session.js';
import { USMPServer } from '../../src/server/usmp-server.js';
import { assertSettled, make, type Made } from '../support/calls.js';
import { FakeClock } from '../support/clock.js';
import { HoldingRelay } from '../support/holding-relay.js';
import { eventually, HOST, PSK, useLoopback, type Loopback } from '../support/loopback.js';

const DEVICE = 'a4:cf:12:00:00:01';
/** Longer than any time that something is waited for. */
const LONG = 120_000;

interface World {
  readonly clock: FakeClock;
  readonly server: USMPServer;
  readonly protocol: Protocol;
  readonly loopback: Loopback;
}

function world(
  loopback: Loopback,
  protocol: Protocol,
  options: { host?: string; port?: number } = {},
): World {
  const clock = new FakeClock();
  const environment = { clock, random: systemRandom };
  const server = new USMPServer({ psk: PSK, host: HOST, port: 0, protocol, ...options }, environment);
  loopback.after(async () => {
    const closed = server.close();
    await clock.advance(LONG);
    await closed;
    assert.equal(clock.pending, 0);
  });
  return { clock, server, protocol, loopback };
}

const isSettled = ({ outcome }: Made): boolean => outcome !== undefined;

/** It settles while the clock goes on, whatever real sockets take. */
async function settle({ clock }: World, made: Made): Promise<void> {
  await clock.advance(LONG);
  await eventually(() => isSettled(made));
}

const SERVER: Record<string, (server: USMPServer) => unknown> = {
  listen: (server) => server.listen(),
  close: (server) => server.close(),
  'listen, close': (server) => Promise.all([server.listen(), server.close()]),
  'close, listen': (server) => Promise.all([server.close(), server.listen()]),
  properties: (server) => [server.port, server.sessions],
  inspect: (server) => inspect(server),
};

const SERVER_STATES: Record<string, (world: World) => unknown> = {
  'never started': () => undefined,
  starting: ({ server }) => void server.listen(),
  listening: ({ server }) => server.listen(),
  'listening with a session': async ({ server, loopback, protocol }) => {
    await server.listen();
    await loopback.pair(server, { protocol });
  },
  closing: async ({ server }) => {
    await server.listen();
    void server.close();
  },
  closed: async ({ server }) => {
    await server.listen();
    await server.close();
  },
};

const SESSION: Record<string, (session: ServerSession) => unknown> = {
  send: (session) => session.send('message'),
  'send of nothing': (session) => session.send(undefined as unknown as string),
  'send of too much': (session) => session.send('x'.repeat(1_809)),
  recv: (session) => session.recv(),
  'recv with a timeout': (session) => session.recv({ timeout: 1 }),
  'async iteration': async (session) => {
    for await (const message of session) if (message.length > 10_000) break;
  },
  ping: (session) => session.ping(),
  rekey: (session) => session.rekey(),
  pause: (session) => session.pause(),
  resume: (session) => session.resume(),
  bye: (session) => session.bye(),
  abort: (session) =>
    session.abort(new ConnectionClosedError('aborted by the test', { code: 'USMP_REPLACED' })),
  properties: (session) => [session.connected, session.deviceId, session.sessionId, session.remotePort],
  inspect: (session) => inspect(session),
};

/** What waits for a message as long as there may be one. */
const WAITS = new Set(['recv', 'recv with a timeout', 'async iteration']);
/** States in which the device answers. */
const ANSWERED = new Set(['established', 'replaced by a new one']);

interface Pair {
  readonly client: USMPClient;
  readonly session: ServerSession;
  readonly relay: HoldingRelay;
}

/** What an error says in any of them: the call's own fault, or what ended the session. */
const ALWAYS =
  /^message: |a message of 1809 bytes|no message within|session was closed|aborted by the test|device is silent/;

const SESSION_STATES: Record<string, { enter: (world: World, pair: Pair) => unknown; says: RegExp }> = {
  established: { enter: () => undefined, says: ALWAYS },
  paused: { enter: (_world, { session }) => session.pause(), says: /PING was not answered/ },
  'with a device that does not answer': {
    enter: (_world, { relay }) => relay.hold('client'),
    says: /PING was not answered within 10000 ms|no longer acknowledges|device is silent|new keys|closed/,
  },
  closing: {
    enter: (_world, { relay, session }) => {
      relay.hold('client');
      if (session.protocol === 'udp') void session.bye();
    },
    says: /being closed|session was closed|PING was not answered|device is silent/,
  },
  'closed from here': { enter: (_world, { session }) => session.bye(), says: /session was closed/ },
  aborted: {
    enter: (_world, { session }) => session.abort(new ConnectionClosedError('aborted before')),
    says: /aborted before/,
  },
  'ended by its device': {
    enter: async (_world, { client, session }) => {
      const closed = once(session, 'close');
      await client.disconnect();
      await closed;
    },
    says: /BYE/,
  },
  'timed out': {
    enter: async ({ clock }, { relay }) => {
      relay.hold('client');
      await clock.advance(61_000);
    },
    says: /device is silent/,
  },
  'replaced by a new one': {
    enter: async ({ server, loopback, protocol }) => {
      await loopback.pair(server, { protocol, deviceId: DEVICE });
    },
    says: /the device opened a new session/,
  },
};

for (const protocol of PROTOCOLS) {
  for (const [state, enter] of Object.entries(SERVER_STATES)) {
    describe(`a server over ${protocol}, ${state}`, () => {
      const loopback = useLoopback();
      for (const [method, call] of Object.entries(SERVER)) {
        it(`settles ${method}`, async () => {
          const w = world(loopback, protocol);
          await enter(w);
          const made = make(() => call(w.server));
          await settle(w, made);
          assertSettled(made, method, /nothing to object/);
        });
      }
    });
  }

  describe(`a server over ${protocol} whose port is taken`, () => {
    const loopback = useLoopback();
    for (const [method, call] of Object.entries(SERVER)) {
      it(`settles ${method}`, async () => {
        const { port } = await loopback.serve({ protocol });
        const w = world(loopback, protocol, { port: port! });
        await assert.rejects(w.server.listen(), { code: 'USMP_PORT_IN_USE' });
        const made = make(() => call(w.server));
        await settle(w, made);
        assertSettled(made, method, /is taken by another program/);
      });
    }
  });

  for (const [state, { enter, says }] of Object.entries(SESSION_STATES)) {
    describe(`a session of a server over ${protocol}, ${state}`, () => {
      const loopback = useLoopback();

      for (const [method, call] of Object.entries(SESSION)) {
        it(`settles ${method}`, async () => {
          const w = world(loopback, protocol);
          await w.server.listen();
          const relay = await new HoldingRelay().open(loopback, protocol, w.server.port!);
          const { client, session } = await loopback.pair(w.server, {
            ...{ protocol, port: relay.port, deviceId: DEVICE },
          });
          await client.ping();
          await session.ping();
          await enter(w, { client, session, relay });
          const made = make(() => call(session));
          // What the device answers comes first; then time passes.
          if (ANSWERED.has(state) && !WAITS.has(method)) assert.ok(await eventually(() => isSettled(made)));
          await w.clock.advance(LONG);
          const over = session.bye();
          await settle(w, made);
          await over;
          await client.disconnect(0);
          const words = new RegExp(`${ALWAYS.source}|${says.source}`);
          assertSettled(made, method, words);
        });
      }
    });
  }

  describe(`a PING of a server over ${protocol}`, () => {
    const loopback = useLoopback();

    it('to a device that never answers is over after 10 s, and the session goes on', async () => {
      const w = world(loopback, protocol);
      await w.server.listen();
      const relay = await new HoldingRelay().open(loopback, protocol, w.server.port!);
      const { client, session } = await loopback.pair(w.server, { protocol, port: relay.port });
      await client.ping();
      await session.ping();
      relay.hold('client');
      const made = make(() => session.ping());
      await w.clock.advance(9_999);
      assert.equal(isSettled(made), false);
      await w.clock.advance(1);
      assert.ok(made.outcome && 'error' in made.outcome);
      assert.equal((made.outcome.error as { code: string }).code, 'USMP_NO_PONG');
      assert.equal(session.connected, true);
      await client.disconnect(0);
    });
  });
}
