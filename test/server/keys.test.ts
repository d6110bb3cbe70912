/** Several keys for one device, keys derived from one, and keys that change while the server runs (protocol §2). */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { derivedPsk } from '../../src/crypto/derived-psk.js';
import { Secret, toPsk } from '../../src/crypto/secret.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import { MAX_PSKS } from '../../src/handshake/server.js';
import { keyFinder, type PskSource } from '../../src/server/keys.js';
import { challenge, DEVICE_ID, makeServer, prove } from '../support/handshakes.js';
import { hex } from '../support/hex.js';
import { seededRandom } from '../support/random.js';

const ID = 'a4:cf:12:00:00:01';
const ID_BYTES = hex('a4cf12000001');
const OLD = 'the old key of the device';
const NEW = 'the new key of the device';
const KEYS = [OLD, NEW, 'a third key of enough bytes', 'a fourth key of enough bytes'];
const MASTER = 'the master key of the fleet';

const found = async (psk: PskSource): Promise<string[] | undefined> =>
  (await keyFinder(psk).find(ID_BYTES))?.map(({ bytes }) => Buffer.from(bytes).toString());

describe('a look-up of keys', () => {
  const sources: Record<string, (keys: readonly string[]) => PskSource> = {
    'a map': (keys) => new Map([[ID, keys]]),
    'an object': (keys) => ({ 'A4-CF-12-00-00-01': keys }),
    'a function': (keys) => () => keys,
    'a function that takes its time': (keys) => () => Promise.resolve(keys),
  };
  for (const [what, source] of Object.entries(sources)) {
    it(`may give several keys for a device: ${what}`, async () => {
      assert.deepEqual(await found(source([OLD, NEW])), [OLD, NEW]);
      assert.equal(await found(source([])), undefined);
      await assert.rejects(async () => found(source([...KEYS, OLD])), {
        field: 'psk',
        message: /at most 4 keys for a device, got 5/,
      });
      await assert.rejects(async () => found(source([OLD, 'short'])), {
        name: 'ArgumentError',
        field: 'psk',
      });
    });
  }

  it('knows the device ids of a map, and those only', () => {
    assert.deepEqual(keyFinder(new Map([[ID, OLD]])).deviceIds, [ID]);
    assert.deepEqual(keyFinder(OLD).deviceIds, []);
    assert.deepEqual(keyFinder(() => OLD).deviceIds, []);
  });
});

/** What came of a handshake of a device that has this key with a server that has these for it. */
function handshake(own: string, known: readonly string[] | undefined) {
  const client = new ClientHandshake({ psk: toPsk(own), deviceId: DEVICE_ID, random: seededRandom(1) });
  const server = makeServer();
  const frame = challenge(server, client.start(), known?.map(toPsk) as unknown as Secret);
  return { server, client, helloAck: client.receive(frame).reply! };
}

describe('a device with several keys', () => {
  for (const [index, key] of KEYS.entries()) {
    it(`comes in with key ${index} of them, and the server tells which it was`, () => {
      const { server, client, helloAck } = handshake(key, KEYS);
      const { sessionOk, established } = prove(server, helloAck);
      assert.equal(established.key?.index, index);
      assert.ok(client.receive(sessionOk).established, 'SESSION_OK is proven with the same key');
      assert.ok(!inspect(established, { depth: 9 }).includes(Buffer.from(key).toString('hex')));
    });
  }

  it('is refused with another key, by the code of a wrong key, and one without any by that of an unknown one', () => {
    const wrong = handshake('quite another key of enough bytes', [OLD, NEW]);
    assert.throws(() => wrong.server.receive(wrong.helloAck), { code: 'USMP_DEVICE_PROOF' });
    const unknown = handshake(OLD, undefined);
    assert.throws(() => unknown.server.receive(unknown.helloAck), { code: 'USMP_UNKNOWN_DEVICE' });
  });

  /** How often the bytes of a key are asked for is how many proofs are computed. */
  class Counted extends Secret {
    static count = 0;

    override get bytes(): Uint8Array {
      Counted.count += 1;
      return super.bytes;
    }
  }

  it('costs the same work whichever key fits, or none', () => {
    const counts = [...KEYS, 'quite another key of enough bytes'].map((own) => {
      const client = new ClientHandshake({ psk: toPsk(own), deviceId: DEVICE_ID, random: seededRandom(1) });
      const server = makeServer();
      server.receive(client.start());
      const psks = KEYS.map((key) => new Counted(toPsk(key).bytes));
      const { reply } = server.providePsk(psks);
      const { reply: helloAck } = client.receive(reply!);
      Counted.count = 0;
      try {
        server.receive(helloAck!);
        return Counted.count - 2; // besides the proofs tried: SESSION_OK and the key's mark
      } catch {
        return Counted.count;
      }
    });
    assert.equal(MAX_PSKS, 4);
    // A proof is computed for each place, whichever fits.
    assert.deepEqual(counts, [4, 4, 4, 4, 4]);
  });

  it('costs the same work however many keys it has, also when it has none', () => {
    const original = Object.getOwnPropertyDescriptor(Secret.prototype, 'bytes')!;
    const counts = [KEYS, [OLD, NEW], [OLD], undefined].map((known) => {
      const { server, helloAck } = handshake('quite another key of enough bytes', known);
      let count = 0;
      Object.defineProperty(Secret.prototype, 'bytes', {
        configurable: true,
        get(this: Secret) {
          count += 1;
          return original.get!.call(this) as Uint8Array;
        },
      });
      try {
        assert.throws(() => server.receive(helloAck), { name: 'AuthError' });
      } finally {
        Object.defineProperty(Secret.prototype, 'bytes', original);
      }
      return count;
    });
    assert.deepEqual(counts, [4, 4, 4, 4]);
  });

  it('has its keys wiped when it is in, and when it is given up', () => {
    for (const own of [NEW, 'quite another key of enough bytes']) {
      const client = new ClientHandshake({ psk: toPsk(own), deviceId: DEVICE_ID, random: seededRandom(1) });
      const server = makeServer();
      server.receive(client.start());
      const psks = [OLD, NEW].map(toPsk);
      const { reply: helloAck } = client.receive(server.providePsk(psks).reply!);
      try {
        server.receive(helloAck!);
      } catch {
        server.wipe();
      }
      for (const { bytes } of psks) assert.ok(bytes.every((byte) => byte === 0));
    }
  });
});

describe('derivedPsk', () => {
  it('gives HMAC-SHA256(master, device id), as another implementation of it does', async () => {
    const expected = createHmac('sha256', MASTER).update(ID_BYTES).digest('hex');
    for (const master of [MASTER, Buffer.from(MASTER)]) {
      assert.equal(Buffer.from(derivedPsk(master)(ID)).toString('hex'), expected);
      const [psk] = (await keyFinder(derivedPsk(master)).find(ID_BYTES))!;
      assert.equal(Buffer.from(psk!.bytes).toString('hex'), expected);
    }
  });

  it('refuses a master key that is none or too short by its name, and does not show it', () => {
    for (const master of [undefined, 7, 'fifteen bytes 1', new Uint8Array(15)]) {
      assert.throws(
        () => derivedPsk(master as never),
        (error: Error & { field?: string }) => error.field === 'master' && !error.message.includes('fifteen'),
      );
    }
  });

  it('keeps a copy, and refuses what is no device id', () => {
    const master = Buffer.from(MASTER);
    const lookup = derivedPsk(master);
    const before = lookup(ID);
    master.fill(0);
    assert.deepEqual(lookup(ID), before);
    assert.throws(() => lookup('nonsense'), { name: 'ArgumentError' });
  });
});
