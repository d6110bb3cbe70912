/** What `USMPClient` says when it does not come to a session, or loses one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { AuthError, ConnectionClosedError, HandshakeError, type USMPError } from '../../src/errors.js';
import { tcpDialer } from '../../src/transport/tcp.js';
import { udpDialer } from '../../src/transport/udp.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { systemRandom } from '../../src/crypto/random.js';
import { FrameType } from '../../src/wire/constants.js';
import { FakeClock } from '../support/clock.js';
import { rawFrame } from '../support/forgery.js';
import { eventually, useLoopback, WRONG_PSK } from '../support/loopback.js';
import { gatewayProgram, impostor } from '../support/gateway-program.js';
import { relay } from '../support/relay.js';
import { HAS_HELLO_ACK, Tap } from '../support/tap.js';

/** What `connect` failed with. */
async function failure(connecting: Promise<unknown>): Promise<USMPError> {
  return connecting.then(
    () => assert.fail('it connected'),
    (error: unknown) => error as USMPError,
  );
}

for (const protocol of PROTOCOLS) {
  describe(`a client over ${protocol} that does not come to a session`, () => {
    const loopback = useLoopback();

    it('finds the port closed: USMP_CONNECTION_REFUSED', async () => {
      // It does not wait at all.
      const client = loopback.client(await loopback.freePort(), { protocol }, new Tap(protocol).environment);
      const error = await failure(client.connect());
      assert.ok(error instanceof ConnectionClosedError);
      assert.equal(error.code, 'USMP_CONNECTION_REFUSED');
      assert.match(error.message, /is the gateway running/);
    });

    it('finds no address for the host: USMP_HOST_NOT_FOUND', async () => {
      const client = loopback.client(9000, { protocol, host: 'does-not-exist.invalid' });
      const error = await failure(client.connect());
      assert.equal(error.code, 'USMP_HOST_NOT_FOUND');
      assert.match(error.message, /does-not-exist\.invalid/);
    });

    it('waits in vain for the name service: USMP_NAME_TIMEOUT', async () => {
      const clock = new FakeClock();
      const never = (): void => undefined;
      const dial = { tcp: tcpDialer(never), udp: udpDialer(never) };
      const client = loopback.client(
        9000,
        { protocol, host: 'gateway.test', connectTimeout: 10 },
        { clock, random: systemRandom, dial },
      );
      const failing = failure(client.connect());
      await clock.advance(9_999);
      assert.equal(clock.pending, 1);
      await clock.advance(1);
      const error = await failing;
      assert.equal(error.code, 'USMP_NAME_TIMEOUT');
      assert.match(error.message, /host name gateway\.test in time/);
    });

    it('has the wrong PSK: USMP_PSK_REJECTED', async () => {
      const server = await loopback.serve({ protocol });
      const tap = new Tap(protocol);
      const client = loopback.client(server, { protocol, psk: WRONG_PSK }, tap.environment);
      const error = await tap.end(failure(client.connect()), HAS_HELLO_ACK);
      assert.ok(error instanceof HandshakeError && !(error instanceof AuthError));
      assert.equal(error.code, 'USMP_PSK_REJECTED');
      assert.ok(!error.message.includes(WRONG_PSK));
      assert.equal(server.sessions.size, 0);
    });

    it('meets a gateway that cannot prove that it knows the PSK: AuthError', async () => {
      const port = await gatewayProgram(loopback, protocol, impostor);
      const tap = new Tap(protocol);
      const client = loopback.client(port, { protocol }, tap.environment);
      const error = await tap.end(failure(client.connect()), 'SESSION_OK 0');
      assert.ok(error instanceof AuthError);
      assert.equal(error.code, 'USMP_GATEWAY_PROOF');
      assert.equal(client.connected, false);
    });

    it('meets wire version 1: USMP_WIRE_VERSION_1', async () => {
      const port = await gatewayProgram(
        loopback,
        protocol,
        () => () => rawFrame({ version: 1, type: FrameType.CHALLENGE, payload: systemRandom(64) }),
      );
      const tap = new Tap(protocol);
      const client = loopback.client(port, { protocol }, tap.environment);
      const error = await tap.end(failure(client.connect()), '?');
      assert.equal(error.code, 'USMP_WIRE_VERSION_1');
      assert.match(error.message, /wire version 1/);
    });

    it('hears nothing: USMP_NO_ANSWER, when the time that was set is over', async () => {
      const port =
        protocol === 'tcp'
          ? await loopback.tcpProgram((socket) => socket.resume())
          : await loopback.udpProgram();
      const { clock, environment } = new Tap(protocol);
      const client = loopback.client(port, { protocol, handshakeTimeout: 7 }, environment);
      const handshaking = once(client, 'handshaking');
      let isOver = false;
      const failed = failure(client.connect()).finally(() => (isOver = true));
      await handshaking;
      await clock.advance(6_999);
      assert.equal(isOver, false);
      await clock.advance(1);
      const error = await failed;
      assert.ok(error instanceof HandshakeError);
      assert.deepEqual([error.code, error.fault], ['USMP_NO_ANSWER', 'network']);
    });

    it('connects the next time, once there is a gateway', async () => {
      const port = await loopback.freePort();
      const client = loopback.client(port, { protocol });
      await failure(client.connect());
      await loopback.serve({ protocol, port });
      assert.ok(await eventually(() => !client.connected));
      await client.disconnect();
      await client.connect();
      await client.ping();
    });

    it('tries again when connect is called right after a failure', async () => {
      const port = await gatewayProgram(loopback, protocol, impostor);
      const tap = new Tap(protocol);
      const client = loopback.client(port, { protocol }, tap.environment);
      const first = await tap.end(failure(client.connect()), 'SESSION_OK 0');
      const second = await tap.end(failure(client.connect()));
      assert.notEqual(second, first);
    });

    it('opens another session when connect is called as soon as the old one is over', async () => {
      const { client, session } = await loopback.pair(await loopback.serve({ protocol }), { protocol });
      const first = client.sessionId;
      const over = assert.rejects(client.recv(), { code: 'USMP_BYE' });
      await session.bye();
      await over;
      await client.connect();
      assert.equal(client.connected, true);
      assert.notEqual(client.sessionId, first);
    });

    it('opens another session when connect is called while disconnect is under way', async () => {
      const { client } = await loopback.pair(await loopback.serve({ protocol }), { protocol });
      const first = client.sessionId;
      const disconnected = client.disconnect();
      await client.connect();
      await disconnected;
      assert.equal(client.connected, true);
      assert.notEqual(client.sessionId, first);
      await client.ping();
    });
  });

  describe(`a client over ${protocol} whose gateway is gone`, () => {
    const loopback = useLoopback();

    it('disconnects within a second, and settles what it still had to send', async () => {
      const server = await loopback.serve({ protocol, sessionTimeout: 0 });
      const router = await relay(loopback, protocol, server.port!);
      const { clock, environment } = new Tap(protocol);
      const { client } = await loopback.pair(server, { protocol, port: router.port }, environment);
      await client.ping();
      router.goDark();
      const ping = assert.rejects(client.ping(), { code: 'USMP_CLOSED', fault: 'local' });
      const send = client.send('into the dark').catch((error: unknown) => (error as USMPError).code);
      const disconnected = client.disconnect();
      await clock.advance(1_000);
      await disconnected;
      await ping;
      assert.equal(await send, protocol === 'tcp' ? undefined : 'USMP_CLOSED');
    });

    it('notices within keepalive and pongTimeout: USMP_DEAD', async () => {
      const server = await loopback.serve({ protocol, sessionTimeout: 0 });
      const router = await relay(loopback, protocol, server.port!);
      const options = { protocol, port: router.port, keepalive: 0.1, pongTimeout: 0.1 };
      const { clock, environment } = new Tap(protocol);
      const { client } = await loopback.pair(server, options, environment);
      await client.ping();
      router.goDark();
      const closed = once(client, 'close') as Promise<[USMPError]>;
      await clock.advance(200);
      const [reason] = await closed;
      assert.equal(reason.code, 'USMP_DEAD');
      assert.equal(client.connected, false);
    });
  });
}

describe('a client over TCP', () => {
  const loopback = useLoopback();

  for (const [what, talk, code, name] of [
    ['meets a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'USMP_MAGIC', 'MagicError'],
    ['is hung up on at once', undefined, 'USMP_CLOSED_BEFORE_CHALLENGE', 'HandshakeError'],
  ] as const) {
    it(`that ${what} fails with ${code}`, async () => {
      const port = await loopback.tcpProgram((socket) =>
        talk === undefined ? socket.end() : socket.end(talk),
      );
      const error = await failure(loopback.client(port).connect());
      assert.deepEqual([error.code, error.name], [code, name]);
    });
  }

  it('loses its session with USMP_LOST when the connection breaks, also while iterating', async () => {
    const server = await loopback.serve();
    const { client, session } = await loopback.pair(server);
    const iterating = assert.rejects(
      async () => {
        for await (const message of client) assert.fail(message.toString());
      },
      { name: 'ConnectionClosedError', code: 'USMP_LOST' },
    );
    const closed = once(client, 'close');
    session.abort(new ConnectionClosedError('gone'));
    await iterating;
    const [reason] = (await closed) as [USMPError];
    assert.equal(reason.code, 'USMP_LOST');
  });

  it('that has another cipher suite than the server loses its session with its first message', async () => {
    const server = await loopback.serve({ suite: 'aes-256-gcm' });
    const { client, session } = await loopback.pair(server, { suite: 'chacha20-poly1305' });
    const ends = Promise.all([once(client, 'close'), once(session, 'close')]);
    await client.send('unreadable');
    const [[ofClient], [ofServer]] = (await ends) as [[USMPError], [USMPError]];
    assert.deepEqual([ofClient.code, ofServer.code], ['USMP_LOST', 'USMP_TAG']);
  });
});
