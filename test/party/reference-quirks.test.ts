/**
 * What the reference's habits must not do to us: sessions of the engine, in either role, with the stand-in for the
 * reference at the other end, in memory and under a fake clock.
 */
import assert from 'node:assert/strict';
import { USMPConnection } from '../../src/client/connection.js';
import type { ConnectionOptions } from '../../src/client/connection-options.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { systemRandom } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import { ConnectionClosedError, USMPError } from '../../src/errors.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { Channel } from '../../src/endpoint/channel.js';
import type { Endpoint } from '../../src/endpoint/endpoint.js';
import { Party } from '../../src/party/party.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { ServerSession } from '../../src/server/server-session.js';
import { FakeClock } from '../support/clock.js';
import { first, losing, named, type Path } from '../support/path.js';
import { PSK } from '../support/reference.js';
import { Way, type Driven } from '../support/reference-way.js';
import { DeviceInMemory, ReferenceGateway } from '../support/reference-world.js';
import { kindOf, newLink } from '../support/links.js';

type Role = 'client' | 'server';
const ROLES: readonly Role[] = ['client', 'server'];
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);

interface World {
  readonly clock: FakeClock;
  readonly way: Way;
  /** The reference's end of the session. */
  readonly reference: Driven;
  readonly ours: Endpoint;
  /** What our end got. */
  readonly texts: string[];
  readonly close: () => Promise<void>;
}

/** An open session between our end, in this role, and the stand-in. */
async function open(role: Role, protocol: Protocol, latencyMs = 25): Promise<World> {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, latencyMs);
  const texts: string[] = [];
  const { ours, reference, closing } = await (role === 'client' ? client() : server());
  ours.on('message', (message) => texts.push(message.toString()));
  const close = async (): Promise<void> => {
    const closed = closing();
    await clock.advance(60_000);
    await closed;
  };
  return { clock, way, ours, reference, texts, close };

  async function client() {
    const gateway = new ReferenceGateway(way);
    const environment = { clock, random: systemRandom, dial: { tcp: gateway.dial, udp: gateway.dial } };
    const ours = new USMPClient({ host: 'gateway', psk: PSK, protocol }, environment);
    const connected = ours.connect();
    await clock.advance(1_000);
    await connected;
    return { ours, reference: gateway.session, closing: () => ours.disconnect() };
  }

  async function server() {
    const device = new DeviceInMemory(way);
    const times = { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 60_000 };
    const channel = new Channel({
      party: new Party({
        handshake: new ServerHandshake({ random: systemRandom }),
        link: newLink(kindOf(protocol), 'server'),
        ...{ suite: 'aes-256-gcm', random: systemRandom, times },
      }),
      ...{ clock, open: device.open, connectTimeoutMs: 10_000 },
      explain: () => new ConnectionClosedError('not opened'),
      hooks: { findPsk: () => Promise.resolve(new Secret(PSK)) },
    });
    channel.start();
    device.session.do((party, now) => party.start(now));
    await clock.advance(1_000);
    const { sessionId } = await channel.established;
    const facts = { deviceId: '', sessionId, protocol, remoteAddress: '', remotePort: 0 };
    const ours = new ServerSession(channel, facts);
    return { ours, reference: device.session, closing: () => ours.bye() };
  }
}

/** A connection that stays up, and the stand-in as its gateway. */
async function connect(protocol: Protocol, options: Partial<ConnectionOptions> = {}) {
  const clock = new FakeClock();
  const way = new Way(clock, protocol, 5);
  const gateway = new ReferenceGateway(way);
  const environment = { clock, random: systemRandom, dial: { tcp: gateway.dial, udp: gateway.dial } };
  const connection = new USMPConnection(
    { host: 'gateway', psk: PSK, protocol, retryJitter: 0, ...options },
    environment,
  );
  connection.start();
  await clock.advance(1_000);
  assert.equal(connection.state.at, 'established');
  const close = async (): Promise<void> => {
    const closed = connection.close();
    await clock.advance(100_000); // the reference may not have heard of it
    await closed;
    assert.equal(clock.pending, 0);
  };
  return { clock, way, gateway, connection, close };
}

interface Outcome {
  readonly text: string;
  readonly askedAt: number;
  settledAt?: number;
  error?: unknown;
}

/** What becomes of a promise, while the clock goes on. */
function watch(clock: FakeClock, promise: Promise<unknown>, text = ''): Outcome {
  const outcome: Outcome = { text, askedAt: clock.now() };
  const settled = (error?: unknown): void => {
    outcome.settledAt = clock.now();
    outcome.error = error;
  };
  promise.then(
    () => settled(),
    (error: unknown) => settled(error),
  );
  return outcome;
}

/** Lets time pass until all of them have settled, or the limit is reached. */
async function settled(clock: FakeClock, outcomes: readonly Outcome[], limitMs = 120_000): Promise<void> {
  for (let ms = 0; ms < limitMs && outcomes.some(({ settledAt }) => settledAt === undefined); ms += 20) {
    await clock.advance(20);
  }
}

const failed = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(({ text, askedAt, settledAt, error }) => {
    if (settledAt === undefined) return [`${text}: nothing`];
    if (error === undefined) return [];
    return [`${text}: ${(error as USMPError).code} after ${settledAt - askedAt} ms`];
  });
const longestWait = (outcomes: readonly Outcome[]): number =>
  Math.max(...outcomes.map(({ askedAt, settledAt = Infinity }) => settledAt - askedAt));
/** Those of whom was said that they arrived, and who did not. */
const falselyTold = (outcomes: readonly Outcome[], taken: readonly string[]): string[] =>
  outcomes
    .filter(({ settledAt, error, text }) => settledAt !== undefined && !error && !taken.includes(text))
    .map(({ text }) => text);

const sendAll = (
  clock: FakeClock,
  sender: { send(message: string): Promise<unknown> },
  texts: readonly string[],
): Outcome[] => texts.map((text) => watch(clock, sender.send(text), text));

/** Two ways to ask for 20 PINGs. @returns how many were answered. */
const PINGS: readonly {
  readonly how: string;
  readonly ask: (clock: FakeClock, ping: () => Promise<number>) => Promise<number>;
}[] = [
  {
    how: 'in a row',
    ask: async (clock, ping) => {
      for (let answered = 0; answered < 20; answered++) {
        const outcome = watch(clock, ping());
        await settled(clock, [outcome]);
        if (failed([outcome]).length > 0) return answered;
      }
      return 20;
    },
  },
  {
    how: 'asked for at once',
    ask: async (clock, ping) => {
      const outcomes = Array.from({ length: 20 }, () => watch(clock, ping()));
      await settled(clock, outcomes);
      return 20 - failed(outcomes).length;
    },
  },
];

/** Loses one message of this side, and has the reference change the keys before it comes again. */
function rekeyInPlaceOf(name: string, from: Role, rekey: () => void): Path {
  const lost = first(named(name, from));
  return losing((passing) => {
    if (!lost(passing)) return false;
    rekey();
    return true;
  });
}

for (const role of ROLES) {
  describe(`the reference over UDP, with our ${role}`, () => {
    it('loses none of 30 messages while our side changes the keys', async () => {
      const arrived: number[] = [];
      for (let moment = 300; moment < 350; moment += 10) {
        const { clock, reference, ours, texts, close } = await open(role, 'udp');
        for (const text of numbered(30)) reference.do((party, now) => party.send(text, now));
        await clock.advance(moment);
        const rekeyed = watch(clock, ours.rekey());
        await clock.advance(20_000);
        assert.deepEqual(failed([rekeyed]), []);
        arrived.push(texts.length);
        await close();
      }
      assert.deepEqual(arrived, [30, 30, 30, 30, 30]);
    });

    for (const { frames, refused } of [
      { frames: 60, refused: false },
      { frames: 100, refused: true },
      { frames: 1_000, refused: true },
    ]) {
      it(`gets all that is sent after rekey() was ${refused ? 'refused' : 'called'} behind ${frames} frames`, async () => {
        const { clock, ours, reference, close } = await open(role, 'udp', 1);
        await settled(clock, sendAll(clock, ours, numbered(frames)));
        const rekeyed = watch(clock, ours.rekey());
        const after = sendAll(clock, ours, ['after it', 'and again']);
        await settled(clock, [rekeyed, ...after]);
        await clock.advance(2_000);
        assert.deepEqual(falselyTold(after, reference.party.texts), []);
        assert.deepEqual(failed(after), []);
        assert.equal(rekeyed.error instanceof USMPError, refused);
        await close();
      });
    }

    it('is left within 2.5 s when it has changed the keys behind 100 frames, after which it is deaf', async () => {
      const { clock, ours, reference, close } = await open(role, 'udp', 1);
      await settled(clock, sendAll(clock, ours, numbered(100)));
      const rekeyedAt = clock.now();
      let after = Infinity;
      ours.once('close', () => (after = clock.now() - rekeyedAt));
      reference.do((party, now) => party.rekey(now));
      await clock.advance(60_000);
      assert.ok(after <= 2_500, `left after ${after} ms`);
      await close();
    });

    it('is never said to have a message that came again under the old key, which it throws away', async () => {
      const { clock, way, ours, reference, close } = await open(role, 'udp', 5);
      way.path = rekeyInPlaceOf('DATA 20', role, () => reference.do((party, now) => party.rekey(now)));
      const outcomes = sendAll(clock, ours, numbered(60));
      await settled(clock, outcomes);
      await clock.advance(1_000);
      assert.deepEqual(falselyTold(outcomes, reference.party.texts), []);
      await close();
    });
  });

  for (const protocol of PROTOCOLS) {
    describe(`the reference over ${protocol}, with our ${role}`, () => {
      for (const { how, ask } of PINGS) {
        it(`answers 20 PINGs ${how}, and the session lives on`, async () => {
          const { clock, ours, reference, close } = await open(role, protocol);
          const answered = await ask(clock, () => ours.ping());
          const { ending } = reference.party;
          assert.deepEqual({ answered, ending }, { answered: 20, ending: undefined });
          await close();
        });
      }
    });
  }
}

describe('the reference as the gateway of a connection that stays up', () => {
  for (const protocol of PROTOCOLS) {
    for (const { how, ask } of PINGS) {
      it(`answers 20 PINGs ${how} over ${protocol}, in one session`, async () => {
        const { clock, gateway, connection, close } = await connect(protocol);
        const answered = await ask(clock, () => connection.ping());
        assert.deepEqual({ answered, sessions: gateway.sessions.length }, { answered: 20, sessions: 1 });
        await close();
      });
    }
  }

  it('gets new keys over UDP from new sessions, without an outage, every 200 frames', async () => {
    const { clock, way, gateway, connection, close } = await connect('udp', { rekeyFrames: 200 });
    const outcomes: Outcome[] = [];
    for (const text of numbered(450)) {
      outcomes.push(...sendAll(clock, connection, [text]));
      await clock.advance(20);
    }
    await settled(clock, outcomes);
    const { texts, sessions } = gateway;
    assert.deepEqual(failed(outcomes), []);
    assert.deepEqual(texts, numbered(450));
    const rekeys = way.passed.filter(({ name }) => name.startsWith('REKEY')).length;
    const outage = longestWait(outcomes) > 2_000 ? longestWait(outcomes) : 0;
    const [last, ...others] = sessions.map(({ party }) => party.ending).reverse();
    assert.deepEqual({ outage, rekeys, last }, { outage: 0, rekeys: 0, last: undefined });
    assert.ok(others.length >= 2 && others.every((ending) => ending === 'bye'), others.join());
    await close();
  });

  it('gets all messages, and soon, though it has changed the keys behind 100 frames over UDP', async () => {
    const { clock, gateway, connection, close } = await connect('udp');
    const before = sendAll(clock, connection, numbered(100));
    await settled(clock, before);
    gateway.session.do((party, now) => party.rekey(now));
    const after = sendAll(clock, connection, ['after it', 'and again']);
    await settled(clock, after);
    assert.deepEqual(failed([...before, ...after]), []);
    assert.deepEqual(falselyTold(after, gateway.texts), []);
    assert.ok(longestWait(after) < 5_000, `a message waited for ${longestWait(after)} ms`);
    await close();
  });

  it('has each of 60 confirmed messages, though one came again under the old key', async () => {
    const { clock, way, gateway, connection, close } = await connect('udp');
    way.path = rekeyInPlaceOf('DATA 20', 'client', () =>
      gateway.session.do((party, now) => party.rekey(now)),
    );
    const outcomes = sendAll(clock, connection, numbered(60));
    await settled(clock, outcomes);
    assert.deepEqual(failed(outcomes), []);
    assert.deepEqual(falselyTold(outcomes, gateway.texts), []);
    await close();
  });
});
