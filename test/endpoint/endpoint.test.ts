/** What a session tells, in which order, when the gateway sends right behind SESSION_OK. */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ClientEnvironment } from '../../src/client/options.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { systemRandom } from '../../src/crypto/random.js';
import type { Dial } from '../../src/transport/transport.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { concat } from '../../src/wire/bytes.js';
import { FakeClock } from '../support/clock.js';
import { nameOf } from '../support/path.js';
import { PSK, type Reference } from '../support/reference.js';
import { Way } from '../support/reference-way.js';
import { ReferenceGateway } from '../support/reference-world.js';

/** Over TCP, SESSION_OK and all that comes soon after it come in one segment, and the end of the connection behind it. */
function inOneSegment(clock: FakeClock, dial: Dial): Dial {
  return (target, handlers) => {
    let segment: Uint8Array[] | undefined;
    return dial(target, {
      ...handlers,
      data(bytes) {
        if (nameOf(bytes).startsWith('SESSION_OK')) {
          segment = [];
          clock.setTimer(10, () => {
            handlers.data(concat(...(segment ?? [])));
            segment = undefined;
          });
        }
        if (segment) segment.push(bytes);
        else handlers.data(bytes);
      },
      closed(error) {
        if (segment) clock.setTimer(10, () => handlers.closed(error));
        else handlers.closed(error);
      },
    });
  };
}

interface World {
  readonly clock: FakeClock;
  readonly gateway: ReferenceGateway;
  readonly environment: ClientEnvironment;
}

/** A gateway that sends a message at once, and then does this. */
function world(protocol: Protocol, then: (party: Reference, now: number) => void): World {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, 5);
  const gateway: ReferenceGateway = new ReferenceGateway(way, {
    onEstablished: () =>
      gateway.session.do((party, now) => {
        party.send('first', now);
        then(party, now);
      }),
  });
  const dial = { tcp: inOneSegment(clock, gateway.dial), udp: gateway.dial };
  return { clock, gateway, environment: { clock, random: systemRandom, dial } };
}

const settings = (protocol: Protocol) => ({ host: 'gateway', psk: PSK, protocol, retryJitter: 0 });

/** Time goes on until it has settled, or for a minute. */
async function over(clock: FakeClock, promise: Promise<unknown>): Promise<void> {
  let left = 60_000;
  const settled = promise.finally(() => (left = 0));
  for (; left > 0; left -= 100) await clock.advance(100);
  await settled;
}

const ENDINGS: {
  what: string;
  then: Parameters<typeof world>[1];
  code: string;
  over: readonly Protocol[];
}[] = [
  {
    what: 'says BYE behind that',
    then: (party, now) => party.close(now),
    code: 'USMP_BYE',
    over: PROTOCOLS,
  },
  { what: 'hangs up behind that', then: (party) => party.end('lost'), code: 'USMP_LOST', over: ['tcp'] },
  { what: 'stays', then: () => undefined, code: 'undefined', over: PROTOCOLS },
];

for (const protocol of PROTOCOLS) {
  describe(`a gateway over ${protocol} that sends right behind SESSION_OK`, () => {
    for (const { what, then, code } of ENDINGS.filter((ending) => ending.over.includes(protocol))) {
      it(`and ${what}: a client tells of all of it in order`, async () => {
        const { clock, gateway, environment } = world(protocol, then);
        const client = new USMPClient(settings(protocol), environment);
        const told: string[] = [];
        const tell = (news: string) => (): void => void told.push(news);
        client.on('handshaking', tell('handshaking'));
        client.on('established', (id) => told.push(id === client.sessionId ? 'established' : 'another'));
        client.on('proven', tell('proven'));
        client.on('message', (message) => told.push(message.toString()));
        client.on('close', (reason) => told.push(`close ${reason?.code}`));
        await over(clock, client.connect());
        await clock.advance(1_000);
        await over(clock, client.disconnect());
        assert.deepEqual(told, [...['handshaking', 'established', 'proven', 'first'], `close ${code}`]);
        gateway.close();
        await clock.advance(100_000);
        assert.equal(clock.pending, 0);
      });

      it(`and ${what}: the messages of a connection carry the session that they came over`, async () => {
        const { clock, gateway, environment } = world(protocol, then);
        const connection = new USMPConnection(settings(protocol), environment);
        const told: string[] = [];
        let sessionId: string | undefined;
        connection.on('state', (state) => {
          told.push(state.at);
          if (state.at === 'established') sessionId = state.sessionId;
        });
        connection.on('message', (message, origin) =>
          told.push(origin.sessionId === sessionId ? message.toString() : `from ${origin.sessionId}`),
        );
        connection.start();
        await clock.advance(1_000);
        assert.match(sessionId ?? '', /^[0-9a-f]{32}$/);
        assert.deepEqual(told.splice(0), [
          ...['connecting', 'handshaking', 'established', 'first'],
          ...(code === 'undefined' ? [] : ['waiting']),
        ]);
        await over(clock, connection.close());
        gateway.close();
        await clock.advance(100_000);
        assert.equal(clock.pending, 0);
      });
    }

    it('has its message wait for a listener, or for recv', async () => {
      for (const take of [
        (client: USMPClient) => client.recv(),
        (client: USMPClient) => new Promise<Buffer>((resolve) => client.once('message', resolve)),
      ]) {
        const { clock, gateway, environment } = world(protocol, () => undefined);
        const client = new USMPClient(settings(protocol), environment);
        await over(clock, client.connect());
        await clock.advance(1_000);
        assert.equal((await take(client)).toString(), 'first');
        await over(clock, client.disconnect());
        gateway.close();
        await clock.advance(100_000);
      }
    });

    it('has its message wait for a client that is paused, which connects all the same', async () => {
      const { clock, gateway, environment } = world(protocol, () => undefined);
      const client = new USMPClient(settings(protocol), environment);
      const messages: string[] = [];
      client.on('message', (message) => messages.push(message.toString()));
      client.pause();
      await over(clock, client.connect());
      await clock.advance(5_000);
      assert.deepEqual([messages, client.connected], [[], true]);
      client.resume();
      await clock.advance(5_000);
      assert.deepEqual(messages, ['first']);
      await over(clock, client.disconnect());
      gateway.close();
      await clock.advance(100_000);
      assert.equal(clock.pending, 0);
    });
  });
}

describe('a gateway over tcp that sends right behind SESSION_OK', () => {
  it('is connected also while messages of the session before are on hold', async () => {
    const { clock, gateway, environment } = world('tcp', () => undefined);
    const connection = new USMPConnection({ ...settings('tcp'), keepalive: 1, pongTimeout: 1 }, environment);
    const messages: string[] = [];
    connection.on('message', (message) => messages.push(message.toString()));
    connection.hold();
    connection.start();
    await clock.advance(1_000);
    for (let i = 0; i < 300; i++) gateway.session.do((party, now) => party.send('more', now));
    await clock.advance(20_000);
    gateway.session.do((party, now) => party.close(now));
    await clock.advance(60_000);
    assert.equal(connection.state.at, 'established');
    connection.release();
    await clock.advance(60_000);
    assert.deepEqual(messages.slice(0, 3), ['first', 'more', 'more']);
    assert.equal(messages.at(-1), 'first', 'of the next session');
    await over(clock, connection.close());
    gateway.close();
    await clock.advance(100_000);
    assert.equal(clock.pending, 0);
  });
});
