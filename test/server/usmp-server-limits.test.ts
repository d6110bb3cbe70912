/** Whom a server turns away, whom it replaces, and what it makes of devices and strangers that behave oddly. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { systemRandom } from '../../src/crypto/random.js';
import type { USMPError } from '../../src/errors.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { ServerSession } from '../../src/server/server-session.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { encodeHello } from '../../src/wire/payloads.js';
import { BoundDial } from '../support/bound-dial.js';
import { FakeClock } from '../support/clock.js';
import { mangled, rawFrame } from '../support/forgery.js';
import { eventually, HOST, PSK, useLoopback, WRONG_PSK } from '../support/loopback.js';
import { frameOf, nameOf } from '../support/path.js';
import { seeded } from '../support/random.js';
import { HAS_HELLO_ACK, Tap } from '../support/tap.js';
import { USMPServer } from '../../src/server/usmp-server.js';

const ID = 'a4:cf:12:00:00:01';
const OTHER_ID = 'a4:cf:12:00:00:02';

const reasonOf = async (session: ServerSession): Promise<USMPError | undefined> =>
  ((await once(session, 'close')) as [USMPError | undefined])[0];

const refusedCodes = (server: USMPServer): string[] => {
  const codes: string[] = [];
  server.on('refused', ({ reason }) => codes.push(reason.code));
  return codes;
};

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} that is asked for too much`, () => {
    const loopback = useLoopback();
    /** What a device concludes that gets no answer to its HELLO. */
    const unanswered = protocol === 'tcp' ? 'USMP_CLOSED_BEFORE_CHALLENGE' : 'USMP_NO_CHALLENGE';

    it('lets a device with the right key in at once, whatever its neighbours fail with', async () => {
      const clock = new FakeClock();
      const server = await loopback.serve({ protocol }, { clock, random: systemRandom });
      const codes = refusedCodes(server);
      for (let n = 1; n <= 8; n++) {
        const tap = new Tap(protocol);
        const neighbour = loopback.client(
          server,
          { protocol, psk: WRONG_PSK, deviceId: OTHER_ID },
          tap.environment,
        );
        const failing = tap.end(assert.rejects(neighbour.connect()), HAS_HELLO_ACK);
        // Its own tries have to wait for their turn, before which there is no answer.
        await clock.until(
          (async () => {
            await failing;
            assert.ok(await eventually(() => codes.length === n));
          })(),
        );
        const { client } = await loopback.pair(server, { protocol, deviceId: ID });
        await client.disconnect();
      }
      assert.deepEqual(codes, Array<string>(8).fill('USMP_DEVICE_PROOF'));
    });

    it('lets a device wait after a few wrong proofs, and in with the right one', async () => {
      const clock = new FakeClock();
      const server = await loopback.serve(
        { protocol, tryInterval: 60, handshakeTimeout: 60 },
        { clock, random: systemRandom },
      );
      const codes = refusedCodes(server);
      const fail = async (): Promise<void> => {
        const known = codes.length;
        const tap = new Tap(protocol);
        const wrong = loopback.client(server, { protocol, psk: WRONG_PSK, deviceId: ID }, tap.environment);
        await tap.end(assert.rejects(wrong.connect(), { code: 'USMP_PSK_REJECTED' }), HAS_HELLO_ACK);
        await clock.advance(protocol === 'udp' ? 2_000 : 0); // so long the true proof might still come
        assert.ok(await eventually(() => codes.length === known + 1));
      };
      for (let n = 0; n < 7; n++) await fail();
      const tap = new Tap(protocol);
      const right = loopback.client(server, { protocol, deviceId: ID }, tap.environment);
      let isIn = false;
      const connecting = right.connect().then(() => (isIn = true));
      await clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(isIn, false);
      await clock.until(connecting);
      await right.ping();
    });

    it('tells a device for which there is no room so before it is in, and keeps the others', async () => {
      const server = await loopback.serve({ protocol, maxConnections: 1 });
      const codes = refusedCodes(server);
      const { client, session } = await loopback.pair(server, { protocol, deviceId: ID });
      const tap = new Tap(protocol);
      const second = loopback.client(server, { protocol, deviceId: OTHER_ID }, tap.environment);
      let established = 0;
      second.on('established', () => (established += 1));
      const refused = assert.rejects(second.connect(), { code: unanswered });
      assert.ok(await eventually(() => codes.length > 0));
      await tap.end(refused);
      assert.deepEqual([established, [...new Set(codes)]], [0, ['USMP_NOT_ADMITTED']]);
      assert.deepEqual([...server.sessions.values()], [session]);
      await client.ping();
      await client.disconnect();
      assert.ok(await eventually(() => server.sessions.size === 0));
      await second.disconnect();
      await second.connect();
      await second.ping();
    });

    it('limits the sessions from one address, and tells the next one before it is in', async () => {
      const server = await loopback.serve({ protocol });
      const codes = refusedCodes(server);
      for (let n = 1; n <= 5; n++)
        await loopback.pair(server, { protocol, deviceId: `a4:cf:12:00:00:0${n}` });
      const tap = new Tap(protocol);
      const sixth = loopback.client(server, { protocol }, tap.environment);
      const refused = assert.rejects(sixth.connect(), { code: unanswered });
      assert.ok(await eventually(() => codes.length > 0));
      await tap.end(refused);
      assert.deepEqual([server.sessions.size, [...new Set(codes)]], [5, ['USMP_NOT_ADMITTED']]);
    });

    it('lets the last place go to one of two devices that come at once, and does not tell the other that its key is wrong', async () => {
      const server = await loopback.serve({ protocol, maxConnections: 1 });
      const codes = refusedCodes(server);
      const taps = [new Tap(protocol), new Tap(protocol)];
      let established = 0;
      const outcomes = taps.map(async (tap, n) => {
        const client = loopback.client(
          server,
          { protocol, deviceId: `a4:cf:12:00:00:0${n}` },
          tap.environment,
        );
        client.on('established', () => (established += 1));
        await client.connect();
      });
      const [first, second] = outcomes;
      first!.catch(() => undefined);
      second!.catch(() => undefined);
      assert.ok(await eventually(() => codes.length > 0));
      if (protocol === 'udp') for (const tap of taps) await tap.clock.advance(60_000);
      const settled = await Promise.allSettled(outcomes);
      const told = settled.map((each) =>
        each.status === 'fulfilled' ? 'in' : (each.reason as USMPError).code,
      );
      assert.deepEqual(told.sort(), [unanswered, 'in'], 'before it has proven anything');
      assert.deepEqual([established, codes[0]], [1, 'USMP_NOT_ADMITTED']);
    });

    it('gives the place of a device to its next session at once, also when all are taken', async () => {
      const server = await loopback.serve({ protocol, maxConnections: 1 });
      const first = await loopback.pair(server, { protocol, deviceId: ID });
      const replaced = reasonOf(first.session);
      const second = await loopback.pair(server, { protocol, deviceId: ID });
      assert.equal((await replaced)?.code, 'USMP_REPLACED');
      assert.deepEqual([...server.sessions.values()], [second.session]);
      await second.client.ping();
      if (protocol === 'tcp') await assert.rejects(first.client.recv(), { code: 'USMP_LOST' });
      await second.client.disconnect();
      assert.ok(await eventually(() => server.sessions.size === 0));
    });

    it('drops strangers who send rubbish, and serves its devices meanwhile', async () => {
      const clock = new FakeClock();
      const environment = { clock, random: systemRandom };
      const server = await loopback.serve({ protocol, sessionTimeout: 0 }, environment);
      const { client, session } = await loopback.pair(server, { protocol });
      const random = seeded(9);
      const originals = [
        rawFrame({ type: FrameType.HELLO, payload: random.bytes(38) }),
        rawFrame({ type: FrameType.HELLO, seq: 1, payload: random.bytes(54) }),
        rawFrame({ type: FrameType.DATA, payload: random.bytes(60) }),
      ];
      if (protocol === 'udp') {
        const stranger = await loopback.udpSocket();
        for (let i = 0; i < 300; i++) stranger.send(mangled(random, originals), server.port, HOST);
      } else {
        for (let i = 0; i < 4; i++) {
          const stranger = await loopback.tcpSocket(server.port!);
          stranger.resume().write(Buffer.concat([mangled(random, originals), random.bytes(2_000)]));
          await clock.until(once(stranger, 'close')); // at the latest when its time for a handshake is over
        }
      }
      await client.send('undisturbed');
      assert.equal((await session.recv()).toString(), 'undisturbed');
      assert.equal(server.sessions.size, 1);
    });

    it('tells when a look-up took too long', async () => {
      const clock = new FakeClock();
      let asked!: () => void;
      const asking = new Promise<void>((resolve) => (asked = resolve));
      const psk = (): Promise<string> => {
        asked();
        return new Promise(() => undefined);
      };
      const server = await loopback.serve({ protocol, psk }, { clock, random: systemRandom });
      const codes = refusedCodes(server);
      const tap = new Tap(protocol);
      const connecting = assert.rejects(loopback.client(server, { protocol }, tap.environment).connect());
      await asking;
      await clock.advance(10_000);
      assert.deepEqual(codes, ['USMP_PSK_LOOKUP']);
      await tap.clock.until(connecting);
    });

    it('locks nobody out because its own look-ups take too long', async () => {
      const clock = new FakeClock();
      let asked = 0;
      const psk = (): string | Promise<string> => {
        asked += 1;
        return asked > 5 ? PSK : new Promise(() => undefined);
      };
      const server = await loopback.serve({ protocol, psk }, { clock, random: systemRandom });
      const tap = new Tap(protocol);
      const clients = [1, 2, 3, 4, 5].map(() => loopback.client(server, { protocol }, tap.environment));
      const failing = Promise.allSettled(clients.map((client) => client.connect()));
      assert.ok(await eventually(() => asked === 5));
      await tap.clock.until(failing);
      await clock.advance(10_000);
      await loopback.pair(server, { protocol });
    });

    it('has freed its port when any of several calls of close resolves', async () => {
      const server = new USMPServer({ psk: PSK, host: HOST, port: await loopback.freePort(), protocol });
      loopback.after(() => server.close());
      await server.listen();
      await loopback.pair(server, { protocol });
      const first = server.close();
      await server.close();
      await server.listen();
      await first;
    });
  });
}

describe('a server over UDP', () => {
  const loopback = useLoopback();

  // Time stands still for both ends, so that nothing is sent twice because the machine is slow.
  const serve = () => loopback.serve({ protocol: 'udp' }, { clock: new FakeClock(), random: systemRandom });
  const boundPair = async (server: USMPServer, port?: number) => {
    const dial = new BoundDial(port);
    const environment = { ...dial.environment, clock: new FakeClock() };
    const both = await loopback.pair(server, { protocol: 'udp', deviceId: ID }, environment);
    return { ...both, dial };
  };

  it('replaces the session of a device that restarts on the same port', async () => {
    const server = await serve();
    const first = await boundPair(server);
    const port = first.dial.localPort;
    await first.client.ping();
    const replaced = reasonOf(first.session);
    first.dial.crash();
    await once(first.client, 'close');
    const second = await boundPair(server, port);
    assert.equal((await replaced)?.code, 'USMP_REPLACED');
    assert.equal(second.session.remotePort, port);
    assert.deepEqual([...server.sessions.values()], [second.session]);
    await second.client.send('from the new one');
    assert.equal((await second.session.recv()).toString(), 'from the new one');
  });

  it('keeps a session whose cookie HELLO comes again, and acknowledges it', async () => {
    const server = await serve();
    const { client, session, dial } = await boundPair(server);
    const hello = dial.sent.find((bytes) => nameOf(bytes) === 'HELLO 1')!;
    const count = (): number => dial.received.filter((bytes) => nameOf(bytes) === 'UTACK of HELLO 1').length;
    const before = count();
    for (let i = 0; i < 3; i++) dial.inject(hello);
    assert.ok(await eventually(() => count() === before + 3));
    await client.send('still the same');
    assert.equal((await session.recv()).toString(), 'still the same');
    assert.equal(session.connected, true);
    assert.equal(dial.received.filter((bytes) => nameOf(bytes) === 'CHALLENGE 0').length, 1);
  });

  it('keeps a session while somebody else sends what it recorded of it', async () => {
    const server = await serve();
    const { client, session, dial } = await boundPair(server);
    await client.send('recorded');
    assert.equal((await session.recv()).toString(), 'recorded');
    const stranger = await loopback.udpSocket();
    const answers: Buffer[] = [];
    stranger.on('message', (datagram: Buffer) => answers.push(datagram));
    for (const bytes of dial.sent) stranger.send(bytes, server.port, HOST);
    assert.ok(await eventually(() => answers.length >= 3));
    // The HELLO without a cookie is answered to whoever sends it. A repeat of a frame that authenticated is acknowledged
    // where it comes from, as the device may have moved; it moves nothing.
    assert.deepEqual(answers.map(nameOf), ['UTACK of HELLO 0', 'HELLO_RETRY 0', 'UTACK of DATA 0']);
    assert.equal(session.remotePort, dial.localPort);
    await client.send('undisturbed');
    assert.equal((await session.recv()).toString(), 'undisturbed');
    assert.equal(server.sessions.size, 1);
  });

  it('keeps nothing of ten thousand HELLOs without a cookie', async () => {
    const clock = new FakeClock();
    const server = await loopback.serve({ protocol: 'udp' }, { clock, random: systemRandom });
    const stranger = await loopback.udpSocket();
    const random = seeded(10);
    let answers = 0;
    let bytesBack = 0;
    stranger.on('message', (datagram: Buffer) => {
      answers += 1;
      bytesBack += datagram.length;
      assert.ok(['UTACK of HELLO 0', 'HELLO_RETRY 0'].includes(nameOf(datagram)));
    });
    let bytesSent = 0;
    for (let sent = 0; sent < 10_000; sent += 25) {
      for (let i = 0; i < 25; i++) {
        const payload = encodeHello({ deviceId: random.bytes(6), clientPublic: random.bytes(32) });
        const hello = encodeFrame({ type: FrameType.HELLO, seq: 0, payload });
        bytesSent += hello.length;
        stranger.send(hello, server.port, HOST);
      }
      assert.ok(await eventually(() => answers === 2 * (sent + 25)));
      await clock.advance(100); // so many of one port are answered at a time
    }
    assert.ok(bytesBack <= bytesSent, 'more goes out than comes in');
    assert.equal(server.sessions.size, 0);
    assert.equal(clock.pending, 0, 'a timer was set for a stranger');
    const { client } = await loopback.pair(server, { protocol: 'udp' });
    await client.ping();
  });

  it('takes no cookie from another address or of its own making', async () => {
    const server = await serve();
    const { client, dial } = await boundPair(server);
    const { payload } = frameOf(dial.sent.find((bytes) => nameOf(bytes) === 'HELLO 1')!)!;
    const stranger = await loopback.udpSocket();
    const answers: Buffer[] = [];
    stranger.on('message', (datagram: Buffer) => answers.push(datagram));
    for (const cookie of [payload.slice(38), new Uint8Array(16), systemRandom(16)]) {
      const bytes = encodeFrame({
        type: FrameType.HELLO,
        seq: 1,
        payload: Uint8Array.of(...systemRandom(38), ...cookie),
      });
      stranger.send(bytes, server.port, HOST);
    }
    // Answered last, and the only one that is.
    stranger.send(
      encodeFrame({ type: FrameType.HELLO, seq: 0, payload: systemRandom(38) }),
      server.port,
      HOST,
    );
    assert.ok(await eventually(() => answers.length === 2));
    assert.deepEqual(answers.map(nameOf), ['UTACK of HELLO 0', 'HELLO_RETRY 0']);
    await client.ping();
  });

  it('acknowledges HELLO_ACK once', async () => {
    const server = await serve();
    const { client, dial } = await boundPair(server);
    await client.ping();
    const utacks = dial.received.filter((bytes) => nameOf(bytes) === 'UTACK of HELLO_ACK 2');
    assert.equal(utacks.length, 1);
  });
});
