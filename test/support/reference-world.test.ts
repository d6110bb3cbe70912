import assert from 'node:assert/strict';
import { once } from 'node:events';
import { USMPClient } from '../../src/client/usmp-client.js';
import { systemClock } from '../../src/clock.js';
import { systemRandom } from '../../src/crypto/random.js';
import { HandshakeError } from '../../src/errors.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { BoundDial } from './bound-dial.js';
import { FakeClock } from './clock.js';
import { eventually, freePort, useLoopback } from './loopback.js';
import { first, losing, named } from './path.js';
import { PSK } from './reference.js';
import { Way } from './reference-way.js';
import { connectDevice, ReferenceGateway, type GatewayOptions } from './reference-world.js';

const echo: GatewayOptions['onMessage'] = (message, session, now) => session.send(message, now);

/** A client of the engine and the stand-in as its gateway, in memory. */
function inMemory(protocol: Protocol, options: GatewayOptions = {}) {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, 25);
  const gateway = new ReferenceGateway(way, options);
  const connect = (deviceId: string): USMPClient => {
    const dial = { tcp: gateway.dial, udp: gateway.dial };
    const environment = { clock, random: systemRandom, dial };
    return new USMPClient({ host: 'gateway', psk: PSK, protocol, deviceId }, environment);
  };
  return { clock, way, gateway, connect };
}

for (const protocol of PROTOCOLS) {
  describe(`the stand-in for the reference at work over ${protocol}`, () => {
    const loopback = useLoopback();

    it('is a gateway for a client in memory', async () => {
      const { clock, way, gateway, connect } = inMemory(protocol, { onMessage: echo });
      if (protocol === 'udp') way.path = losing(first(named('DATA 0', 'client')));
      const client = connect('02:00:00:00:00:01');
      const connected = client.connect();
      await clock.advance(1_000);
      await connected;
      const sent = client.send('hello');
      await clock.advance(2_000);
      await sent;
      assert.deepEqual([String(await client.recv()), gateway.texts], ['hello', ['hello']]);
      const left = client.disconnect();
      await clock.advance(1_000);
      await left;
      assert.equal(gateway.session.party.ending, 'bye');
      assert.equal(clock.pending, 0);
    });

    it('is a gateway that takes its time', async () => {
      const delays = { helloRetryMs: 2_000, challengeMs: 2_000, sessionOkMs: 2_000 };
      const { clock, gateway, connect } = inMemory(protocol, { delays });
      const connected = connect('02:00:00:00:00:01').connect();
      await clock.advance(7_000);
      await connected;
      assert.equal(gateway.session.party.state, 'established');
    });

    it('gives the place of a session to a newer one of the same device', async () => {
      const { clock, gateway, connect } = inMemory(protocol);
      for (const deviceId of ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:01']) {
        const connected = connect(deviceId).connect();
        await clock.advance(1_000);
        await connected;
      }
      const endings = gateway.sessions.map(({ party }) => party.ending);
      assert.deepEqual(endings, ['replaced', undefined, undefined]);
    });

    it('has no room for more sessions than it may have (protocol §5.2)', async () => {
      const { clock, way, gateway, connect } = inMemory(protocol, { maxSessions: 0 });
      const outcome = connect('02:00:00:00:00:01')
        .connect()
        .catch((error: unknown) => error);
      await clock.advance(1_000);
      if (protocol === 'udp') {
        assert.equal(await outcome, undefined, 'the handshake is completed');
        assert.ok(way.passed.some(({ name }) => name === 'UTACK of SESSION_OK 0'));
      } else {
        assert.ok((await outcome) instanceof HandshakeError);
        assert.ok(!way.passed.some(({ from }) => from === 'server'));
      }
      assert.deepEqual(gateway.sessions, []);
    });

    it('is a gateway behind a real socket, as far away as it is told to be', async () => {
      const gateway = new ReferenceGateway(new Way(systemClock, protocol, 5), { onMessage: echo });
      const client = loopback.client(await gateway.listen(loopback), { protocol, psk: PSK });
      await client.connect();
      await client.send('hello');
      assert.equal(String(await client.recv()), 'hello');
      assert.ok((await client.ping()) >= 8, 'twice 5 ms, with timers that round');
      await client.disconnect();
      assert.ok(await eventually(() => gateway.session.party.ending === 'bye'));
    });

    it('is a device on a real socket', async () => {
      const server = await loopback.serve({ protocol, psk: PSK });
      const opened = once(server, 'session');
      const way = new Way(systemClock, protocol, 2);
      const device = await connectDevice(loopback, way, server.port!);
      assert.ok(await eventually(() => device.party.state === 'established'));
      const [session] = (await opened) as [Awaited<ReturnType<typeof loopback.pair>>['session']];
      const message = once(session, 'message');
      device.do((party, now) => party.send('hello', now));
      assert.equal(String(await message), 'hello');
      await session.send('back');
      assert.ok(await eventually(() => device.party.texts.includes('back')));
      await session.bye();
      const saysBye = (): boolean =>
        way.passed.some(({ from, name }) => from === 'client' && name === 'BYE 1');
      assert.ok(await eventually(() => device.party.ending === 'bye' || saysBye()));
    });
  });
}

describe('the stand-in for the reference over UDP', () => {
  const loopback = useLoopback();

  it('lets a HELLO from the address of a session replace it, whatever the device id (protocol §5.3)', async () => {
    const gateway = new ReferenceGateway(new Way(systemClock, 'udp', 0));
    const port = await gateway.listen(loopback);
    const localPort = await freePort();
    for (const deviceId of ['02:00:00:00:00:01', '02:00:00:00:00:02']) {
      const dial = new BoundDial(localPort);
      const options = { protocol: 'udp', psk: PSK, deviceId } as const;
      const client = loopback.client(port, options, dial.environment);
      await client.connect();
      await client.ping();
      dial.crash();
      await client.disconnect();
    }
    assert.deepEqual(
      gateway.sessions.map(({ party }) => party.ending),
      ['replaced', undefined],
    );
  });
});
