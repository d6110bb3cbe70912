/** What a server knows of its devices, what waits for them, and what it tells of those who come, go and knock. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { ConnectionClosedError, type USMPError } from '../../src/errors.js';
import { systemRandom } from '../../src/crypto/random.js';
import type { ServerOptions } from '../../src/server/options.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { testCode } from '../support/errors.js';
import { FakeClock } from '../support/clock.js';
import { eventually, HOST, PSK, useLoopback, WRONG_PSK } from '../support/loopback.js';

const ID = 'a4:cf:12:00:00:01';
const OTHER = 'a4:cf:12:00:00:02';
const WALL = 1_700_000_000_000;

const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(String, (error: unknown) => (error as USMPError).code);

for (const protocol of PROTOCOLS) {
  describe(`the devices of a server over ${protocol}`, () => {
    const loopback = useLoopback();
    const world = async (options: Partial<ServerOptions> = {}) => {
      const clock = new FakeClock();
      const environment = { clock, random: systemRandom, wallTime: () => WALL + clock.now() };
      const server = await loopback.serve({ protocol, ...options }, environment);
      const pair = (deviceId = ID, more: object = {}) =>
        loopback.pair(server, { protocol, deviceId, ...more });
      return { clock, server, pair };
    };

    it('are those of the map, which have never been here, and those that came', async () => {
      const { clock, server, pair } = await world({ psk: { [ID]: [WRONG_PSK, PSK] } });
      assert.deepEqual(
        Array.from(server.devices, ({ deviceId, presence }) => [deviceId, presence.at]),
        [[ID, 'never']],
      );
      assert.equal(server.devices.size, 1);
      await clock.advance(5_000);
      const { client, session } = await pair();
      await client.send('hello');
      await session.recv();
      await session.send('hello to you');
      await session.ping();
      const { presence, ...counts } = server.devices.get('A4CF12000001')!;
      assert.deepEqual(presence, {
        at: 'online',
        since: WALL + 5_000,
        session: {
          sessionId: session.sessionId,
          protocol,
          address: HOST,
          port: session.remotePort,
          keyIndex: 1,
        },
      });
      assert.equal(session.keyIndex, 1);
      assert.deepEqual(counts, {
        deviceId: ID,
        isKnown: true,
        lastMessageAt: WALL + 5_000,
        received: 1,
        sent: 1,
        rttMs: 0,
        repeats: 0,
        mailbox: undefined,
      });
      await client.disconnect();
      assert.ok(await eventually(() => server.devices.get(ID)?.presence.at === 'offline'));
      await clock.advance(7_000);
      const gone = server.devices.get(ID)!.presence;
      assert.ok(gone.at === 'offline');
      assert.deepEqual([gone.since, gone.reason?.code], [WALL + 5_000, 'USMP_BYE']);
      assert.equal(server.devices.size, 1);
      assert.equal(server.devices.get(OTHER), undefined);
    });

    it('get what waits when they come, in order, and whoever sent it is told', async () => {
      const { server, pair } = await world();
      const outcomes = ['one', 'two', 'three'].map((text) => server.send(ID, text));
      assert.equal(server.devices.get(ID)?.mailbox?.queued, 3);
      const { client } = await pair();
      const received = [];
      for (let i = 0; i < 3; i++) received.push((await client.recv()).toString());
      assert.deepEqual(received, ['one', 'two', 'three']);
      assert.deepEqual(await Promise.all(outcomes), ['delivered', 'delivered', 'delivered']);
      assert.equal(await server.send(ID, 'while it is here'), 'delivered');
      assert.equal(server.devices.get(ID)?.sent, 4);
      await client.disconnect();
      assert.ok(await eventually(() => server.devices.get(ID)?.mailbox === undefined), 'it was dropped');
    });

    it('get the newest message of a key only, and none that is too old', async () => {
      const { clock, server, pair } = await world();
      const first = server.send(ID, '20 degrees', { key: 'set-point' });
      const old = outcomeOf(server.send(ID, 'soon or never', { maxAge: 10 }));
      const last = server.send(ID, '21 degrees', { key: 'set-point' });
      assert.equal(await first, 'replaced');
      await clock.advance(10_000);
      assert.equal(await old, 'USMP_EXPIRED');
      const { client } = await pair();
      assert.equal((await client.recv()).toString(), '21 degrees');
      assert.equal(await last, 'delivered');
    });

    it('have mailboxes that are bounded, each and all together, and none for what was refused', async () => {
      const { server } = await world({ mailboxCount: 2, mailboxesCount: 3 });
      const codes = [ID, ID, ID, OTHER, OTHER].map((id) => outcomeOf(server.send(id, 'x')));
      assert.equal(await codes[2], 'USMP_OUTBOX_FULL');
      assert.equal(await codes[4], 'USMP_OUTBOX_FULL');
      const third = 'a4:cf:12:00:00:03';
      assert.equal(await outcomeOf(server.send(third, 'x')), 'USMP_OUTBOX_FULL');
      await assert.rejects(server.send(third, 'x'.repeat(1809)), { name: 'PayloadError' });
      await assert.rejects(server.send('nobody', 'x'), { name: 'ArgumentError', field: 'deviceId' });
      assert.equal(server.devices.size, 2, 'nothing is left of the third');
      await server.close();
      assert.equal(await codes[0], 'USMP_OUTBOX_CLOSED');
      assert.equal(server.devices.size, 0);
    });

    it('each get a message for all', async () => {
      const { server, pair } = await world();
      const { client } = await pair(ID);
      const { client: another } = await pair(OTHER);
      const outcomes = server.broadcast('to all');
      assert.equal((await client.recv()).toString(), 'to all');
      assert.equal((await another.recv()).toString(), 'to all');
      assert.deepEqual([...(await outcomes)].sort(), [
        [ID, 'delivered'],
        [OTHER, 'delivered'],
      ]);
    });

    it('are forgotten when they are only seen and too many, the one that left longest ago first', async () => {
      const { server, pair } = await world({ maxSeenDevices: 1 });
      for (const id of [ID, OTHER]) {
        const { client } = await pair(id);
        await client.disconnect();
        assert.ok(await eventually(() => server.devices.get(id)?.presence.at === 'offline'));
      }
      assert.deepEqual(
        Array.from(server.devices, ({ deviceId }) => deviceId),
        [OTHER],
      );
    });

    it('are told of when they come and go, also when a new session takes the place of an old one', async () => {
      const { server, pair } = await world();
      const told: string[] = [];
      server.on('online', ({ deviceId }) => told.push(`online ${deviceId}`));
      server.on('offline', ({ deviceId }, reason) => told.push(`offline ${deviceId} ${reason?.code}`));
      await pair();
      const { client } = await pair();
      await client.disconnect();
      assert.ok(await eventually(() => told.length === 4));
      assert.deepEqual(told, [
        `online ${ID}`,
        `offline ${ID} USMP_REPLACED`,
        `online ${ID}`,
        `offline ${ID} USMP_BYE`,
      ]);
    });

    it('can be disconnected, with BYE and a reason', async () => {
      const { server, pair } = await world();
      for (const [given, code] of [
        [undefined, 'USMP_DISCONNECTED'],
        [new ConnectionClosedError('sold', { code: testCode('TEST_SOLD') }), 'TEST_SOLD'],
      ] as const) {
        const { client, session } = await pair();
        const ends = [once(client, 'close'), once(session, 'close')] as Promise<[USMPError]>[];
        assert.equal(await server.disconnect('A4CF12000001', given), true);
        const reasons = await Promise.all(ends);
        assert.deepEqual(
          reasons.map(([reason]) => reason.code),
          ['USMP_BYE', code],
        );
        const { presence } = server.devices.get(ID)!;
        assert.equal(presence.at === 'offline' && presence.reason?.code, code);
      }
      assert.equal(await server.disconnect(ID), false);
      await assert.rejects(server.disconnect('nobody'), { name: 'ArgumentError', field: 'deviceId' });
    });

    it('keep their sessions when keys change and theirs is still valid; the others end', async () => {
      const { server, pair } = await world({ psk: { [ID]: PSK, [OTHER]: PSK } });
      const { client } = await pair(ID);
      const { client: other } = await pair(OTHER);
      const told = once(other, 'close') as Promise<[USMPError]>;
      await server.changeKeys((id) => (id === ID ? [WRONG_PSK, PSK] : WRONG_PSK));
      assert.equal((await told)[0].code, 'USMP_BYE');
      assert.ok(await eventually(() => server.devices.get(OTHER)?.presence.at === 'offline'));
      const { presence } = server.devices.get(OTHER)!;
      assert.equal(presence.at === 'offline' && presence.reason?.code, 'USMP_KEY_CHANGED');
      await client.ping();
      assert.equal(server.devices.get(ID)?.isKnown, false, 'a function names none');
      server.psk = { [OTHER]: WRONG_PSK };
      assert.ok(await eventually(() => !client.connected));
      assert.equal(server.devices.get(OTHER)?.isKnown, true);
      await pair(OTHER, { psk: WRONG_PSK });
      assert.throws(() => (server.psk = 'short'), { name: 'ArgumentError', field: 'psk' });
      await server.changeKeys(() => Promise.reject(new Error('no database')));
      assert.equal(server.sessions.size, 1, 'a look-up that fails counts against none');
    });

    it('do not come in with a key that was changed while they did', async () => {
      let give: (psk: string) => void = () => undefined;
      const { server } = await world({ psk: () => new Promise<string>((resolve) => (give = resolve)) });
      const client = loopback.client(server, { protocol, deviceId: ID });
      const offline = once(server, 'offline') as Promise<[unknown, USMPError]>;
      const connecting = client.connect().catch(() => undefined);
      const asks = give;
      assert.ok(await eventually(() => give !== asks));
      server.psk = WRONG_PSK;
      give(PSK);
      assert.equal((await offline)[1].code, 'USMP_KEY_CHANGED');
      await connecting;
    });

    it('that have no key are told of as a knock, once a minute', async () => {
      const { clock, server } = await world({ psk: { [OTHER]: PSK }, noticeInterval: 60 });
      const knocks: unknown[] = [];
      const refused: unknown[] = [];
      server.on('knock', (knock) => knocks.push(knock));
      server.on('refused', ({ deviceId, reason, count }) => refused.push([deviceId, reason.code, count]));
      const knock = async (): Promise<void> => {
        const client = loopback.client(server, {
          protocol,
          deviceId: ID,
          connectTimeout: 1,
          handshakeTimeout: 1,
        });
        const rejected = outcomeOf(client.connect());
        await eventually(() => server.sessions.size > 0, 150);
        await clock.advance(11_000);
        await rejected;
      };
      await knock();
      await knock();
      assert.equal(knocks.length, 1);
      await clock.advance(60_000);
      await knock();
      const [first, last] = knocks as { time: number }[];
      assert.deepEqual({ ...first, time: 0 }, { deviceId: ID, address: HOST, time: 0, count: 1 });
      assert.ok(last!.time >= first!.time + 60_000);
      assert.deepEqual(refused, [
        [ID, 'USMP_UNKNOWN_DEVICE', 1],
        [ID, 'USMP_UNKNOWN_DEVICE', 2],
      ]);
    }).timeout(20_000);
  });
}

describe('a mailbox', () => {
  const loopback = useLoopback();

  it('goes on with what it has over the other transport', async () => {
    const [tcp, udp] = [await loopback.serve(), await loopback.serve({ protocol: 'udp' })];
    // Until one server listens on both, the way from one to the other is a hand-over.
    const { client } = await loopback.pair(tcp, { deviceId: ID });
    await client.disconnect();
    assert.ok(await eventually(() => tcp.sessions.size === 0));
    await udp.close();
    const waits = tcp.send(ID, 'waits');
    await tcp.handOver({ psk: PSK, host: HOST, port: 0, protocol: 'udp' });
    const { client: again } = await loopback.pair(tcp, { deviceId: ID, protocol: 'udp' });
    assert.equal((await again.recv()).toString(), 'waits');
    assert.equal(await waits, 'delivered');
  });
});
