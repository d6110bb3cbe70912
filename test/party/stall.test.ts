/**
 * Silence over real sockets: what a busy process finds in its socket comes before what is overdue, and what is not the
 * answer to a PING does not answer it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { systemEnvironment } from '../../src/client/options.js';
import type { USMPError } from '../../src/errors.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { HEADER_BYTES, SEAL_BYTES } from '../../src/wire/constants.js';
import { FakeClock } from '../support/clock.js';
import { HoldingRelay } from '../support/holding-relay.js';
import { eventually, useLoopback } from '../support/loopback.js';

const PONG_BYTES = HEADER_BYTES + SEAL_BYTES;
const MESSAGE_BYTES = PONG_BYTES + 'message'.length;

/** The process does something else for a second and a half. */
function stall(): void {
  const until = performance.now() + 1_500;
  while (performance.now() < until);
}

for (const protocol of PROTOCOLS) {
  describe(`a process over ${protocol} that stalls for 1.5 s`, () => {
    const loopback = useLoopback();

    it('as a client that wants its PONG within 1 s finds it in the socket', async () => {
      const server = await loopback.serve({ protocol });
      const relay = await new HoldingRelay().open(loopback, protocol, server.port!);
      const { client } = await loopback.pair(server, { protocol, port: relay.port, pongTimeout: 1 });
      await client.ping();
      relay.hold('server');
      const ping = client.ping();
      assert.ok(await eventually(() => relay.held >= PONG_BYTES));
      relay.release();
      stall();
      assert.ok((await ping) >= 1_500);
      assert.equal(client.connected, true);
    });

    it('as a server that wants to hear of a device within 1 s finds its message in the socket', async () => {
      const server = await loopback.serve({ protocol, sessionTimeout: 1 });
      const relay = await new HoldingRelay().open(loopback, protocol, server.port!);
      const { client, session } = await loopback.pair(server, { protocol, port: relay.port });
      await client.ping();
      relay.hold('client');
      const sent = client.send('in time').catch(() => undefined);
      const received = session.recv();
      assert.ok(await eventually(() => relay.held > 0));
      relay.release();
      stall();
      assert.equal((await received).toString(), 'in time');
      assert.equal(session.connected, true);
      await sent;
    });

    it('as one that waits for a message for 1 s finds it in the socket', async () => {
      const server = await loopback.serve({ protocol });
      const relay = await new HoldingRelay().open(loopback, protocol, server.port!);
      const { client, session } = await loopback.pair(server, { protocol, port: relay.port });
      await client.ping();
      relay.hold('server');
      const received = client.recv({ timeout: 1 });
      const sent = session.send('in time');
      assert.ok(await eventually(() => relay.held > 0));
      relay.release();
      stall();
      assert.equal((await received).toString(), 'in time');
      await sent;
    });
  });

  describe(`a client over ${protocol} whose gateway hangs`, () => {
    const loopback = useLoopback();

    it('is not deceived by a message that was under way when the PING left', async () => {
      const clock = new FakeClock();
      const server = await loopback.serve({ protocol });
      const relay = await new HoldingRelay().open(loopback, protocol, server.port!);
      const { client, session } = await loopback.pair(
        server,
        { protocol, port: relay.port, keepalive: 8, pongTimeout: 2 },
        { ...systemEnvironment, clock },
      );
      await client.ping();
      await session.ping(); // now nothing of the server's waits for a UTACK
      const closed = once(client, 'close') as Promise<[USMPError]>;
      relay.hold('client');
      await clock.advance(8_000);
      session.send('under way').catch(() => undefined);
      assert.equal((await client.recv()).toString(), 'under way');
      await clock.advance(1_999);
      assert.equal(client.connected, true);
      await clock.advance(1);
      assert.equal((await closed)[0].code, 'USMP_DEAD');
    });
  });
}

describe('a process over tcp that stalls for 1.5 s', () => {
  const loopback = useLoopback();

  it('finds the PONG also behind more messages than it can work off in one turn', async () => {
    const server = await loopback.serve();
    const relay = await new HoldingRelay().open(loopback, 'tcp', server.port!);
    const { client, session } = await loopback.pair(server, { port: relay.port, pongTimeout: 1 });
    await client.ping();
    let received = 0;
    client.on('message', () => (received += 1));
    relay.hold('server');
    const messages = Array.from({ length: 5 }, () =>
      Promise.all(Array.from({ length: 900 }, () => session.send('message'))),
    );
    await Promise.all(messages);
    const ping = client.ping();
    assert.ok(await eventually(() => relay.held === 4_500 * MESSAGE_BYTES + PONG_BYTES));
    relay.release();
    stall();
    await ping;
    assert.deepEqual([client.connected, received], [true, 4_500]);
  });
});
