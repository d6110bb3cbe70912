/**
 * Every public method in every state, and from inside every event: each settles, with a result or with an error that
 * says why not, and leaves no timer.
 */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { USMPConnection } from '../../src/client/connection.js';
import type { ClientEnvironment, ClientOptions } from '../../src/client/options.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import type { ConnectionState } from '../../src/client/redial.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { assertSettled, make, type Made } from '../support/calls.js';
import { FakeClock } from '../support/clock.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';

const SECOND = 1_000;
/** Longer than any time that something is waited for. */
const LONG = 120 * SECOND;

interface World<T> {
  readonly clock: FakeClock;
  readonly gateway: MemoryGateway;
  readonly settings: ClientOptions;
  readonly it: T;
  readonly another: () => T;
}

function world<T>(
  protocol: Protocol,
  Made: new (settings: ClientOptions, environment: ClientEnvironment) => T,
  gatewayPsk = PSK,
): World<T> {
  const clock = new FakeClock();
  const gateway = new MemoryGateway(clock, gatewayPsk);
  const settings = { host: 'gateway', psk: PSK, protocol, deviceId: 'a4:cf:12:00:00:01', outboxCount: 3 };
  const another = (): T => new Made(settings, gateway.environment);
  return { clock, gateway, settings, it: another(), another };
}

/** The messages of one iteration, of which the first two are enough. */
async function iterate(messages: AsyncIterable<Buffer>): Promise<number> {
  let count = 0;
  for await (const message of messages) {
    count += message.length > 0 ? 1 : 0;
    if (count === 2) break;
  }
  return count;
}

type Methods<T> = Record<string, (world: World<T>) => unknown>;

const CLIENT: Methods<USMPClient> = {
  connect: ({ it }) => it.connect(),
  disconnect: ({ it }) => it.disconnect(),
  'disconnect at once': ({ it }) => it.disconnect(0),
  send: ({ it }) => it.send('message'),
  'send of nothing': ({ it }) => it.send(undefined as unknown as string),
  'send of too much': ({ it }) => it.send('x'.repeat(1_809)),
  recv: ({ it }) => it.recv(),
  'recv with a timeout': ({ it }) => it.recv({ timeout: 1 }),
  'recv with a timeout that is none': ({ it }) => it.recv({ timeout: -1 }),
  'async iteration': ({ it }) => iterate(it),
  ping: ({ it }) => it.ping(),
  rekey: ({ it }) => it.rekey(),
  'rekey by force': ({ it }) => it.rekey({ force: true }),
  withdraw: ({ it }) => it.withdraw(),
  pause: ({ it }) => it.pause(),
  resume: ({ it }) => it.resume(),
  isAlike: ({ it, settings }) => it.isAlike(settings),
  properties: ({ it }) => [
    it.host,
    it.port,
    it.protocol,
    it.deviceId,
    it.connected,
    it.sessionId,
    it.messageSessionId,
    it.losesAtRekey,
  ],
  inspect: ({ it }) => inspect(it),
};

/** What waits for a message as long as there may be one. */
const WAITS = new Set(['recv', 'async iteration']);

interface StateOf<T> {
  readonly enter: (world: World<T>) => unknown;
  /** What an error says in it. */
  readonly says: RegExp;
  /** The gateway's key, when it is another one. */
  readonly gatewayPsk?: string;
}

const ALWAYS = /^(message|timeout|kept|heir): |no message within|a message of 1809 bytes/;
const says = (words: RegExp): RegExp => new RegExp(`${ALWAYS.source}|${words.source}`);

const CLIENT_STATES: Record<string, StateOf<USMPClient>> = {
  'never connected': { enter: () => undefined, says: says(/call connect\(\) first/) },
  connecting: {
    enter: ({ gateway, it }) => {
      gateway.mode = 'unreachable';
      it.connect().catch(() => undefined);
    },
    says: says(/still being opened|no answer from gateway|session was closed/),
  },
  handshaking: {
    enter: async ({ gateway, it, clock }) => {
      gateway.mode = 'silent';
      it.connect().catch(() => undefined);
      await clock.advance(1);
    },
    says: says(/still being opened|no answer to HELLO|session was closed/),
  },
  connected: {
    enter: ({ it, clock }) => Promise.all([it.connect(), clock.advance(1)]),
    says: says(/session was closed/),
  },
  paused: {
    enter: ({ it, clock }) => {
      it.pause();
      return Promise.all([it.connect(), clock.advance(1)]);
    },
    says: says(/session was closed/),
  },
  'connected to a gateway that fell silent': {
    enter: async ({ it, clock, gateway }) => {
      await Promise.all([it.connect(), clock.advance(1)]);
      gateway.lost = { toClient: true, toGateway: true };
    },
    says: says(/is silent|no longer acknowledges|new keys|not connected: the gateway|session was closed/),
  },
  closing: {
    enter: async ({ it, clock, gateway }) => {
      await Promise.all([it.connect(), clock.advance(1)]);
      gateway.stalled = true;
      gateway.lost.toClient = true;
      for (let i = 0; i < 3; i++) it.send('fills the socket').catch(() => undefined);
      await clock.advance(1);
      void it.disconnect();
    },
    says: says(/being closed|session was closed|before CHALLENGE|no answer to HELLO/),
  },
  'closed from here': {
    enter: async ({ it, clock }) => {
      await Promise.all([it.connect(), clock.advance(1)]);
      await Promise.all([it.disconnect(), clock.advance(SECOND)]);
    },
    says: says(/session was closed/),
  },
  'ended by the gateway': {
    enter: async ({ it, clock, gateway }) => {
      await Promise.all([it.connect(), clock.advance(1)]);
      void gateway.sessions[0]!.close(100);
      await clock.advance(SECOND);
    },
    says: says(/BYE|broke/),
  },
  failed: {
    enter: async ({ it, clock, gateway }) => {
      gateway.mode = 'refusing';
      await Promise.all([it.connect().catch(() => undefined), clock.advance(1)]);
    },
    says: says(/connection refused by gateway/),
  },
};

const CLIENT_EVENTS = ['handshaking', 'established', 'proven', 'message', 'rekeyed', 'close'] as const;

for (const protocol of PROTOCOLS) {
  for (const [state, { enter, says: words }] of Object.entries(CLIENT_STATES)) {
    describe(`a client over ${protocol}, ${state}`, () => {
      for (const [method, call] of Object.entries(CLIENT)) {
        it(`settles ${method}`, async () => {
          const w = world(protocol, USMPClient);
          await enter(w);
          const made = make(() => call(w));
          await w.clock.advance(LONG);
          if (!WAITS.has(method)) assertSettled(made, method, words);
          const closed = w.it.disconnect();
          await w.clock.advance(LONG);
          await closed;
          assertSettled(made, method, words);
          assert.equal(w.clock.pending, 0);
        });
      }
    });
  }

  describe(`a client over ${protocol}, from inside its events,`, () => {
    for (const event of CLIENT_EVENTS) {
      for (const [method, call] of Object.entries(CLIENT)) {
        it(`settles ${method} in ${event}`, async () => {
          const w = world(protocol, USMPClient);
          let made: Made | undefined;
          w.it.once(event, () => (made = make(() => call(w))));
          await Promise.allSettled([w.it.connect(), w.clock.advance(1)]);
          w.it.send('to be echoed').catch(() => undefined);
          await w.clock.advance(1);
          w.it.rekey().catch(() => undefined);
          await w.clock.advance(SECOND);
          void w.it.disconnect();
          await w.clock.advance(LONG);
          w.it.resume();
          const closed = w.it.disconnect();
          await w.clock.advance(LONG);
          await closed;
          assert.ok(made, `there was no ${event}`);
          assertSettled(made, method, /./);
          assert.equal(w.clock.pending, 0);
        });
      }
    }
  });
}

const CONNECTION: Methods<USMPConnection> = {
  start: ({ it }) => it.start(),
  connect: ({ it }) => it.connect(),
  stop: ({ it }) => it.stop(),
  close: ({ it }) => it.close(),
  'close of what is kept': ({ it }) => it.close('kept'),
  'handOver to another': ({ it, another }) => {
    const heir = another();
    return it.handOver(heir).then(() => heir.close());
  },
  'handOver to one that is closed': async ({ it, another }) => {
    const heir = another();
    await heir.close();
    return it.handOver(heir);
  },
  'handOver to itself': ({ it }) => it.handOver(it),
  send: ({ it }) => it.send('message'),
  'send without a receipt': ({ it }) => it.send('message', 'sent'),
  'send of the latest of a key': ({ it }) => it.send('message', { key: 'key', maxAge: 3_600 }),
  'send of too much': ({ it }) => it.send('x'.repeat(1_809)),
  'send of nothing': ({ it }) => it.send(undefined as unknown as string),
  hold: ({ it }) => it.hold(),
  release: ({ it }) => it.release(),
  restore: ({ it }) => it.restore([{ message: Buffer.from('kept'), delivery: 'confirmed' }]),
  'restore of rubbish': ({ it }) => it.restore({} as []),
  ping: ({ it }) => it.ping(),
  rekey: ({ it }) => it.rekey(),
  isAlike: ({ it, settings }) => it.isAlike(settings),
  properties: ({ it }) => [it.state, it.stats, it.client.host, it.outboxLimits, it.undelivered],
  inspect: ({ it }) => inspect(it),
};

/** What waits for a session as long as there may be one. */
const WAITS_FOR_SESSION = new Set(['send', 'send of the latest of a key', 'send without a receipt']);

const up = async ({ it, clock }: World<USMPConnection>): Promise<void> => {
  it.start();
  await clock.advance(1);
};

const FOR_GOOD = /closed for good|closed here before/;

const CONNECTION_STATES: Record<string, StateOf<USMPConnection>> = {
  'never started': { enter: () => undefined, says: says(/not connected \(idle\)|closed here before/) },
  connecting: {
    enter: ({ gateway, it }) => {
      gateway.mode = 'unreachable';
      it.start();
    },
    says: says(
      /not connected \(connecting\)|no answer from gateway|disconnected on request|closed here before/,
    ),
  },
  handshaking: {
    enter: async (w) => {
      w.gateway.mode = 'silent';
      await up(w);
    },
    says: says(/not connected \(handshaking\)|no answer to HELLO|disconnected on request|closed here before/),
  },
  established: { enter: up, says: says(/session was closed|disconnected on request|closed here before/) },
  'established with a gateway that fell silent': {
    enter: async (w) => {
      await up(w);
      w.gateway.lost = { toClient: true, toGateway: true };
      w.gateway.mode = 'unreachable';
    },
    says: says(
      /is silent|no longer acknowledges|no answer from|session was closed|disconnected on request|closed here before/,
    ),
  },
  'on hold': {
    enter: async (w) => {
      w.it.hold();
      await up(w);
    },
    says: says(/session was closed|closed here before/),
  },
  waiting: {
    enter: async (w) => {
      w.gateway.mode = 'refusing';
      await up(w);
      assert.equal(w.it.state.at, 'waiting');
    },
    says: says(/connection refused by gateway|disconnected on request|closed here before/),
  },
  closing: {
    enter: async (w) => {
      await up(w);
      w.gateway.stalled = true;
      w.gateway.lost.toClient = true;
      w.it.send('fills the socket').catch(() => undefined);
      await w.clock.advance(1);
      void w.it.stop();
      assert.equal(w.it.state.at, 'closing');
    },
    says: says(
      /not connected \(closing\)|disconnected on request|no answer|is silent|the gateway|closed here before/,
    ),
  },
  stopped: {
    enter: async (w) => {
      await up(w);
      await Promise.all([w.it.stop(), w.clock.advance(SECOND)]);
    },
    says: says(/not connected \(idle\)|closed here before/),
  },
  'ended by the gateway': {
    enter: async (w) => {
      await up(w);
      w.gateway.mode = 'refusing';
      void w.gateway.sessions[0]!.close(100);
      await w.clock.advance(100);
      assert.equal(w.it.state.at, 'waiting');
    },
    says: says(/BYE|broke|refused|disconnected on request|closed here before/),
  },
  'rejected for its PSK': {
    enter: async (w) => {
      await up(w);
      await w.clock.advance(11 * SECOND);
      assert.equal(w.it.state.at, 'waiting');
    },
    says: says(/PSK rejected|disconnected on request|closed here before/),
    gatewayPsk: 'quite another key of enough bytes',
  },
  'being closed for good': {
    enter: async (w) => {
      await up(w);
      void w.it.close();
    },
    says: says(FOR_GOOD),
  },
  'closed for good': {
    enter: async (w) => {
      await up(w);
      await Promise.all([w.it.close(), w.clock.advance(SECOND)]);
    },
    says: says(FOR_GOOD),
  },
  'handed over': {
    enter: async (w) => {
      await up(w);
      const heir = w.another();
      await Promise.all([w.it.handOver(heir).then(() => heir.close()), w.clock.advance(SECOND)]);
    },
    says: says(FOR_GOOD),
  },
};

for (const protocol of PROTOCOLS) {
  for (const [state, { enter, says: words, gatewayPsk }] of Object.entries(CONNECTION_STATES)) {
    describe(`a connection over ${protocol}, ${state}`, () => {
      for (const [method, call] of Object.entries(CONNECTION)) {
        it(`settles ${method}`, async () => {
          const w = world(protocol, USMPConnection, gatewayPsk);
          await enter(w);
          const before = make(() => w.it.send('waits or is under way'));
          const made = make(() => call(w));
          await w.clock.advance(LONG);
          if (!WAITS_FOR_SESSION.has(method)) assertSettled(made, method, words);
          const closed = w.it.close();
          await w.clock.advance(LONG);
          await closed;
          assertSettled(before, 'a send before it', words);
          assertSettled(made, method, words);
          assert.equal(w.clock.pending, 0);
        });
      }
    });
  }
  describe(`a connection over ${protocol}, from inside its events,`, () => {
    const events = [
      ...['connecting', 'handshaking', 'established', 'waiting', 'closing', 'idle'].map(
        (at) => ['state', at] as const,
      ),
      ['message', ''],
      ['outbox', ''],
      ['full', ''],
    ] as const;
    for (const [event, at] of events) {
      for (const [method, call] of Object.entries(CONNECTION)) {
        it(`settles ${method} in ${event} ${at}`, async () => {
          const w = world(protocol, USMPConnection);
          let made: Made | undefined;
          const listener = (state?: unknown): void => {
            if (event === 'state' && (state as ConnectionState).at !== at) return;
            w.it.off(event, listener);
            made = make(() => call(w));
          };
          w.it.on(event, listener);
          w.it.start();
          await w.clock.advance(1);
          // The outbox is full with the last of these; those before are echoed.
          const sent = [1, 2, 3, 4].map(() => make(() => w.it.send('message')));
          await w.clock.advance(SECOND);
          w.gateway.cut();
          await w.clock.advance(10 * SECOND);
          w.it.stop().catch(() => undefined);
          await w.clock.advance(LONG);
          const closed = w.it.close();
          await w.clock.advance(LONG);
          await closed;
          assert.ok(made, `there was no ${event} ${at}`);
          for (const each of [made, ...sent]) assertSettled(each, method, /./);
          assert.equal(w.clock.pending, 0);
        });
      }
    }
  });
}
