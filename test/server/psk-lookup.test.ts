/** A look-up of a key that comes to nothing is the server's own trouble, and never counts against a device. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { systemRandom } from '../../src/crypto/random.js';
import type { USMPError } from '../../src/errors.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { PskLookup } from '../../src/server/keys.js';
import { FakeClock } from '../support/clock.js';
import { useLoopback, type Loopback } from '../support/loopback.js';
import { PSK } from '../support/reference.js';
import { Way } from '../support/reference-way.js';
import { connectDevice } from '../support/reference-world.js';

const rubbish = (value: unknown): PskLookup => (() => value) as PskLookup;
const SECRET = 'too-short-a-key';

const LOOKUPS: Record<string, PskLookup> = {
  'that throws': () => {
    throw new Error('no database');
  },
  'that throws nothing': () => {
    // What a program throws may be anything.
    throw undefined; // eslint-disable-line @typescript-eslint/only-throw-error
  },
  'that rejects': () => Promise.reject(new Error('no database')),
  'that gives a key that is too short': () => SECRET,
  'that gives a key that is too short, later': () => Promise.resolve(Buffer.from(SECRET)),
  'that gives an empty key': () => '',
  'that gives a number': rubbish(42),
  'that gives a row of a table': rubbish({ psk: 'a key that both sides have' }),
  'that gives a list': rubbish([...PSK]),
  'that promises a promise of rubbish': rubbish(Promise.resolve(Promise.resolve(Symbol('psk')))),
};

interface Refusal {
  readonly address: string;
  readonly reason: USMPError;
}

async function world(loopback: Loopback, protocol: 'tcp' | 'udp', psk: PskLookup) {
  const clock = new FakeClock();
  const server = await loopback.serve({ protocol, psk }, { clock, random: systemRandom });
  const refusals: Refusal[] = [];
  server.on('refused', (refusal) => refusals.push(refusal));
  // The reference's device sends each HELLO once it is acknowledged no more, as opposed to the client here.
  const device = () => connectDevice(loopback, new Way(clock, protocol, 0), server.port!);
  /** What is on its way arrives, until it holds. */
  const until = async (holds: () => boolean): Promise<void> => {
    for (const limit = performance.now() + 5_000; !holds();) {
      assert.ok(performance.now() < limit);
      await clock.advance(0);
    }
  };
  return { clock, server, refusals, device, until };
}

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} with a look-up of keys`, () => {
    const loopback = useLoopback();

    for (const [what, lookup] of Object.entries(LOOKUPS)) {
      it(`${what}, 20 times in a row, locks nobody out, and tells of each once as its own fault`, async () => {
        let works = false;
        const { server, refusals, device, until } = await world(loopback, protocol, (id) =>
          works ? PSK : lookup(id),
        );
        for (let count = 1; count <= 20; count++) {
          const { party } = await device();
          await until(() => refusals.length === count);
          if (protocol === 'udp') continue;
          await until(() => party.state === 'ended');
          assert.equal(party.ending, 'lost', 'closed before CHALLENGE, and not as with a rejected PSK');
        }
        assert.deepEqual(
          [...new Set(refusals.map(({ reason }) => `${reason.code} ${reason.fault}`))],
          ['USMP_PSK_LOOKUP local'],
        );
        assert.equal(refusals.length, 20);
        for (const { reason } of refusals) assert.ok(!inspect(reason, { depth: 9 }).includes(SECRET));
        works = true;
        const { client } = await loopback.pair(server, { protocol, psk: PSK });
        await client.ping();
      });
    }

    it('that takes longer than the device waits tells of that as its own fault, 20 times in a row', async () => {
      let works = false;
      let asked = 0;
      const { clock, server, refusals, device, until } = await world(loopback, protocol, () => {
        asked += 1;
        return works ? PSK : new Promise(() => undefined);
      });
      for (let count = 1; count <= 20; count++) {
        const session = await device();
        await until(() => asked === count);
        session.do((party) => party.end('closed'));
        if (protocol === 'udp') await clock.advance(10_000); // nobody hears that the device has given up
        await until(() => refusals.length === count);
      }
      assert.deepEqual(
        refusals.map(({ reason }) => `${reason.code} ${reason.fault}`),
        Array<string>(20).fill('USMP_PSK_LOOKUP local'),
      );
      works = true;
      const { client } = await loopback.pair(server, { protocol, psk: PSK });
      await client.ping();
    });

    it('that ends when the device has gone opens no session, and tells of one failure', async () => {
      let found: ((psk: Uint8Array) => void) | undefined;
      const { clock, server, refusals, device, until } = await world(
        loopback,
        protocol,
        () => new Promise((resolve) => (found = resolve)),
      );
      const session = await device();
      await until(() => found !== undefined);
      session.do((party) => party.end('closed'));
      if (protocol === 'udp') await clock.advance(10_000);
      await until(() => refusals.length === 1);
      found?.(PSK);
      await clock.advance(60_000);
      assert.deepEqual([server.sessions.size, refusals.length, clock.pending], [0, 1, 0]);
    });
  });
}
