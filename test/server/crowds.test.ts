/** Many who come at once, and strangers who only hold on: nobody who has the key is kept out. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { systemEnvironment, type ClientEnvironment } from '../../src/client/options.js';
import { systemRandom } from '../../src/crypto/random.js';
import { tcpTransport } from '../../src/transport/tcp.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { USMPServer } from '../../src/server/usmp-server.js';
import { FakeClock, settle } from '../support/clock.js';
import { eventually, HOST, PSK, useLoopback, type Loopback } from '../support/loopback.js';

const ROOM = { maxConnections: 1_000, maxConnectionsPerIp: 1_000 };

const codesOf = (server: USMPServer): string[] => {
  const codes: string[] = [];
  server.on('refused', ({ reason }) => codes.push(reason.code));
  return codes;
};

/** A connection that says nothing. */
async function idle(loopback: Loopback, server: USMPServer, localAddress = HOST): Promise<Socket> {
  const socket = connect({ port: server.port!, host: HOST, localAddress });
  socket.on('error', () => undefined).resume();
  loopback.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} to which many come at once`, () => {
    const loopback = useLoopback();

    it('lets forty in, whose keys take their time', async () => {
      const psk = async (): Promise<string> => {
        await settle();
        return PSK;
      };
      const server = await loopback.serve({ protocol, psk, ...ROOM });
      const codes = codesOf(server);
      const clients = Array.from({ length: 40 }, () => loopback.client(server, { protocol }));
      await Promise.all(clients.map((client) => client.connect()));
      await Promise.all(clients.map((client) => client.ping()));
      assert.deepEqual([server.sessions.size, codes], [40, []]);
    });
  });
}

describe('a server over tcp to which strangers hold on', () => {
  const loopback = useLoopback();

  async function world(options = {}) {
    const clock = new FakeClock();
    const server = await loopback.serve(options, { clock, random: systemRandom });
    return { clock, server, codes: codesOf(server) };
  }

  for (const addresses of [1, 20]) {
    it(`serves a device beside ten idle connections each of ${addresses} addresses`, async () => {
      const { server } = await world({ maxHandshakes: 100 });
      for (let a = 0; a < addresses; a++)
        for (let n = 0; n < 10; n++) await idle(loopback, server, `127.0.0.${a + 2}`);
      for (let n = 0; n < 5; n++) {
        const { client } = await loopback.pair(server);
        await client.ping();
        await client.disconnect();
      }
    });
  }

  it('lets the oldest make way when one address holds its share, and serves a device of that address', async () => {
    const { server, codes } = await world({ maxHandshakesPerAddress: 3 });
    const strangers: Socket[] = [];
    for (let n = 0; n < 5; n++) strangers.push(await idle(loopback, server));
    assert.ok(await eventually(() => codes.length === 2));
    const { client } = await loopback.pair(server);
    await client.ping();
    assert.deepEqual(codes, Array<string>(3).fill('USMP_NOT_ADMITTED'));
    assert.ok(await eventually(() => strangers.filter(({ closed }) => closed).length === 3));
    assert.deepEqual(
      strangers.map(({ closed }) => closed),
      [true, true, true, false, false],
    );
  });

  it('ends what has sent no HELLO after five seconds, a part of one being none', async () => {
    const { clock, server, codes } = await world();
    const strangers = [await idle(loopback, server), await idle(loopback, server)];
    strangers[1]!.write(Buffer.from('cdab0201', 'hex'));
    assert.ok(await eventually(() => clock.pending === 4));
    await clock.advance(4_999);
    assert.deepEqual(codes, []);
    await clock.advance(1);
    assert.deepEqual(codes, ['USMP_NO_ANSWER', 'USMP_NO_ANSWER']);
    assert.ok(await eventually(() => strangers.every(({ closed }) => closed)));
    assert.equal(clock.pending, 0);
  });

  it('gives the handshake its whole time once HELLO is there', async () => {
    const { clock, server, codes } = await world({ psk: () => new Promise(() => undefined) });
    const client = loopback.client(server);
    client.connect().catch(() => undefined);
    await once(client, 'handshaking');
    assert.ok(await eventually(() => clock.pending === 1));
    await clock.advance(9_999);
    assert.deepEqual(codes, []);
    await clock.advance(1);
    assert.deepEqual(codes, ['USMP_PSK_LOOKUP']);
  });

  it('thinks nothing of connections that are closed before HELLO, as a health check does', async () => {
    const { server, codes } = await world();
    const checks = await Promise.all(Array.from({ length: 50 }, () => idle(loopback, server)));
    assert.ok(await eventually(() => server.stats.handshakes === checks.length));
    for (const [n, check] of checks.entries()) {
      if (n % 2 === 0) check.end();
      else check.resetAndDestroy();
    }
    assert.ok(await eventually(() => server.stats.calledOff === 50));
    const { client } = await loopback.pair(server);
    await client.ping();
    assert.deepEqual(codes, []);
    assert.deepEqual(server.stats, { sessions: 1, handshakes: 0, calledOff: 50 });
  });
});

describe('a device that comes from an address that is at its limit', () => {
  const loopback = useLoopback();
  const ID = 'a4:cf:12:00:00:01';

  it('keeps the session that it has elsewhere', async () => {
    const server = await loopback.serve({ maxConnectionsPerIp: 1 });
    const codes = codesOf(server);
    const at = (localAddress: string): ClientEnvironment => ({
      ...systemEnvironment,
      dial: {
        ...systemEnvironment.dial,
        tcp: ({ host, port }, handlers) => tcpTransport(connect({ host, port, localAddress }), handlers),
      },
    });
    const first = await loopback.pair(server, { deviceId: ID }, at('127.0.0.2'));
    await loopback.pair(server, {}, at('127.0.0.3'));
    const again = loopback.client(server, { deviceId: ID }, at('127.0.0.3'));
    await assert.rejects(again.connect(), { code: 'USMP_CLOSED_BEFORE_CHALLENGE' });
    assert.deepEqual(codes, ['USMP_NOT_ADMITTED']);
    assert.equal(server.sessions.get(ID), first.session);
    await first.client.ping();
    const elsewhere = await loopback.pair(server, { deviceId: ID }, at('127.0.0.4'));
    assert.equal(server.sessions.get(ID), elsewhere.session);
    assert.equal(server.sessions.size, 2);
  });
});

describe('a server over both protocols', () => {
  const loopback = useLoopback();
  const ID = 'a4:cf:12:00:00:01';

  it('has one port, and one session of a device, which may change from one to the other', async () => {
    const server = await loopback.serve({ protocol: 'both' });
    for (const protocol of ['tcp', 'udp', 'tcp'] as const) {
      const old = server.sessions.get(ID);
      const { client, session } = await loopback.pair(server, { protocol, deviceId: ID });
      await client.ping();
      assert.deepEqual([session.protocol, session.remoteAddress], [protocol, HOST]);
      assert.deepEqual([...server.sessions.values()], [session]);
      assert.notEqual(old?.connected, true);
    }
  });

  for (const [from, to] of [
    ['tcp', 'udp'],
    ['udp', 'tcp'],
  ] as const) {
    it(`gives a device that comes back over ${to} what waits since it left over ${from}, in order and once`, async () => {
      const server = await loopback.serve({ protocol: 'both' });
      const first = await loopback.pair(server, { protocol: from, deviceId: ID });
      const texts = Array.from({ length: 40 }, (_, n) => `message ${n}`);
      const outcomes = texts.slice(0, 10).map((text) => server.send(ID, text));
      for (const text of texts.slice(0, 10)) assert.equal((await first.client.recv()).toString(), text);
      await Promise.all(outcomes);
      await first.client.disconnect();
      assert.ok(await eventually(() => server.devices.get(ID)?.presence.at === 'offline'));
      const waiting = texts.slice(10).map((text) => server.send(ID, text));
      const second = await loopback.pair(server, { protocol: to, deviceId: ID });
      for (const text of texts.slice(10)) assert.equal((await second.client.recv()).toString(), text);
      assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['delivered']));
      assert.equal(server.devices.get(ID)?.sent, 40);
    });

    it(`takes to ${to} what a session over ${from} had under way when the device came again`, async () => {
      const server = await loopback.serve({ protocol: 'both' });
      const first = await loopback.pair(server, { protocol: from, deviceId: ID });
      first.client.pause(); // it takes nothing more, and so gives no receipt
      await first.client.ping();
      const texts = Array.from({ length: 300 }, (_, n) => `message ${n}`.padEnd(400));
      const waiting = texts.map((text) => server.send(ID, text));
      const second = await loopback.pair(server, { protocol: to, deviceId: ID });
      const got: string[] = [];
      while (got.at(-1) !== texts.at(-1)) got.push((await second.client.recv()).toString());
      await Promise.all(waiting);
      const from0 = texts.indexOf(got[0]!);
      assert.deepEqual(got, texts.slice(from0), 'what was not taken, in order');
    });
  }

  it('counts the sessions of both together', async () => {
    const server = await loopback.serve({ protocol: 'both', maxConnections: 2 });
    const codes = codesOf(server);
    for (const protocol of PROTOCOLS) await loopback.pair(server, { protocol });
    await assert.rejects(loopback.client(server).connect(), { code: 'USMP_CLOSED_BEFORE_CHALLENGE' });
    assert.deepEqual(codes, ['USMP_NOT_ADMITTED']);
  });

  it('tells which of them is taken, and frees the other', async () => {
    for (const protocol of PROTOCOLS) {
      const { port } = await loopback.serve({ protocol });
      const other = protocol === 'tcp' ? 'udp' : 'tcp';
      const both = loopback.serve({ protocol: 'both', port });
      await assert.rejects(both, {
        code: 'USMP_PORT_IN_USE',
        message: new RegExp(`^${protocol.toUpperCase()}`),
      });
      await loopback.serve({ protocol: other, port });
    }
  });

  it('can be opened and closed again and again, and says BYE to all', async () => {
    const server = await loopback.serve({ protocol: 'both' });
    for (let n = 0; n < 3; n++) {
      const told = [];
      for (const protocol of PROTOCOLS) {
        const { client } = await loopback.pair(server, { protocol });
        told.push(once(client, 'close'));
      }
      await server.close();
      for (const [reason] of (await Promise.all(told)) as [{ code: string }][])
        assert.equal(reason.code, 'USMP_BYE');
      assert.deepEqual([server.port, server.sessions.size], [undefined, 0]);
      await server.listen();
    }
  });
});
