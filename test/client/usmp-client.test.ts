/** What `USMPClient` promises, over real sockets: the same over either transport and with either suite. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import type { ClientEnvironment } from '../../src/client/options.js';
import { ConnectionClosedError } from '../../src/errors.js';
import { ascii } from '../support/hex.js';
import { PSK, uncaughtDuring, useLoopback, VARIANTS, eventually } from '../support/loopback.js';
import { seeded } from '../support/random.js';
import { Tap } from '../support/tap.js';

const NEVER_CONNECTED = { name: 'NotConnectedError', code: 'USMP_NOT_CONNECTED', fault: 'local' };

for (const { protocol, suite } of VARIANTS) {
  describe(`a client over ${protocol} with ${suite}`, () => {
    const loopback = useLoopback();
    const pair = async (environment?: ClientEnvironment) =>
      loopback.pair(await loopback.serve({ protocol, suite }), { protocol, suite }, environment);

    it('connects, sends, receives and disconnects, and has a session id meanwhile', async () => {
      const { client, session } = await pair();
      assert.equal(client.connected, true);
      assert.match(client.sessionId ?? '', /^[0-9a-f]{32}$/);
      assert.equal(client.sessionId, session.sessionId);
      await client.send('to the server');
      assert.equal((await session.recv()).toString(), 'to the server');
      await session.send(Uint8Array.of(1, 2, 3));
      assert.deepEqual([...(await client.recv())], [1, 2, 3]);
      const closed = once(session, 'close');
      await client.disconnect();
      assert.deepEqual([client.connected, client.sessionId], [false, undefined]);
      const [reason] = (await closed) as [ConnectionClosedError];
      assert.equal(reason.code, 'USMP_BYE');
    });

    it('carries messages of every size both ways, and strings as UTF-8', async () => {
      const { client, session } = await pair();
      const random = seeded(11);
      const messages = [0, 1, 452, 453, 1807, 1808].map((size) => Buffer.from(random.bytes(size)));
      messages.push(Buffer.from('grüße ✓'));
      const sent = Promise.all([
        ...messages.slice(0, -1).flatMap((message) => [client.send(message), session.send(message)]),
        client.send('grüße ✓'),
        session.send('grüße ✓'),
      ]);
      for (const end of [session, client]) {
        for (const message of messages) assert.deepEqual(await end.recv(), message);
      }
      await sent;
      await assert.rejects(client.send(new Uint8Array(1809)), { code: 'USMP_MESSAGE_TOO_LONG' });
      await assert.rejects(client.send(7 as never), { name: 'ArgumentError', field: 'message' });
    });

    it('takes message, PSK and device id from another realm, as a Function node has them', async () => {
      const bytes = (text: string) => runInNewContext(`Uint8Array.from(${JSON.stringify([...ascii(text)])})`);
      const server = await loopback.serve({ protocol, suite, psk: bytes(PSK) });
      const deviceId = runInNewContext('Uint8Array.of(2, 0, 0, 0, 0, 1)');
      const { client, session } = await loopback.pair(server, { protocol, suite, psk: bytes(PSK), deviceId });
      assert.equal(session.deviceId, '02:00:00:00:00:01');
      const long = 'x'.repeat(1808);
      await Promise.all([client.send(bytes(long)), session.send(bytes('short'))]);
      assert.equal((await session.recv()).toString(), long);
      assert.equal((await client.recv()).toString(), 'short');
    });

    it('measures a round trip with ping, which nobody sees as a message', async () => {
      const { client, session } = await pair();
      for (const end of [client, session]) {
        const ms = await end.ping();
        assert.ok(ms >= 0 && ms < 1000, `${ms} ms`);
      }
      await client.send('behind the pings');
      assert.equal((await session.recv()).toString(), 'behind the pings');
    });

    it('changes keys from either side, and both are told', async () => {
      const { client, session } = await pair();
      for (const [initiator, other] of [
        [client, session],
        [session, client],
      ] as const) {
        const told = Promise.all([once(client, 'rekeyed'), once(session, 'rekeyed')]);
        await Promise.all([initiator.rekey(), told]);
        await other.send('under new keys');
        assert.equal((await initiator.recv()).toString(), 'under new keys');
        await initiator.send('both ways');
        assert.equal((await other.recv()).toString(), 'both ways');
      }
    });

    it('hands messages to a listener that was there before it connected', async () => {
      const server = await loopback.serve({ protocol, suite });
      const client = loopback.client(server, { protocol, suite });
      const received: string[] = [];
      client.on('message', (message) => received.push(message.toString()));
      server.on('session', (session) => {
        for (const text of ['one', 'two', 'three']) void session.send(text);
      });
      await client.connect();
      assert.ok(await eventually(() => received.length === 3));
      assert.deepEqual(received, ['one', 'two', 'three']);
    });

    it('hands messages that waited to a listener that comes late, in order and once', async () => {
      const { client, session } = await pair();
      for (const text of ['one', 'two', 'three']) await session.send(text);
      await session.ping(); // they have arrived
      const received: string[] = [];
      client.once('message', (message) => received.push(`once ${message.toString()}`));
      await eventually(() => received.length > 0);
      client.on('message', (message) => received.push(message.toString()));
      await session.send('four');
      assert.ok(await eventually(() => received.length === 4));
      assert.deepEqual(received, ['once one', 'two', 'three', 'four']);
    });

    it('iterates over the messages until the other side says BYE', async () => {
      const { client, session } = await pair();
      for (const text of ['one', 'two']) await session.send(text);
      void session.bye();
      const received: string[] = [];
      for await (const message of client) received.push(message.toString());
      assert.deepEqual(received, ['one', 'two']);
    });

    it('iterates until it is disconnected from here', async () => {
      const { client, session } = await pair();
      await session.send('one');
      const received: string[] = [];
      for await (const message of client) {
        received.push(message.toString());
        void client.disconnect();
      }
      assert.deepEqual(received, ['one']);
    });

    it('lets recv give up after its timeout, and loses no message by it', async () => {
      const { client, session } = await pair();
      await assert.rejects(client.recv({ timeout: 0.02 }), {
        name: 'USMPTimeoutError',
        code: 'USMP_RECV_TIMEOUT',
      });
      await session.send('later');
      assert.equal((await client.recv({ timeout: 5 })).toString(), 'later');
    });

    it('fails recv with the reason once the session is over, after what had come', async () => {
      const { client, session } = await pair();
      const waiting = assert.rejects(session.recv(), { code: 'USMP_CLOSED', fault: 'local' });
      await session.send('last words');
      await session.bye();
      await waiting;
      assert.equal((await client.recv()).toString(), 'last words');
      await assert.rejects(client.recv(), { name: 'ConnectionClosedError', code: 'USMP_BYE' });
      await assert.rejects(client.send('x'), NEVER_CONNECTED);
    });

    it('tells of its stages in order: handshaking, proven, message, close', async () => {
      const server = await loopback.serve({ protocol, suite });
      const client = loopback.client(server, { protocol, suite });
      const stages: string[] = [];
      client.on('handshaking', () => stages.push('handshaking'));
      client.on('proven', () => stages.push('proven'));
      client.on('message', () => stages.push('message'));
      client.on('close', (reason) => stages.push(`close ${reason?.code}`));
      server.on('session', (session) => void session.send('hello').then(() => session.bye()));
      await client.connect();
      await once(client, 'close');
      assert.deepEqual(stages, ['handshaking', 'proven', 'message', 'close USMP_BYE']);
    });

    it('is not broken by a listener that throws', async () => {
      const { client, session } = await pair();
      const received: string[] = [];
      client.on('message', (message) => {
        received.push(message.toString());
        throw new Error(`no ${message.toString()}`);
      });
      client.on('proven', () => assert.fail('no proof'));
      const caught = await uncaughtDuring(async () => {
        await session.send('one');
        await session.ping();
      });
      assert.deepEqual(caught.map((error) => (error as Error).message).sort(), ['no one', 'no proof']);
      assert.deepEqual(received, ['one']);
      client.removeAllListeners('message');
      await client.send('still here');
      assert.equal((await session.recv()).toString(), 'still here');
    });

    it('shares one session between calls of connect', async () => {
      const server = await loopback.serve({ protocol, suite });
      let sessions = 0;
      server.on('session', () => (sessions += 1));
      const client = loopback.client(server, { protocol, suite });
      await Promise.all([client.connect(), client.connect(), client.connect()]);
      await client.connect();
      await client.ping();
      assert.equal(sessions, 1);
    });

    it('connects again after it was disconnected, and has another session then', async () => {
      const server = await loopback.serve({ protocol, suite });
      const client = loopback.client(server, { protocol, suite });
      const ids = new Set<string | undefined>();
      for (let i = 0; i < 3; i++) {
        await client.connect();
        await client.ping();
        ids.add(client.sessionId);
        await client.disconnect();
      }
      assert.equal(ids.size, 3);
      assert.ok(await eventually(() => server.sessions.size === 0));
    });

    it('can be disconnected at any time, and again', async () => {
      const server = await loopback.serve({ protocol, suite });
      const client = loopback.client(server, { protocol, suite });
      await client.disconnect();
      const connecting = client.connect();
      await Promise.all([
        assert.rejects(connecting, { code: 'USMP_CLOSED', fault: 'local' }),
        client.disconnect(),
      ]);
      await client.connect();
      await Promise.all([client.disconnect(), client.disconnect()]);
      await client.disconnect();
      assert.equal(client.connected, false);
    });

    it('sends what is queued before it says BYE', async () => {
      const { client, session } = await pair(new Tap(protocol).environment);
      const texts = Array.from({ length: 20 }, (_, i) => `message ${i}`);
      const sends = texts.map((text) => client.send(text));
      await client.disconnect(); // time stands still: it waits for nothing but the gateway
      await Promise.all(sends);
      for (const text of texts) assert.equal((await session.recv()).toString(), text);
    });

    it('refuses to do anything without a session', async () => {
      const client = loopback.client(await loopback.freePort(), { protocol, suite });
      for (const ask of [
        () => client.send('x'),
        () => client.ping(),
        () => client.rekey(),
        () => client.recv(),
      ]) {
        await assert.rejects(ask, NEVER_CONNECTED);
      }
    });
  });
}

describe('a client', () => {
  const loopback = useLoopback();

  it('shows in a log where it connects to and as whom, and not its key', () => {
    const client = loopback.client(4711, { deviceId: 'a4cf12000001', protocol: 'udp' });
    assert.equal(inspect(client), 'USMPClient udp://127.0.0.1:4711 a4:cf:12:00:00:01 disconnected');
    const onIpv6 = loopback.client(4711, { deviceId: 'a4cf12000001', host: '::1' });
    assert.equal(inspect(onIpv6), 'USMPClient tcp://[::1]:4711 a4:cf:12:00:00:01 disconnected');
    assert.ok(!inspect(client, { customInspect: false, depth: 9, showHidden: true }).includes(PSK));
  });

  it('hands each message once to a listener that throws', async () => {
    const { client, session } = await loopback.pair(await loopback.serve());
    const received: string[] = [];
    client.on('message', (message) => {
      received.push(message.toString());
      throw new Error('no');
    });
    const caught = await uncaughtDuring(async () => {
      for (const text of ['one', 'two', 'three']) await session.send(text);
      await session.ping();
    });
    assert.deepEqual(received, ['one', 'two', 'three']);
    assert.equal(caught.length, 3);
  });

  it('hands each message once to a listener that comes late and throws', async () => {
    const { client, session } = await loopback.pair(await loopback.serve());
    for (const text of ['one', 'two', 'three']) await session.send(text);
    await session.ping();
    const received: string[] = [];
    const caught = await uncaughtDuring(async () => {
      client.on('message', (message) => {
        received.push(message.toString());
        throw new Error('no');
      });
      for (const text of ['four', 'five', 'six']) await session.send(text);
      await session.ping();
    });
    assert.deepEqual(received, ['one', 'two', 'three', 'four', 'five', 'six']);
    assert.equal(caught.length, 6);
  });
});
