import assert from 'node:assert/strict';
import { Secret } from '../../src/crypto/secret.js';
import { ConnectionClosedError } from '../../src/errors.js';
import type { ChannelHooks } from '../../src/endpoint/channel.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { settle } from '../support/clock.js';
import { Line, NO_ANSWER, NO_NAME, stateOf } from '../support/line.js';
import { PSK } from '../support/wire-tap.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
/** Hooks for messages alone. */
const hearing = (onMessage: (message: Buffer) => boolean): ChannelHooks => ({
  onNews: (news) => news.type === 'message' && onMessage(news.message),
});
const errno = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

for (const protocol of PROTOCOLS) {
  describe(`a channel over ${protocol}`, () => {
    it('settles with the session, and after BYE with why it is over', async () => {
      const line = await new Line({ protocol }).establish();
      const [client, server] = await Promise.all([line.client.established, line.server.established]);
      const withoutKey = (info: object): object => ({ ...info, key: undefined }); // which only the server can tell
      assert.deepEqual(withoutKey(client), withoutKey(server));
      assert.match(client.sessionId, /^[0-9a-f]{32}$/);
      await line.client.close(800);
      assert.equal(await line.client.closed, undefined);
      assert.equal((await line.server.closed)?.code, 'USMP_BYE');
      assert.deepEqual([line.client.isEstablished, line.server.isEstablished], [false, false]);
      assert.equal(line.clock.pending, 0);
    });

    it('takes no more in when 256 messages wait, and the rest once there is room', async () => {
      const line = await new Line({ protocol }).establish();
      const states = Array.from({ length: 300 }, (_, i) => {
        const state = { text: String(i), sent: false };
        void line.client.send(bytes(state.text)).then(() => (state.sent = true));
        return state;
      });
      await line.clock.advance(1_000);
      assert.equal(line.serverEnd.paused, true);
      if (protocol === 'udp') {
        assert.equal(states.filter(({ sent }) => sent).length, 256, 'the others are not acknowledged');
      }
      const taken: string[] = [];
      const take = async (): Promise<void> => void taken.push(String(await line.server.inbox.take(0)));
      while (taken.length < 128) await take();
      assert.equal(line.serverEnd.paused, true);
      await take();
      await settle();
      assert.equal(line.serverEnd.paused, false);
      await line.clock.advance(5_000);
      while (taken.length < 300) await take();
      assert.deepEqual(
        taken,
        states.map(({ text }) => text),
      );
      assert.ok(states.every(({ sent }) => sent));
    });

    it('leaves the path open while a hook takes every message', async () => {
      let count = 0;
      const onMessage = (): boolean => (count += 1) > 0;
      const line = await new Line({ protocol, serverHooks: hearing(onMessage) }).establish();
      await Promise.all(Array.from({ length: 500 }, () => line.client.send(bytes('x'))));
      await settle();
      assert.deepEqual([count, line.serverEnd.paused], [500, false]);
    });

    it('keeps messages that no hook takes for recv, in order', async () => {
      const onMessage = (message: Buffer): boolean => message.toString() === 'two';
      const line = await new Line({ protocol, serverHooks: hearing(onMessage) }).establish();
      for (const text of ['one', 'two', 'three']) await line.client.send(bytes(text));
      const taken = [await line.server.inbox.take(0), await line.server.inbox.take(0)];
      assert.deepEqual(taken.map(String), ['one', 'three']);
    });

    const endings: readonly {
      name: string;
      end: (line: Line) => unknown;
      code: string;
    }[] = [
      { name: 'is closed from here', end: ({ client }) => client.close(500), code: 'USMP_CLOSED' },
      {
        name: 'is aborted',
        end: ({ client }) => client.abort(new ConnectionClosedError('enough', { code: 'USMP_REPLACED' })),
        code: 'USMP_REPLACED',
      },
      {
        name: 'is closed by the other side',
        end: ({ server, serverEnd }) => {
          serverEnd.lost = false;
          return server.close(500);
        },
        code: 'USMP_BYE',
      },
      {
        name: 'loses its transport',
        end: ({ clientEnd }) => clientEnd.break(errno('ECONNRESET')),
        code: 'USMP_LOST',
      },
    ];
    for (const { name, end, code } of endings) {
      it(`settles all that is asked of it when it ${name}`, async () => {
        const line = await new Line({ protocol }).establish();
        await line.client.ping();
        // Nothing comes back any more, and over TCP nothing leaves.
        line.clientEnd.lost = true;
        line.serverEnd.lost = true;
        if (protocol === 'tcp') line.clientEnd.full = true;
        const { client } = line;
        const first = client.ping();
        const requests = {
          ping: first,
          send: client.send(bytes('queued')),
          'another ping': client.ping(),
          rekey: client.rekey(),
          recv: client.inbox.take(0),
          'recv with a timeout': client.inbox.take(60_000),
        };
        const outcomes = Object.entries(requests).map(
          async ([request, promise]) =>
            [
              request,
              await promise.then(
                () => 'resolved',
                (e: unknown) => (e as { code: string }).code,
              ),
            ] as const,
        );
        void end(line);
        await line.clock.advance(2_000);
        for (const [request, outcome] of await Promise.all(outcomes)) {
          assert.equal(outcome, code, request);
        }
        await client.closed;
        assert.equal(await stateOf(client.send(bytes('later'))), 'USMP_NOT_CONNECTED');
        assert.equal(await stateOf(client.ping()), 'USMP_NOT_CONNECTED');
        assert.equal(await stateOf(client.inbox.take(0)), code);
        const closing = line.server.close(100);
        await line.clock.advance(2_000);
        await closing;
        assert.equal(line.clock.pending, 0, 'a timer is left');
      });
    }

    it('gives up when the transport does not open in time', async () => {
      const line = new Line({ protocol });
      const { client } = line;
      await line.clock.advance(2_999);
      assert.equal(await stateOf(client.established), 'pending');
      await line.clock.advance(1);
      await assert.rejects(client.established, NO_ANSWER);
      assert.equal(await client.closed, NO_ANSWER);
    });

    it('does not give up on a transport that has opened while the process was busy', async () => {
      const line = new Line({ protocol });
      line.clock.work(10_000);
      setImmediate(() => line.open());
      await line.clock.advance(0);
      await line.client.established;
      await Promise.all([line.client.close(100), line.server.close(100), line.clock.advance(1_000)]);
      assert.equal(line.clock.pending, 0);
    });

    it('says of a transport that does not open whether its name was still being looked up', async () => {
      for (const isResolving of [true, false]) {
        const line = new Line({ protocol });
        line.server.start();
        line.clientEnd.isResolving = isResolving;
        await line.clock.advance(3_000);
        assert.equal(await line.client.closed, isResolving ? NO_NAME : NO_ANSWER);
      }
    });

    it('gives up when the handshake takes too long, and releases the transport', async () => {
      const line = new Line({ protocol, handshakeMs: 4_000 });
      line.clientEnd.lost = true;
      line.open();
      await line.clock.advance(4_000);
      await assert.rejects(line.client.established, { code: 'USMP_NO_ANSWER' });
      await line.clock.advance(6_000);
      await assert.rejects(line.server.established, { name: 'HandshakeError' });
      assert.deepEqual([line.clientEnd.closed, line.serverEnd.closed], [true, true]);
      assert.equal(line.clock.pending, 0);
    });

    it('can be closed before its transport opened', async () => {
      const { client, clientEnd, clock, server } = new Line({ protocol });
      await client.close(800);
      await assert.rejects(client.established, { code: 'USMP_CLOSED', fault: 'local' });
      assert.equal(clientEnd.closed, true);
      await server.close(0);
      assert.equal(clock.pending, 0);
    });

    for (const opening of [true, false]) {
      it(`${opening ? 'ends' : 'does not end'} with a refusal of the network ${opening ? 'before' : 'in'} the session`, async () => {
        const line = new Line({ protocol });
        if (opening) {
          line.clientEnd.lost = true;
          line.open();
        } else await line.establish();
        line.clientEnd.handlers.fault(errno('EMSGSIZE'));
        assert.equal(await stateOf(line.client.closed), 'pending');
        line.clientEnd.handlers.fault(errno('ECONNREFUSED'));
        await settle();
        if (opening) assert.equal((await line.client.closed)?.code, 'TEST_ECONNREFUSED');
        else assert.equal(line.client.isEstablished, true);
      });
    }

    it('may be used from inside its own hooks', async () => {
      const line: Line = new Line({
        protocol,
        serverHooks: hearing((message) => {
          void line.server.send(message);
          if (message.toString() === 'last') void line.server.close(800);
          return true;
        }),
      });
      await line.establish();
      for (const text of ['one', 'two', 'last']) await line.client.send(bytes(text));
      const taken = [1, 2, 3].map(() => line.client.inbox.take(0));
      assert.deepEqual((await Promise.all(taken)).map(String), ['one', 'two', 'last']);
      assert.equal((await line.client.closed)?.code, 'USMP_BYE');
      assert.equal(await line.server.closed, undefined);
    });

    it('ends when the look-up of a key fails, before CHALLENGE, so that no PSK passes for rejected', async () => {
      const line = new Line({
        protocol,
        serverHooks: { findPsk: () => Promise.reject(new Error('no disk')) },
      });
      line.open();
      await line.clock.advance(15_000);
      await assert.rejects(line.server.established, { code: 'USMP_PSK_LOOKUP', fault: 'local' });
      const code = protocol === 'tcp' ? 'USMP_CLOSED_BEFORE_CHALLENGE' : 'USMP_NO_ANSWER';
      await assert.rejects(line.client.established, { code });
    });

    it('wipes the key that was looked up, and waits for a slow one', async () => {
      const psk = new Secret(PSK);
      let found!: (key: Secret) => void;
      const line = new Line({
        protocol,
        serverHooks: { findPsk: () => new Promise((resolve) => (found = resolve)) },
      });
      line.open();
      await line.clock.advance(5_000);
      found(psk);
      await Promise.all([line.client.established, line.server.established]);
      await settle();
      assert.ok(psk.bytes.every((byte) => byte === 0));
    });
  });
}

describe('a channel over a full TCP socket', () => {
  it('waits for the socket to drain before it writes more', async () => {
    const line = await new Line().establish();
    line.clientEnd.full = true;
    const sends = ['one', 'two', 'three'].map((text) => line.client.send(bytes(text)));
    await settle();
    const before = line.clientEnd.written;
    assert.deepEqual(await Promise.all(sends.map(stateOf)), ['resolved', 'pending', 'pending']);
    line.clientEnd.drain();
    await Promise.all(sends);
    assert.equal(line.clientEnd.written, before + 2);
    const taken = [await line.server.inbox.take(0), await line.server.inbox.take(0)];
    assert.deepEqual(taken.map(String), ['one', 'two']);
  });
});
