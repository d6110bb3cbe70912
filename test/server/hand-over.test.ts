/** A server that gets a new owner with other settings: what goes on, what ends and why, and that nothing waiting is lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { USMPError } from '../../src/errors.js';
import type { ServerOptions } from '../../src/server/options.js';
import type { ServerSession } from '../../src/server/server-session.js';
import type { USMPServer } from '../../src/server/usmp-server.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { eventually, freePort, HOST, PSK, useLoopback, WRONG_PSK } from '../support/loopback.js';

const IDS = [1, 2, 3].map((n) => `a4:cf:12:00:00:0${n}`);
const [ID, OTHER] = IDS as [string, string, string];

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} that is handed over`, () => {
    const loopback = useLoopback();
    const options = (more: Partial<ServerOptions> = {}): ServerOptions => ({
      psk: PSK,
      host: HOST,
      port: 0,
      protocol,
      noticeInterval: 0,
      ...more,
    });
    const pair = (server: USMPServer, deviceId: string, more: object = {}) =>
      loopback.pair(server, { protocol, deviceId, ...more });
    /** The code that a session ends with. */
    const end = async (session: ServerSession): Promise<string | undefined> =>
      ((await once(session, 'close')) as [USMPError | undefined])[0]?.code;

    it('goes on with port, sessions and mailboxes where nothing is ruled out, and tells its new owner only', async () => {
      const server = await loopback.serve({ protocol });
      const { client, session } = await pair(server, ID);
      const { port } = server;
      const told: string[] = [];
      server.on('online', () => told.push('former'));
      const waits = server.send(OTHER, 'waits');
      const done = server.handOver(options({ sessionTimeout: 30, maxConnections: 2 }));
      server.on('online', ({ deviceId }) => told.push(deviceId));
      await done;
      assert.equal(server.port, port);
      assert.equal(server.sessions.get(ID), session);
      await client.ping();
      const { client: other } = await pair(server, OTHER);
      assert.equal((await other.recv()).toString(), 'waits');
      assert.equal(await waits, 'delivered');
      assert.deepEqual(told, [OTHER]);
    });

    it('ends the sessions whose key is not valid any more', async () => {
      const server = await loopback.serve({ protocol });
      const { session } = await pair(server, ID);
      const { client } = await pair(server, OTHER);
      const ended = end(session);
      await server.handOver(options({ psk: { [ID]: WRONG_PSK, [OTHER]: PSK } }));
      assert.equal(await ended, 'USMP_KEY_CHANGED');
      await client.ping();
      assert.deepEqual([...server.sessions.keys()], [OTHER]);
    });

    it('ends the newest sessions above a smaller limit', async () => {
      for (const limit of ['maxConnections', 'maxConnectionsPerIp']) {
        const server = await loopback.serve({ protocol });
        const sessions = [];
        for (const id of [...IDS, ID]) sessions.push((await pair(server, id)).session); // the first one came again
        const ended = sessions.slice(2).map(end);
        await server.handOver(options({ [limit]: 1 }));
        assert.deepEqual(await Promise.all(ended), ['USMP_SETTINGS_CHANGED', 'USMP_SETTINGS_CHANGED']);
        assert.deepEqual([...server.sessions.keys()], [OTHER]);
        await server.close();
      }
    });

    it('ends all sessions for another suite, and takes in those who have it', async () => {
      const server = await loopback.serve({ protocol });
      const { session } = await pair(server, ID);
      const ended = end(session);
      const suite = 'chacha20-poly1305';
      await server.handOver(options({ suite }));
      assert.equal(await ended, 'USMP_SETTINGS_CHANGED');
      const { client } = await pair(server, ID, { suite });
      await client.ping();
    });

    it('listens on another port, where sessions over TCP go on and those over UDP come again', async () => {
      const server = await loopback.serve({ protocol });
      const { client, session } = await pair(server, ID);
      const former = server.port;
      const port = await freePort();
      const ended = end(session);
      await server.handOver(options({ port }));
      assert.equal(server.port, port);
      assert.notEqual(former, port);
      if (protocol === 'tcp') await client.ping();
      else assert.equal(await ended, 'USMP_SETTINGS_CHANGED');
      const waits = server.send(OTHER, 'waits');
      const { client: other } = await pair(server, OTHER);
      assert.equal((await other.recv()).toString(), 'waits');
      assert.equal(await waits, 'delivered');
      await server.close();
      assert.ok(await eventually(() => !client.connected));
    });

    it('changes nothing for settings that are not usable', async () => {
      const server = await loopback.serve({ protocol });
      let told = 0;
      server.on('online', () => (told += 1));
      assert.throws(() => void server.handOver(options({ port: -1 })), {
        name: 'ArgumentError',
        field: 'port',
      });
      assert.throws(() => void server.handOver(undefined as never), {
        name: 'ArgumentError',
        field: 'options',
      });
      const { client } = await pair(server, ID);
      await client.ping();
      assert.equal(told, 1);
    });

    it('keeps what waits when a port can not be opened, and is told of that', async () => {
      const server = await loopback.serve({ protocol });
      const taken = await loopback.serve({ protocol });
      const waits = server.send(ID, 'waits');
      await assert.rejects(server.handOver(options({ port: taken.port })), { code: 'USMP_PORT_IN_USE' });
      assert.equal(server.devices.get(ID)?.mailbox?.queued, 1);
      await server.handOver(options());
      await server.listen();
      const { client } = await pair(server, ID);
      assert.equal((await client.recv()).toString(), 'waits');
      assert.equal(await waits, 'delivered');
    });

    it('keeps what waits above a smaller limit of the mailboxes, and takes nothing more', async () => {
      const server = await loopback.serve({ protocol });
      const waits = ['one', 'two'].map((text) => server.send(ID, text));
      await server.handOver(options({ mailboxCount: 1 }));
      await assert.rejects(server.send(ID, 'three'), { code: 'USMP_OUTBOX_FULL' });
      const { client } = await pair(server, ID);
      assert.deepEqual([String(await client.recv()), String(await client.recv())], ['one', 'two']);
      assert.deepEqual(await Promise.all(waits), ['delivered', 'delivered']);
    });
  });
}

describe('a server that is handed over to another choice of transports', () => {
  const loopback = useLoopback();
  const options = (more: Partial<ServerOptions> = {}): ServerOptions => ({
    psk: PSK,
    host: HOST,
    port: 0,
    noticeInterval: 0,
    ...more,
  });

  for (const protocol of PROTOCOLS) {
    const other = protocol === 'tcp' ? 'udp' : 'tcp';

    it(`from ${protocol} to both opens ${other} on the same port, and touches nothing else`, async () => {
      const server = await loopback.serve({ protocol });
      const { port } = server;
      const { client, session } = await loopback.pair(server, { protocol, deviceId: ID });
      const under = loopback.client(server, { protocol, deviceId: OTHER });
      const done = server.handOver(options({ protocol: 'both' }));
      await Promise.all([under.connect(), done]); // what stays lets in meanwhile
      assert.equal(server.port, port);
      assert.equal(server.sessions.get(ID), session);
      await client.ping();
      const { client: second } = await loopback.pair(server, { protocol: other, deviceId: IDS[2]! });
      await second.ping();
      assert.equal(server.sessions.size, 3);
    });

    it(`from both to ${protocol} ends the sessions over ${other} only`, async () => {
      const server = await loopback.serve({ protocol: 'both' });
      const { port } = server;
      const stays = await loopback.pair(server, { protocol, deviceId: ID });
      const goes = await loopback.pair(server, { protocol: other, deviceId: OTHER });
      const ended = once(goes.session, 'close') as Promise<[USMPError]>;
      await server.handOver(options({ protocol }));
      assert.equal((await ended)[0].code, 'USMP_SETTINGS_CHANGED');
      assert.deepEqual([server.port, [...server.sessions.keys()]], [port, [ID]]);
      await stays.client.ping();
      await loopback.serve({ protocol: other, port: port! }); // it is free
    });

    it(`from ${protocol} to both goes on when the port is taken over ${other}, and can be told again`, async () => {
      const server = await loopback.serve({ protocol });
      const { port } = server;
      const blocker = await loopback.serve({ protocol: other, port: port! });
      const { client } = await loopback.pair(server, { protocol, deviceId: ID });
      const both = options({ protocol: 'both', port: port! });
      await assert.rejects(server.handOver(both), { code: 'USMP_PORT_IN_USE' });
      await client.ping();
      await (await loopback.pair(server, { protocol, deviceId: OTHER })).client.ping();
      await blocker.close();
      await server.handOver(both);
      await (await loopback.pair(server, { protocol: other, deviceId: IDS[2]! })).client.ping();
      assert.equal(server.sessions.size, 3);
    });
  }

  it('from tcp to udp and back ends what it can not have, on the same port', async () => {
    const server = await loopback.serve({ protocol: 'tcp' });
    const { port } = server;
    const first = await loopback.pair(server, { protocol: 'tcp', deviceId: ID });
    const ended = once(first.session, 'close') as Promise<[USMPError]>;
    await server.handOver(options({ protocol: 'udp', port: port! }));
    assert.equal((await ended)[0].code, 'USMP_SETTINGS_CHANGED');
    await loopback.pair(server, { protocol: 'udp', deviceId: ID });
    await server.handOver(options({ protocol: 'tcp', port: port! }));
    assert.deepEqual([server.port, server.sessions.size], [port, 0]);
    await loopback.pair(server, { protocol: 'tcp', deviceId: ID });
  });

  it('leaves the sockets alone when the port that the system chose is asked for by its number', async () => {
    const server = await loopback.serve({ protocol: 'both' });
    const { client } = await loopback.pair(server, { protocol: 'udp', deviceId: ID });
    await server.handOver(options({ protocol: 'both', port: server.port! }));
    await client.ping();
  });

  it('closes when it is told to while it changes', async () => {
    const server = await loopback.serve({ protocol: 'tcp' });
    const { client } = await loopback.pair(server, { protocol: 'tcp' });
    const changed = server.handOver(options({ protocol: 'both' }));
    await Promise.all([changed, server.close()]);
    assert.equal(server.port, undefined);
    assert.ok(await eventually(() => !client.connected));
  });
});
