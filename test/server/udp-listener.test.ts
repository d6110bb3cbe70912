import assert from 'node:assert/strict';
import { systemRandom } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import { ConnectionClosedError } from '../../src/errors.js';
import { createCookies } from '../../src/handshake/cookie.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { Channel } from '../../src/endpoint/channel.js';
import { Party } from '../../src/party/party.js';
import type { Remote } from '../../src/server/listener.js';
import { listenUdp } from '../../src/server/udp-listener.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { BoundDial } from '../support/bound-dial.js';
import { FakeClock, settle } from '../support/clock.js';
import { ascii } from '../support/hex.js';
import { eventually, HOST, PSK, useLoopback, WRONG_PSK, type Loopback } from '../support/loopback.js';
import { newLink } from '../support/links.js';

const TIMES = { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 60_000 };

/** A listener, and the channels that it has begun. */
async function world(loopback: Loopback) {
  const clock = new FakeClock();
  const channels: Channel[] = [];
  const hooks = {
    admits: true,
    occupants: (): readonly Channel[] => [],
    moves: [] as { readonly channel: Channel; readonly remote: Remote }[],
  };
  const listener = await listenUdp(
    HOST,
    0,
    {
      begin({ open, occupants }) {
        if (!hooks.admits) return undefined;
        const channel = new Channel({
          party: new Party({
            handshake: new ServerHandshake({ random: systemRandom }),
            link: newLink('datagram', 'server'),
            ...{ suite: 'aes-256-gcm', random: systemRandom, times: TIMES },
          }),
          ...{ clock, open, connectTimeoutMs: 10_000 },
          explain: () => new ConnectionClosedError('not opened'),
          hooks: { findPsk: () => Promise.resolve(new Secret(ascii(PSK))) },
        });
        channels.push(channel);
        hooks.occupants = occupants;
        channel.start();
        return channel;
      },
      moved: (channel, remote) => hooks.moves.push({ channel, remote }),
    },
    { clock, random: systemRandom, cookies: createCookies(systemRandom), maxHelloRetriesPerSecond: 2_000 },
  );
  loopback.after(async () => {
    await Promise.all(channels.map((channel) => channel.close(0)));
    await listener.close();
    assert.equal(clock.pending, 0);
  });
  return { clock, listener, channels, hooks };
}

describe('a listener over udp', () => {
  const loopback = useLoopback();

  it('remembers no address whose HELLO has no cookie, or that it does not let in', async () => {
    const { listener, channels, hooks } = await world(loopback);
    const stranger = await loopback.udpSocket();
    let answers = 0;
    stranger.on('message', () => (answers += 1));
    const hello = encodeFrame({ type: FrameType.HELLO, seq: 0, payload: systemRandom(38) });
    stranger.send(hello, listener.port, HOST);
    assert.ok(await eventually(() => answers === 2));
    assert.equal(listener.addresses, 0);

    hooks.admits = false;
    const client = loopback.client(listener.port, { protocol: 'udp', handshakeTimeout: 0.1 });
    await assert.rejects(client.connect());
    assert.deepEqual([listener.addresses, channels.length], [0, 0]);
  });

  it('remembers an address as long as its session lasts', async () => {
    const { listener, channels } = await world(loopback);
    const clients = [1, 2, 3].map(() => loopback.client(listener.port, { protocol: 'udp' }));
    for (const [i, client] of clients.entries()) {
      await client.connect();
      assert.equal(listener.addresses, i + 1);
    }
    await clients[0]!.disconnect();
    assert.ok(await eventually(() => listener.addresses === 2));
    channels[1]!.abort(new ConnectionClosedError('enough'));
    assert.ok(await eventually(() => listener.addresses === 1));
    await clients[2]!.disconnect();
    assert.ok(await eventually(() => listener.addresses === 0));
  });

  it('forgets an address whose handshake comes to nothing', async () => {
    const { clock, listener, channels } = await world(loopback);
    const client = loopback.client(listener.port, {
      ...{ protocol: 'udp', psk: WRONG_PSK, handshakeTimeout: 0.1 },
    });
    await assert.rejects(client.connect());
    assert.deepEqual([listener.addresses, channels.length], [1, 1]);
    await clock.advance(10_000);
    assert.equal(listener.addresses, 0);
  });

  it('takes a client that restarts on its port for one address, until both sessions are over', async () => {
    const { listener, channels, hooks } = await world(loopback);
    const port = await loopback.freePort();
    const dials = [new BoundDial(port), new BoundDial(port)];
    const [first, second] = dials.map((dial) =>
      loopback.client(listener.port, { protocol: 'udp' }, dial.environment),
    );
    await first!.connect();
    dials[0]!.crash();
    await first!.disconnect();
    await second!.connect();
    await second!.ping();
    assert.deepEqual([listener.addresses, channels.length], [1, 2]);
    assert.deepEqual(hooks.occupants(), channels, 'whom the next one would replace');
    channels[0]!.abort(new ConnectionClosedError('replaced'));
    await settle();
    assert.equal(listener.addresses, 1, 'the newer one goes on');
    await second!.ping();
    await second!.disconnect();
    assert.ok(await eventually(() => listener.addresses === 0));
  });
});
