import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ClientEnvironment } from '../../src/client/options.js';
import { Redial, type ConnectionState } from '../../src/client/redial.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { systemRandom } from '../../src/crypto/random.js';
import type { TransportHandlers } from '../../src/transport/transport.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { FakeClock } from '../support/clock.js';
import { lingering } from '../support/lingering.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';
import { losing, pass } from '../support/path.js';
import { PSK as REFERENCE_PSK } from '../support/reference.js';
import { Way } from '../support/reference-way.js';
import { ReferenceGateway, type GatewayOptions } from '../support/reference-world.js';

const SECOND = 1_000;
const BACKOFF = { firstMs: 2_000, maxMs: 60_000, jitter: 0 };

/** A redial by itself, and what it has told. */
function world(
  protocol: Protocol = 'tcp',
  change: (environment: ClientEnvironment) => ClientEnvironment = (e) => e,
) {
  const clock = new FakeClock();
  const gateway = new MemoryGateway(clock);
  gateway.onMessage = () => undefined;
  const environment = change(gateway.environment);
  const client = new USMPClient({ host: 'gateway', psk: PSK, protocol }, environment);
  const states: ConnectionState[] = [];
  const redial = new Redial({
    ...{ client, environment, backoff: BACKOFF },
    onState: (state) => states.push(state),
    drain: () => Promise.resolve(),
  });
  const path = (): string =>
    states
      .splice(0)
      .map(({ at }) => at)
      .join(' ');
  /** Nothing is open and nothing waits any more. */
  const isDown = async (): Promise<void> => {
    await clock.advance(60 * SECOND);
    assert.deepEqual([redial.state.at, client.connected, clock.pending], ['idle', false, 0]);
  };
  return { clock, gateway, client, redial, states, path, isDown };
}

/** The same with the stand-in for the reference as the gateway, 20 ms away. */
function worldOf(
  protocol: Protocol,
  options: GatewayOptions = {},
  change: (environment: ClientEnvironment) => ClientEnvironment = (e) => e,
) {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, 20);
  const gateway = new ReferenceGateway(way, options);
  const dial = { tcp: gateway.dial, udp: gateway.dial };
  const environment = change({ clock, random: systemRandom, dial });
  const client = new USMPClient({ host: 'gateway', psk: REFERENCE_PSK, protocol }, environment);
  const states: string[] = [];
  const redial = new Redial({
    ...{ client, environment, backoff: BACKOFF },
    onState: ({ at }) => states.push(at),
    drain: () => Promise.resolve(),
  });
  const close = async (): Promise<void> => {
    const stopped = redial.stop();
    gateway.close();
    await clock.advance(100 * SECOND);
    await stopped;
    assert.equal(clock.pending, 0);
  };
  return { clock, way, gateway, client, redial, states: () => states, close };
}

for (const protocol of PROTOCOLS) {
  describe(`a session that is renewed over ${protocol}`, () => {
    it('is not followed by another when it is stopped while the old one cannot say BYE', async () => {
      const { clock, gateway, redial, client, path, isDown } = world(protocol);
      redial.start();
      await clock.advance(SECOND);
      gateway.lost.toGateway = true;
      gateway.stalled = protocol === 'tcp';
      client.send('fills the socket').catch(() => undefined);
      const renewed = redial.renew();
      await clock.advance(100);
      const stopped = redial.stop();
      await assert.rejects(renewed, { code: 'USMP_NOT_CONNECTED' });
      gateway.lost.toGateway = gateway.stalled = false;
      await clock.advance(5 * SECOND);
      await stopped;
      assert.match(path(), /established connecting closing idle$/);
      assert.deepEqual([client.connected, gateway.dials.length], [false, 1]);
      await isDown();
    });

    it('is followed by another at once, and settles with it', async () => {
      const { clock, gateway, redial, client, path, isDown } = world(protocol);
      redial.start();
      await clock.advance(SECOND);
      const { sessionId } = client;
      const renewed = redial.renew();
      await clock.advance(SECOND);
      await renewed;
      assert.match(path(), /established connecting handshaking established$/);
      assert.notEqual(client.sessionId, sessionId);
      assert.deepEqual([gateway.dials.length, redial.sessions], [2, 2]);
      void redial.stop();
      await isDown();
    });
  });

  describe(`a session over ${protocol} that is over, and whose socket lingers`, () => {
    /** The gateway has said BYE, and the socket takes its time. */
    async function ended() {
      const it = worldOf(protocol, {}, lingering);
      it.redial.start();
      await it.clock.advance(SECOND);
      it.gateway.session.do((party, now) => party.close(now));
      await it.clock.advance(25);
      assert.deepEqual([it.redial.state.at, it.client.connected], ['established', false]);
      return it;
    }

    it('is not taken for an open one by connect', async () => {
      const { clock, client, redial, gateway, close } = await ended();
      const connected = redial.connect();
      await clock.advance(5 * SECOND);
      await connected;
      assert.equal(client.connected, true);
      assert.equal(gateway.sessions.length, 2);
      await close();
    });

    it('is not followed by another when it is stopped after that', async () => {
      const { clock, redial, gateway, close } = await ended();
      const connected = redial.connect();
      const stopped = redial.stop();
      await clock.advance(5 * SECOND);
      await assert.rejects(connected, { code: 'USMP_NOT_CONNECTED' });
      await stopped;
      assert.deepEqual([redial.state.at, gateway.sessions.length], ['idle', 1]);
      await close();
    });
  });
}

describe('what is asked of a redial', () => {
  it('is refused when there is no session to renew', async () => {
    for (const begin of ['nothing', 'waiting', 'closing'] as const) {
      const { clock, gateway, redial, isDown } = world();
      if (begin === 'waiting') gateway.mode = 'refusing';
      if (begin !== 'nothing') redial.start();
      await clock.advance(SECOND);
      if (begin === 'closing') void redial.stop();
      await assert.rejects(redial.renew(), { code: 'USMP_NOT_CONNECTED' });
      void redial.stop();
      await isDown();
    }
  });

  it('is nothing that an attempt will come to when no session is wanted', async () => {
    const { redial, isDown } = world();
    await assert.rejects(redial.outcome(), { code: 'USMP_NOT_CONNECTED' });
    redial.start();
    const outcome = redial.outcome();
    void redial.stop();
    await assert.rejects(outcome, { code: 'USMP_NOT_CONNECTED' });
    await isDown();
  });
});

describe('new keys that the gateway does not answer under, over udp', () => {
  const withoutPong = losing(({ from, name }) => from === 'server' && name.startsWith('PONG'));

  it('are followed by a new session at once', async () => {
    const { clock, way, gateway, client, redial, states, close } = worldOf('udp');
    redial.start();
    await clock.advance(SECOND);
    way.path = withoutPong;
    const rekeyed = assert.rejects(client.rekey(), { code: 'USMP_REKEY_UNANSWERED' });
    await clock.advance(2_100);
    way.path = pass;
    await clock.advance(SECOND);
    await rekeyed;
    assert.deepEqual(states().slice(3), ['connecting', 'handshaking', 'established']);
    assert.equal(gateway.sessions.length, 2);
    await close();
  });

  for (const { stopAt, code } of [
    { stopAt: 1_500, code: 'USMP_NOT_CONNECTED' },
    { stopAt: 500, code: 'USMP_CLOSED' },
  ]) {
    it(`leave nobody waiting who asked for them when the connection is stopped ${stopAt} ms later`, async () => {
      const { clock, way, gateway } = worldOf('udp');
      const dial = { tcp: gateway.dial, udp: gateway.dial };
      const connection = new USMPConnection(
        { host: 'gateway', psk: REFERENCE_PSK, protocol: 'udp' },
        { clock, random: systemRandom, dial },
      );
      connection.start();
      await clock.advance(SECOND);
      way.path = withoutPong;
      const receipt = connection.rekey(); // which begins with a PING of its own
      way.path = (passing) => (passing.name === 'PONG 1' ? pass : withoutPong)(passing);
      const rekeyed = assert.rejects(receipt, { code });
      await clock.advance(stopAt);
      const stopped = connection.stop();
      await clock.advance(SECOND);
      await stopped;
      await rekeyed;
      gateway.close();
      await clock.advance(100 * SECOND);
      assert.equal(clock.pending, 0);
    });
  }
});

describe('a session over tcp that the network breaks before it is proven', () => {
  for (const { code, told } of [
    { code: 'ETIMEDOUT', told: 'USMP_LOST' },
    { code: 'EHOSTUNREACH', told: 'USMP_LOST' },
    { code: 'ECONNRESET', told: 'USMP_NEVER_PROVEN' },
    { code: undefined, told: 'USMP_NEVER_PROVEN' },
  ]) {
    it(`is told as ${told} after ${code ?? 'the end of the connection'}`, async () => {
      let handlers!: TransportHandlers;
      const { clock, gateway, client, redial, states, isDown } = world('tcp', (environment) => ({
        ...environment,
        dial: {
          ...environment.dial,
          tcp: (target, theirs) => environment.dial.tcp(target, (handlers = theirs)),
        },
      }));
      client.on('established', () => {
        gateway.lost.toClient = true;
        queueMicrotask(() =>
          handlers.closed(code === undefined ? undefined : Object.assign(new Error(code), { code })),
        );
      });
      redial.start();
      await clock.advance(SECOND);
      const state = states.find(({ at }) => at === 'waiting');
      assert.ok(state?.at === 'waiting');
      assert.equal(state.reason.code, told);
      gateway.lost.toClient = false;
      void redial.stop();
      await isDown();
    });
  }
});
