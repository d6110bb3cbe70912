import assert from 'node:assert/strict';
import { systemRandom } from '../../src/crypto/random.js';
import { generateKeyPair } from '../../src/crypto/x25519.js';
import { toHex } from '../../src/wire/bytes.js';
import { hex } from '../support/hex.js';
import { scripted } from '../support/random.js';
import { wire } from '../support/vectors.js';

/** X25519 of RFC 7748 §5, through the only door there is. */
function x25519(scalar: string, u: string): string {
  return toHex(generateKeyPair(scripted(hex(scalar))).agree(hex(u)).bytes);
}

/** The points whose order divides 8, and other spellings of them: the top bit is masked (RFC 7748 §5). */
const SMALL_ORDER = [
  { point: '0', u: '00'.repeat(32) },
  { point: '1', u: `01${'00'.repeat(31)}` },
  { point: 'of order 8', u: 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800' },
  { point: 'of order 8, the other', u: '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157' },
  { point: 'p - 1', u: `ec${'ff'.repeat(30)}7f` },
  { point: 'p', u: `ed${'ff'.repeat(30)}7f` },
  { point: 'p + 1', u: `ee${'ff'.repeat(30)}7f` },
  { point: '0 with the top bit set', u: `${'00'.repeat(31)}80` },
  { point: 'p with the top bit set', u: `ed${'ff'.repeat(31)}` },
];

describe('X25519', () => {
  const section52 = [
    {
      scalar: 'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      u: 'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      result: 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    },
    {
      scalar: '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      u: 'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      result: '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    },
  ];
  section52.forEach(({ scalar, u, result }, i) => {
    it(`gives the result of RFC 7748 §5.2, vector ${i + 1}`, () => {
      assert.equal(x25519(scalar, u), result);
    });
  });

  it('gives the results of RFC 7748 §5.2 after 1 and after 1,000 iterations', () => {
    let [k, u] = [`09${'00'.repeat(31)}`, `09${'00'.repeat(31)}`];
    for (let round = 1; round <= 1000; round++) {
      [k, u] = [x25519(k, u), k];
      if (round === 1) assert.equal(k, '422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
    }
    assert.equal(k, '684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
  });

  it('lets Alice and Bob of RFC 7748 §6.1 agree', () => {
    const alice = generateKeyPair(
      scripted(hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')),
    );
    const bob = generateKeyPair(
      scripted(hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')),
    );
    assert.equal(toHex(alice.publicKey), '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    assert.equal(toHex(bob.publicKey), 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    assert.equal(toHex(alice.agree(bob.publicKey).bytes), shared);
    assert.equal(toHex(bob.agree(alice.publicKey).bytes), shared);
  });

  wire.session_keys.forEach((row, i) => {
    it(`gives the public keys and the shared secret of the reference, row ${i + 1}`, () => {
      const client = generateKeyPair(scripted(hex(row.client_private)));
      const server = generateKeyPair(scripted(hex(row.server_private)));
      assert.equal(toHex(client.publicKey), row.client_public);
      assert.equal(toHex(server.publicKey), row.server_public);
      assert.equal(toHex(client.agree(server.publicKey).bytes), row.shared);
      assert.equal(toHex(server.agree(client.publicKey).bytes), row.shared);
    });
  });

  for (const { point, u } of SMALL_ORDER) {
    it(`refuses the point ${point}, as the result is all zero (RFC 7748 §6.1)`, () => {
      const scalar = wire.session_keys[0]!.client_private;
      assert.throws(() => x25519(scalar, u), { name: 'CryptoError', code: 'USMP_BAD_PUBLIC_KEY' });
    });
  }

  for (const size of [0, 1, 31]) {
    it(`refuses a public key of ${size} bytes`, () => {
      const pair = generateKeyPair(scripted(hex(wire.session_keys[0]!.client_private)));
      assert.throws(() => pair.agree(new Uint8Array(size).fill(9)), {
        name: 'CryptoError',
        code: 'USMP_BAD_PUBLIC_KEY',
      });
    });
  }

  it("agrees with the keys that OpenSSL makes of the system's random bytes as with any other", () => {
    const made = Array.from({ length: 20 }, () => generateKeyPair(systemRandom));
    const given = generateKeyPair(scripted(hex(wire.session_keys[0]!.client_private)));
    for (const pair of made) {
      assert.equal(pair.publicKey.length, 32);
      assert.equal(pair.publicKey.byteLength, pair.publicKey.buffer.byteLength, 'bytes of its own');
      assert.equal(toHex(pair.agree(given.publicKey).bytes), toHex(given.agree(pair.publicKey).bytes));
    }
    assert.equal(new Set(made.map(({ publicKey }) => toHex(publicKey))).size, made.length);
  });

  it('makes keys of no other random bytes than those of the source that it is given', () => {
    const seed = (): Uint8Array => hex(wire.session_keys[0]!.client_private);
    assert.deepEqual(generateKeyPair(seed).publicKey, hex(wire.session_keys[0]!.client_public));
    assert.deepEqual(generateKeyPair(seed).publicKey, hex(wire.session_keys[0]!.client_public));
  });

  it('wipes the random bytes that the private key was made of', () => {
    const given = hex(wire.session_keys[0]!.client_private);
    generateKeyPair(() => given);
    assert.equal(toHex(given), '00'.repeat(32));
  });
});
