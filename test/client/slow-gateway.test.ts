/** What a client concludes from silence: only what was measured. The gateway is the stand-in for the reference. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { systemRandom } from '../../src/crypto/random.js';
import { dialUdp } from '../../src/transport/udp.js';
import { FakeClock } from '../support/clock.js';
import { ascii } from '../support/hex.js';
import { eventually, HOST, useLoopback } from '../support/loopback.js';
import { PSK } from '../support/reference.js';
import { Way } from '../support/reference-way.js';
import { ReferenceGateway, type GatewayOptions } from '../support/reference-world.js';

const OTHER_PSK = ascii('a key that only one side has');

/** HELLO_ACK leaves half a second before the time for a handshake is over. */
const SLOW = { helloRetryMs: 4_500, challengeMs: 4_900, sessionOkMs: 1_000 };

function world(options: GatewayOptions = {}, protocol: 'tcp' | 'udp' = 'udp') {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, 20);
  const gateway = new ReferenceGateway(way, options);
  const environment = { clock, random: systemRandom, dial: { tcp: gateway.dial, udp: gateway.dial } };
  const sent = (name: string): number[] =>
    way.passed.flatMap((passing) => (passing.from === 'client' && passing.name === name ? [passing.at] : []));
  return { clock, way, gateway, environment, sent };
}

/** With what an attempt ended, and when. */
async function outcome(clock: FakeClock, connecting: Promise<void>) {
  let ended: { code: string; at: number } | undefined;
  connecting.then(
    () => (ended = { code: 'connected', at: clock.now() }),
    (error: unknown) => (ended = { code: (error as { code: string }).code, at: clock.now() }),
  );
  while (!ended) await clock.advance(100);
  return ended;
}

interface Row {
  readonly what: string;
  readonly options: GatewayOptions;
  readonly code: string;
}

describe('a client over udp, of a gateway that answers slowly', () => {
  const rows: readonly Row[] = [
    {
      what: 'so that HELLO_ACK leaves half a second before the limit: no answer in time',
      options: { delays: SLOW },
      code: 'USMP_NO_SESSION_OK',
    },
    {
      what: 'so that HELLO_ACK leaves half a second before the limit, with another PSK: the same',
      options: { delays: SLOW, psk: OTHER_PSK },
      code: 'USMP_NO_SESSION_OK',
    },
    {
      what: 'so that five seconds are not over after HELLO_ACK: no answer in time',
      options: { delays: { challengeMs: 5_100 }, psk: OTHER_PSK },
      code: 'USMP_NO_SESSION_OK',
    },
    {
      what: 'so that HELLO with its cookie leaves just before the limit: no answer in time',
      options: { delays: { helloRetryMs: 9_700, challengeMs: 1_000 } },
      code: 'USMP_TIMEOUT',
    },
    {
      what: 'but in time: a session',
      options: { delays: { helloRetryMs: 3_000, challengeMs: 3_000, sessionOkMs: 3_000 } },
      code: 'connected',
    },
    {
      what: 'with SESSION_OK alone, six seconds after HELLO_ACK: a session',
      options: { delays: { sessionOkMs: 6_000 } },
      code: 'connected',
    },
    {
      what: 'not at all, with another PSK: rejected',
      options: { psk: OTHER_PSK },
      code: 'USMP_PSK_REJECTED',
    },
  ];
  for (const { what, options, code } of rows) {
    it(what, async () => {
      const { clock, gateway, environment, sent } = world(options);
      const client = new USMPClient({ host: 'gateway', psk: PSK, protocol: 'udp' }, environment);
      const ended = await outcome(clock, client.connect());
      assert.equal(ended.code, code);
      const acks = sent('HELLO_ACK 2');
      if (code === 'USMP_PSK_REJECTED') {
        assert.ok(acks.length >= 5, `HELLO_ACK was sent ${acks.length} times`);
        assert.ok(ended.at - acks[0]! >= 5_000, `${ended.at - acks[0]!} ms after HELLO_ACK`);
      }
      gateway.close();
      const closed = client.disconnect();
      await clock.advance(1_000);
      await closed;
      assert.equal(clock.pending, 0);
    });
  }

  it('over a real socket: no answer in time', async () => {
    const { clock, way, gateway } = world({ delays: SLOW });
    const port = await gateway.listen(loopback);
    const dial = { tcp: dialUdp, udp: dialUdp };
    const client = loopback.client(
      port,
      { psk: PSK, protocol: 'udp', host: HOST },
      { clock, random: systemRandom, dial },
    );
    const until = async (name: string): Promise<void> =>
      assert.ok(await eventually(() => way.passed.some((passing) => passing.name === name)), name);
    const failing = assert.rejects(client.connect(), { code: 'USMP_NO_SESSION_OK' });
    await until('HELLO 0');
    for (const [ms, next] of [
      [SLOW.helloRetryMs, 'HELLO 1'],
      [SLOW.challengeMs, 'HELLO_ACK 2'],
    ] as const) {
      await clock.advance(way.latencyMs + ms + way.latencyMs);
      await until(next);
    }
    await clock.advance(600);
    await failing;
  });

  const loopback = useLoopback();
});

describe('a connection that stays up, with a gateway that answers slowly over udp', () => {
  it('tries again soon, and does not wait as after a rejected PSK', async () => {
    const { clock, gateway, environment } = world({ delays: SLOW });
    const connection = new USMPConnection(
      { host: 'gateway', psk: PSK, protocol: 'udp', retryJitter: 0 },
      environment,
    );
    connection.start();
    await clock.advance(10_100);
    const { state } = connection;
    assert.ok(state.at === 'waiting');
    assert.deepEqual([state.reason.code, state.retryInMs], ['USMP_NO_SESSION_OK', 2_000]);
    gateway.close();
    const closed = connection.close();
    await clock.advance(1_000);
    await closed;
  });
});

describe('a client over tcp, of a gateway that answers slowly', () => {
  for (const { what, options, code } of [
    {
      what: 'after HELLO_ACK: no answer in time, however long it was',
      options: { delays: { sessionOkMs: 30_000 } },
      code: 'USMP_NO_SESSION_OK',
    },
    {
      what: 'not at all, with another PSK: rejected',
      options: { psk: OTHER_PSK },
      code: 'USMP_PSK_REJECTED',
    },
    {
      what: 'with CHALLENGE late and another PSK: rejected, as the connection is closed',
      options: { delays: { challengeMs: 9_500 }, psk: OTHER_PSK },
      code: 'USMP_PSK_REJECTED',
    },
  ] satisfies Row[]) {
    it(what, async () => {
      const { clock, gateway, environment } = world(options, 'tcp');
      const client = new USMPClient({ host: 'gateway', psk: PSK, protocol: 'tcp' }, environment);
      assert.equal((await outcome(clock, client.connect())).code, code);
      gateway.close();
      await client.disconnect();
      assert.equal(clock.pending, 0);
    });
  }
});
