/** What `USMPServer` promises, over real sockets: whom it lets in, what it tells, and that it lets go of its port. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { inspect } from 'node:util';
import { systemRandom } from '../../src/crypto/random.js';
import type { USMPError } from '../../src/errors.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { PskSource } from '../../src/server/keys.js';
import type { ServerSession } from '../../src/server/server-session.js';
import { USMPServer } from '../../src/server/usmp-server.js';
import { FakeClock } from '../support/clock.js';
import { eventually, HOST, PSK, useLoopback, VARIANTS, WRONG_PSK } from '../support/loopback.js';
import { HAS_HELLO, HAS_HELLO_ACK, Tap } from '../support/tap.js';

const ID = 'a4:cf:12:00:00:01';
const OTHER_ID = 'a4:cf:12:00:00:02';

interface Refusal {
  readonly address: string;
  readonly port: number;
  readonly reason: USMPError;
}

const refusal = async (server: USMPServer): Promise<Refusal> =>
  ((await once(server, 'refused')) as [Refusal])[0];

for (const { protocol, suite } of VARIANTS) {
  describe(`a server over ${protocol} with ${suite}`, () => {
    const loopback = useLoopback();

    it('tells of each session who it is and where from', async () => {
      const server = await loopback.serve({ protocol, suite });
      const { client, session } = await loopback.pair(server, { protocol, suite, deviceId: ID });
      const { deviceId, sessionId, remoteAddress, remotePort } = session;
      assert.deepEqual(
        { deviceId, sessionId, remoteAddress, protocol: session.protocol, connected: session.connected },
        { deviceId: ID, sessionId: client.sessionId, remoteAddress: HOST, protocol, connected: true },
      );
      assert.ok(remotePort > 0);
      assert.equal(server.sessions.get(ID), session);
      assert.match(inspect(session), new RegExp(`^ServerSession ${ID} from ${protocol}://127.0.0.1:`));
      assert.match(inspect(server), /listening, 1 sessions$/);
      await client.disconnect();
      assert.ok(await eventually(() => server.sessions.size === 0));
      assert.equal(session.connected, false);
    });

    it('sends and receives, pings, changes keys and says BYE', async () => {
      const server = await loopback.serve({ protocol, suite });
      const { client, session } = await loopback.pair(server, { protocol, suite });
      await session.send('hello');
      assert.equal((await client.recv()).toString(), 'hello');
      assert.ok((await session.ping()) >= 0);
      await session.rekey();
      const received: string[] = [];
      session.on('message', (message) => received.push(message.toString()));
      await client.send('under new keys');
      await client.ping();
      assert.deepEqual(received, ['under new keys']);
      const told = once(client, 'close') as Promise<[USMPError]>;
      await session.bye();
      assert.equal((await told)[0].code, 'USMP_BYE');
      assert.equal(server.sessions.size, 0);
      await assert.rejects(session.send('x'), { code: 'USMP_NOT_CONNECTED' });
    });

    it('keeps several sessions apart', async () => {
      const server = await loopback.serve({ protocol, suite });
      server.on('session', (session) => {
        session.on('message', (message) => void session.send(`${session.deviceId} ${message.toString()}`));
      });
      const ids = [1, 2, 3, 4, 5].map((n) => `a4:cf:12:00:00:0${n}`);
      const answers = ids.map(async (deviceId) => {
        const client = loopback.client(server, { protocol, suite, deviceId });
        await client.connect();
        await client.send('asks');
        return (await client.recv()).toString();
      });
      assert.deepEqual(
        await Promise.all(answers),
        ids.map((id) => `${id} asks`),
      );
      assert.deepEqual([...server.sessions.keys()].sort(), ids);
    });

    it('says BYE to all when it closes, and frees its port', async () => {
      const clock = new FakeClock();
      const server = await loopback.serve({ protocol, suite }, { clock, random: systemRandom });
      const { port } = server;
      const clients = await Promise.all(
        [1, 2, 3].map(async () => {
          const client = loopback.client(server, { protocol, suite });
          await client.connect();
          return client;
        }),
      );
      const told = clients.map((client) => once(client, 'close') as Promise<[USMPError]>);
      await server.close(); // all of them answer, so it need not wait at all
      for (const [reason] of await Promise.all(told)) assert.equal(reason.code, 'USMP_BYE');
      assert.deepEqual([server.port, server.sessions.size], [undefined, 0]);
      const again = await loopback.serve({ protocol, suite, port });
      assert.equal(again.port, port);
      await loopback.pair(again, { protocol, suite });
    });
  });
}

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol}`, () => {
    const loopback = useLoopback();

    it('can be opened and closed again and again, and at any time', async () => {
      const server = new USMPServer({ psk: PSK, host: HOST, port: 0, protocol });
      await server.close();
      for (let i = 0; i < 3; i++) {
        await Promise.all([server.listen(), server.listen()]);
        await server.listen();
        assert.ok(server.port);
        await Promise.all([server.close(), server.close()]);
      }
      const listening = server.listen();
      await server.close();
      await listening;
      assert.equal(server.port, undefined);
    });

    it('finds its port taken: USMP_PORT_IN_USE', async () => {
      const { port } = await loopback.serve({ protocol });
      const second = new USMPServer({ psk: PSK, host: HOST, port, protocol });
      await assert.rejects(second.listen(), (error: USMPError) => {
        assert.deepEqual([error.code, error.fault], ['USMP_PORT_IN_USE', 'local']);
        assert.match(
          error.message,
          new RegExp(`${protocol.toUpperCase()} port ${port} on 127.0.0.1 is taken`),
        );
        return true;
      });
      assert.equal(second.port, undefined);
    });

    it('cannot listen on an address that is not its own: USMP_LISTEN', async () => {
      const server = new USMPServer({ psk: PSK, host: '192.0.2.77', port: 0, protocol });
      await assert.rejects(server.listen(), { code: 'USMP_LISTEN', fault: 'local' });
    });

    it('serves IPv6 as well', async function () {
      const hasIPv6 = Object.values(networkInterfaces()).some((each) =>
        each?.some(({ address }) => address === '::1'),
      );
      if (!hasIPv6) this.skip();
      const server = await loopback.serve({ protocol, host: '::1' });
      const { client, session } = await loopback.pair(server, { protocol, host: '::1' });
      await client.ping();
      assert.equal(session.remoteAddress, '::1');
    });

    const sources: Record<string, PskSource> = {
      'one key as text': PSK,
      'one key as bytes': Buffer.from(PSK),
      'a map': new Map([[ID, PSK]]),
      'a map with ids written in other ways': new Map([['A4-CF-12-00-00-01', Buffer.from(PSK)]]),
      'a record': { [ID]: PSK },
      'a function': (id) => (id === ID ? PSK : undefined),
      'a function that takes its time': (id) =>
        new Promise((resolve) => setImmediate(() => resolve(id === ID ? Buffer.from(PSK) : null))),
    };
    for (const [what, psk] of Object.entries(sources)) {
      it(`finds a device's key in ${what}`, async () => {
        const server = await loopback.serve({ protocol, psk });
        const { client, session } = await loopback.pair(server, { protocol, deviceId: ID });
        await client.ping();
        assert.equal(session.deviceId, ID);
      });
    }

    // What the device concludes.
    const rejected = 'USMP_PSK_REJECTED';
    // A look-up that fails is this side's own trouble, and must not pass for a wrong PSK.
    const refused = protocol === 'tcp' ? 'USMP_CLOSED_BEFORE_CHALLENGE' : 'USMP_NO_CHALLENGE';
    const failing: Record<string, { psk: PskSource; code: string; concluded: string }> = {
      'a map without it': {
        psk: new Map([[OTHER_ID, PSK]]),
        code: 'USMP_UNKNOWN_DEVICE',
        concluded: rejected,
      },
      'a record without it': { psk: { [OTHER_ID]: PSK }, code: 'USMP_UNKNOWN_DEVICE', concluded: rejected },
      'a function that finds nothing': {
        psk: () => undefined,
        code: 'USMP_UNKNOWN_DEVICE',
        concluded: rejected,
      },
      'a function that finds another key': {
        psk: () => WRONG_PSK,
        code: 'USMP_DEVICE_PROOF',
        concluded: rejected,
      },
      'a function that throws': {
        psk: () => {
          throw new Error('no database');
        },
        code: 'USMP_PSK_LOOKUP',
        concluded: refused,
      },
      'a function that rejects': {
        psk: () => Promise.reject(new Error('no database')),
        code: 'USMP_PSK_LOOKUP',
        concluded: refused,
      },
      'a function that gives a key that is too short': {
        psk: () => 'short',
        code: 'USMP_PSK_LOOKUP',
        concluded: refused,
      },
    };
    for (const [what, { psk, code, concluded }] of Object.entries(failing)) {
      it(`refuses a device whose key it does not find in ${what}`, async () => {
        const clock = new FakeClock();
        const server = await loopback.serve({ protocol, psk }, { clock, random: systemRandom });
        const refusals: Refusal[] = [];
        server.on('refused', (each) => refusals.push(each));
        const tap = new Tap(protocol);
        const client = loopback.client(server, { protocol, deviceId: ID }, tap.environment);
        const last = code === 'USMP_PSK_LOOKUP' ? HAS_HELLO : HAS_HELLO_ACK;
        await tap.end(assert.rejects(client.connect(), { code: concluded }), last);
        // Over UDP the true proof might still come for two seconds.
        await clock.advance(2_000);
        assert.ok(await eventually(() => refusals.length > 0));
        // Over UDP each repeat of HELLO is looked up again, as the next look-up may succeed.
        assert.deepEqual([...new Set(refusals.map(({ reason }) => reason.code))], [code]);
        if (protocol === 'tcp' || code !== 'USMP_PSK_LOOKUP') assert.equal(refusals.length, 1);
        for (const { address, port, reason } of refusals) {
          assert.equal(address, HOST);
          assert.ok(port > 0);
          assert.ok(!inspect(reason).includes(PSK));
        }
        assert.equal(server.sessions.size, 0);
        await server.close();
        assert.equal(clock.pending, 0);
      });
    }

    it('goes on serving after look-ups that failed', async () => {
      let calls = 0;
      const psk = (): string => {
        calls += 1;
        if (calls === 1) throw new Error('not yet');
        return PSK;
      };
      const server = await loopback.serve({ protocol, psk });
      const refusing = refusal(server);
      const tap = new Tap(protocol);
      const client = loopback.client(server, { protocol }, tap.environment);
      const connecting = client.connect();
      if (protocol === 'tcp') await assert.rejects(connecting, { code: refused });
      assert.equal((await refusing).reason.code, 'USMP_PSK_LOOKUP');
      if (protocol === 'tcp') {
        await client.disconnect();
        await client.connect();
      } else {
        await tap.end(connecting); // by a repeat of HELLO
      }
      await client.ping();
    });

    it('gives up on a look-up that never ends, when the handshake has taken its time', async () => {
      const clock = new FakeClock();
      let asked!: () => void;
      const asking = new Promise<void>((resolve) => (asked = resolve));
      const psk = (): Promise<string> => {
        asked();
        return new Promise(() => undefined);
      };
      const server = await loopback.serve({ protocol, psk }, { clock, random: systemRandom });
      const tap = new Tap(protocol);
      const client = loopback.client(server, { protocol }, tap.environment);
      const connecting = assert.rejects(client.connect(), { name: 'HandshakeError' });
      await asking;
      await tap.clock.until(connecting);
      await clock.advance(10_000);
      assert.ok(await eventually(() => clock.pending === 0));
    });

    it('ends a session from which nothing has come for the session timeout, without BYE', async () => {
      const clock = new FakeClock();
      const server = await loopback.serve({ protocol }, { clock, random: systemRandom });
      const timeouts: ServerSession[] = [];
      server.on('timeout', (session) => timeouts.push(session));
      const tap = new Tap(protocol);
      const { client, session } = await loopback.pair(server, { protocol }, tap.environment);
      let reason: USMPError | undefined;
      session.on('close', (why) => (reason = why));
      await clock.advance(59_000);
      await client.ping();
      await clock.advance(59_000);
      assert.deepEqual([timeouts, session.connected], [[], true]);
      await clock.advance(1_000);
      assert.deepEqual(timeouts, [session]);
      assert.equal(reason?.code, 'USMP_DEAD');
      assert.equal(server.sessions.size, 0);
      if (protocol === 'tcp') await assert.rejects(client.recv(), { code: 'USMP_LOST' });
      const leaving = client.disconnect();
      await tap.clock.advance(1_000);
      await leaving;
      assert.equal(clock.pending, 0);
    });
  });
}
