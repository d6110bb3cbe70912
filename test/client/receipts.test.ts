/**
 * When receipts are asked for, over a path that takes its time and with a gateway that bears eight PINGs a second without
 * a message between them (protocol §3.5): a sender that waits for each outcome runs at one round trip a message, and a
 * stream of messages shares a PING for each round trip.
 */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import { systemRandom } from '../../src/crypto/random.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { FakeClock } from '../support/clock.js';
import { PSK } from '../support/reference.js';
import { Way } from '../support/reference-way.js';
import { ReferenceGateway } from '../support/reference-world.js';

const ONE_WAY_MS = 25;
const ROUND_TRIP_MS = 2 * ONE_WAY_MS;
/** Over UDP a message waits for its UTACK before its PING leaves (protocol §4). */
const ROUND_TRIPS: Readonly<Record<Protocol, number>> = { tcp: 1, udp: 2 };

async function connect(protocol: Protocol) {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, ONE_WAY_MS);
  const gateway = new ReferenceGateway(way);
  const environment = { clock, random: systemRandom, dial: { tcp: gateway.dial, udp: gateway.dial } };
  const connection = new USMPConnection({ host: 'gateway', psk: PSK, protocol }, environment);
  connection.start();
  await clock.advance(1_000);
  assert.equal(connection.state.at, 'established');
  const before = way.passed.length;
  const pings = (): number => way.passed.slice(before).filter(({ name }) => name.startsWith('PING')).length;
  const close = async (): Promise<void> => {
    const closed = connection.close();
    await clock.advance(100_000);
    await closed;
    assert.equal(clock.pending, 0);
  };
  return { clock, gateway, connection, pings, close };
}

for (const protocol of PROTOCOLS) {
  const trips = ROUND_TRIPS[protocol];
  describe(`receipts over ${protocol}`, () => {
    it('let a sender that waits for each outcome go on without a pause, in one session', async () => {
      const { clock, gateway, connection, close } = await connect(protocol);
      const started = clock.now();
      let delivered = 0;
      void (async () => {
        for (; delivered < 100; delivered++) await connection.send(`message ${delivered}`);
      })();
      await clock.advance(100 * trips * ROUND_TRIP_MS);
      assert.equal(delivered, 100, `in ${clock.now() - started} ms`);
      assert.equal(gateway.sessions.length, 1);
      await close();
    });

    it('are shared by a stream of messages, in one session', async () => {
      const { clock, gateway, connection, pings, close } = await connect(protocol);
      let delivered = 0;
      const count = protocol === 'tcp' ? 1_000 : 100;
      const gapMs = 2_000 / count;
      for (let i = 0; i < count; i++) {
        void connection.send(`message ${i}`).then(() => (delivered += 1));
        await clock.advance(gapMs);
      }
      await clock.advance(10_000);
      assert.deepEqual([delivered, gateway.texts.length, gateway.sessions.length], [count, count, 1]);
      assert.ok(pings() <= 2_000 / ROUND_TRIP_MS + 2, `${pings()} PINGs for ${count} messages`);
      await close();
    });

    it('come in the same time for 30, 31, 32 and 33 messages at once, but for their own time on the path', async () => {
      for (const count of [1, 30, 31, 32, 33]) {
        const { clock, connection, pings, close } = await connect(protocol);
        const started = clock.now();
        const all = Promise.all(Array.from({ length: count }, (_, i) => connection.send(`message ${i}`)));
        let took: number | undefined;
        void all.then(() => (took = clock.now() - started));
        await clock.advance(5_000);
        const expected = protocol === 'tcp' ? ROUND_TRIP_MS : (count + 1) * ROUND_TRIP_MS;
        assert.deepEqual({ took, pings: pings() }, { took: expected, pings: 1 });
        await close();
      }
    });
  });
}
