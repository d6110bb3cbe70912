/** A server closes within a second, whatever its devices do. Its clock is fake; only what a socket lingers is real. */
import assert from 'node:assert/strict';
import { systemRandom } from '../../src/crypto/random.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { ServerSession } from '../../src/server/server-session.js';
import { FakeClock } from '../support/clock.js';
import { HoldingRelay } from '../support/holding-relay.js';
import { stateOf } from '../support/line.js';
import { eventually, useLoopback } from '../support/loopback.js';

/** Sends until the socket takes no more. */
async function fill(session: ServerSession): Promise<void> {
  const message = new Uint8Array(1_808);
  for (;;) {
    const sent = session.send(message);
    sent.catch(() => undefined);
    if ((await stateOf(sent)) === 'pending') return;
  }
}

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} that closes`, () => {
    const loopback = useLoopback();

    async function world() {
      const clock = new FakeClock();
      const server = await loopback.serve({ protocol }, { clock, random: systemRandom });
      const relay = await new HoldingRelay().open(loopback, protocol, server.port!);
      const port = protocol === 'udp' ? relay.port : server.port!;
      const { client, session } = await loopback.pair(server, { protocol, port });
      await client.ping();
      return { clock, server, relay, client, session };
    }

    for (const what of ['server', 'session'] as const) {
      it(`the ${what} does so though a device ${protocol === 'tcp' ? 'reads nothing' : 'acknowledges nothing'}`, async () => {
        const { clock, server, relay, client, session } = await world();
        if (protocol === 'tcp') {
          client.pause();
          await session.send('after which it does not read');
          await fill(session);
        } else {
          relay.hold('client');
          session.send('into the dark').catch(() => undefined);
        }
        const closing = what === 'server' ? server.close() : session.bye();
        await clock.advance(899);
        await closing;
        assert.equal(session.connected, false);
        assert.equal(server.sessions.size, 0);
      });
    }
  });
}

describe('a server over tcp that closes', () => {
  const loopback = useLoopback();

  it('also ends a handshake that is under way', async () => {
    const clock = new FakeClock();
    const server = await loopback.serve({}, { clock, random: systemRandom });
    await loopback.tcpSocket(server.port!);
    assert.ok(await eventually(() => clock.pending > 0));
    await server.close();
    assert.equal(clock.pending, 0);
  });
});
