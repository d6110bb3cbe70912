/** What the ends of sessions mean beside each other: a suite, a full gateway, another client of the same device id. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ConnectionOptions } from '../../src/client/connection-options.js';
import type { USMPError } from '../../src/errors.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { FakeClock } from '../support/clock.js';
import { losing } from '../support/path.js';
import { seededRandom } from '../support/random.js';
import { PSK, type Reference } from '../support/reference.js';
import { Way } from '../support/reference-way.js';
import { ReferenceGateway, type GatewayOptions } from '../support/reference-world.js';

const SECOND = 1_000;
const DEVICE = 'a4:cf:12:00:00:01';

/** Connections to one gateway, and why each of them was without a session, in order. */
function patterns(protocol: Protocol, options: GatewayOptions = {}, seed = 1) {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, 20);
  const gateway = new ReferenceGateway(way, options);
  const dial = { tcp: gateway.dial, udp: gateway.dial };
  const connections: USMPConnection[] = [];
  const connect = (more: Partial<ConnectionOptions> = {}) => {
    const connection = new USMPConnection(
      { host: 'gateway', psk: PSK, deviceId: DEVICE, protocol, ...more },
      { clock, random: seededRandom(seed + connections.length), dial },
    );
    connections.push(connection);
    const reasons: USMPError[] = [];
    connection.on('state', (state) => state.at === 'waiting' && reasons.push(state.reason));
    connection.start();
    return { connection, codes: () => reasons.map(({ code }) => code), reasons };
  };
  const close = async (): Promise<void> => {
    const closed = Promise.all(connections.map((connection) => connection.close()));
    gateway.close();
    await clock.advance(200 * SECOND);
    await closed;
    assert.equal(clock.pending, 0);
  };
  return { clock, way, gateway, connect, close };
}

/** The session that is open ends at the gateway, without a word. */
const drop = (session: Reference): void => session.end('lost');

for (const protocol of PROTOCOLS) {
  describe(`a session over ${protocol} that is never proven`, () => {
    const rows: { what: string; options: GatewayOptions; when: readonly Protocol[] }[] = [
      { what: 'with another cipher suite', options: { suite: 'chacha20-poly1305' }, when: PROTOCOLS },
      { what: 'with a gateway that is full', options: { maxSessions: 0 }, when: ['udp'] },
      { what: 'with a gateway that drops it right after SESSION_OK', options: {}, when: PROTOCOLS },
    ];
    for (const { what, options } of rows.filter(({ when }) => when.includes(protocol))) {
      it(`${what} is told as that, each time`, async () => {
        const { clock, gateway, connect, close } = patterns(protocol, {
          ...options,
          onEstablished: () => !options.suite && drop(gateway.session.party),
        });
        const { connection, codes, reasons } = connect();
        await clock.advance(40 * SECOND);
        assert.deepEqual([...new Set(codes())], ['USMP_NEVER_PROVEN']);
        assert.ok(codes().length >= 2);
        assert.match(reasons[0]!.message, /cipher suite, or it has no room/);
        assert.equal(connection.stats.sessions, 0);
        await close();
      });
    }
  });

  describe(`a session over ${protocol} in which no PONG is waited for`, () => {
    it('is told as never proven all the same, within 10 s, and is not left open', async () => {
      const { clock, way, gateway, connect, close } = patterns(protocol);
      way.path = losing(({ from, name }) => from === 'server' && name.startsWith('PONG'));
      const { connection, codes } = connect({ keepalive: 0, pongTimeout: 0, retryJitter: 0 });
      const connected = assert.rejects(connection.connect(), { code: 'USMP_NEVER_PROVEN' });
      await clock.advance(9_900);
      assert.equal(connection.state.at, 'handshaking');
      await clock.advance(SECOND);
      await connected;
      assert.deepEqual(codes(), ['USMP_NEVER_PROVEN']);
      await clock.advance(SECOND);
      assert.equal(gateway.session.party.state, 'ended');
      await close();
    });
  });

  describe(`two clients of one device id over ${protocol}`, () => {
    for (let seed = 1; seed <= 5; seed++) {
      it(`that take turns are both told so within a minute or so, with the device id (seed ${seed})`, async () => {
        const { clock, connect, close } = patterns(protocol, {}, seed);
        const first = connect();
        await clock.advance(SECOND);
        const second = connect();
        // Over UDP only what is sent shows that the session is gone.
        for (let ms = 0; ms < (protocol === 'tcp' ? 60 : 90) * SECOND; ms += SECOND) {
          for (const { connection } of [first, second]) connection.send('reading').catch(() => undefined);
          await clock.advance(SECOND);
        }
        for (const { reasons } of [first, second]) {
          const told = reasons.find(({ code }) => code === 'USMP_SHORT_SESSIONS');
          assert.deepEqual(told?.values, { deviceId: DEVICE }, reasons.map(({ code }) => code).join());
          assert.match(told.message, /device id a4:cf:12:00:00:01/);
        }
        await close();
      });
    }
  });

  describe(`a session over ${protocol} that ends, but not as a pattern`, () => {
    it('is told as what happened when the gateway restarts once', async () => {
      const { clock, gateway, connect, close } = patterns(protocol);
      const { connection, codes } = connect({ keepalive: 1, pongTimeout: 1 });
      await clock.advance(5 * SECOND);
      drop(gateway.session.party);
      gateway.session.do(() => undefined); // hangs up
      await clock.advance(10 * SECOND);
      assert.equal(connection.state.at, 'established');
      assert.deepEqual(codes(), [protocol === 'tcp' ? 'USMP_LOST' : 'USMP_DEAD']);
      await close();
    });

    it('is told as what happened when the network breaks every 20 s', async () => {
      const { clock, gateway, connect, close } = patterns(protocol);
      const { codes } = connect({ keepalive: 1, pongTimeout: 1 });
      for (let i = 0; i < 6; i++) {
        await clock.advance(20 * SECOND);
        drop(gateway.session.party);
        gateway.session.do(() => undefined);
        await clock.advance(5 * SECOND);
      }
      assert.deepEqual([...new Set(codes())], [protocol === 'tcp' ? 'USMP_LOST' : 'USMP_DEAD']);
      assert.equal(codes().length, 6);
      await close();
    });

    it('is told as what happened once one has lived again', async () => {
      const { clock, gateway, connect, close } = patterns(protocol);
      const { connection, codes } = connect({ keepalive: 1, pongTimeout: 1, retryJitter: 0 });
      const isUp = (): boolean => connection.state.at === 'established';
      const cut = async (afterMs: number): Promise<void> => {
        while (!isUp()) await clock.advance(100);
        await clock.advance(afterMs);
        drop(gateway.session.party);
        gateway.session.do(() => undefined);
        while (isUp()) await clock.advance(100);
      };
      for (const ms of [1_000, 1_000, 1_000, 1_000, 20_000, 1_000, 1_000, 1_000]) await cut(ms);
      const plain = protocol === 'tcp' ? 'USMP_LOST' : 'USMP_DEAD';
      const short = 'USMP_SHORT_SESSIONS';
      assert.deepEqual(codes(), [plain, plain, short, short, plain, plain, plain, short]);
      await close();
    });
  });
}
