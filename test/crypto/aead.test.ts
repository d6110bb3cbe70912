import assert from 'node:assert/strict';
import {
  createAead,
  nobleAead,
  nodeAead,
  SUITES,
  type AeadProvider,
  type Suite,
} from '../../src/crypto/aead.js';
import { Secret } from '../../src/crypto/secret.js';
import { concat, toHex } from '../../src/wire/bytes.js';
import { encodeAad, encodeFrame } from '../../src/wire/frame.js';
import { ascii, flipBit, hex } from '../support/hex.js';
import { seeded } from '../support/random.js';
import { frameTypeOf, suiteOf, wire } from '../support/vectors.js';

interface Published {
  source: string;
  suite: Suite;
  key: Uint8Array;
  nonce: Uint8Array;
  aad: Uint8Array;
  plaintext: Uint8Array;
  sealed: string;
}

const GCM_KEY = hex('feffe9928665731c6d6a8f9467308308'.repeat(2));
const GCM_NONCE = hex('cafebabefacedbaddecaf888');
const GCM_PLAINTEXT = hex(
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
);
const GCM_CIPHERTEXT =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
  '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';
const EMPTY = new Uint8Array(0);

const PUBLISHED: Published[] = [
  {
    source: 'McGrew and Viega, The Galois/Counter Mode of Operation, test case 13',
    suite: 'aes-256-gcm',
    key: new Uint8Array(32),
    nonce: new Uint8Array(12),
    aad: EMPTY,
    plaintext: EMPTY,
    sealed: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    source: 'the same, test case 14',
    suite: 'aes-256-gcm',
    key: new Uint8Array(32),
    nonce: new Uint8Array(12),
    aad: EMPTY,
    plaintext: new Uint8Array(16),
    sealed: 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    source: 'the same, test case 15',
    suite: 'aes-256-gcm',
    key: GCM_KEY,
    nonce: GCM_NONCE,
    aad: EMPTY,
    plaintext: GCM_PLAINTEXT,
    sealed: `${GCM_CIPHERTEXT}b094dac5d93471bdec1a502270e3cc6c`,
  },
  {
    source: 'the same, test case 16',
    suite: 'aes-256-gcm',
    key: GCM_KEY,
    nonce: GCM_NONCE,
    aad: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
    plaintext: GCM_PLAINTEXT.subarray(0, 60),
    sealed: `${GCM_CIPHERTEXT.slice(0, 120)}76fc6ece0f4e1768cddf8853bb2d551b`,
  },
  {
    source: 'RFC 8439 §2.8.2',
    suite: 'chacha20-poly1305',
    key: Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i),
    nonce: hex('07000000 4041424344454647'),
    aad: hex('50515253c0c1c2c3c4c5c6c7'),
    plaintext: ascii(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
        'sunscreen would be it.',
    ),
    sealed:
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6' +
      '3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
      '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
      '3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
  },
];

const PROVIDERS = [nodeAead, nobleAead];
const TAG_ERROR = { name: 'CryptoError', code: 'USMP_TAG' };

for (const provider of PROVIDERS) {
  describe(`AEAD from ${provider.name}`, () => {
    for (const { source, suite, key, nonce, aad, plaintext, sealed } of PUBLISHED) {
      it(`seals and opens ${suite} as published: ${source}`, () => {
        const aead = provider.create(suite);
        const secret = new Secret(key);
        assert.equal(toHex(aead.seal(secret, nonce, aad, plaintext)), sealed);
        assert.equal(toHex(aead.open(secret, nonce, aad, hex(sealed))), toHex(plaintext));
      });
    }

    for (const row of wire.seals) {
      const { plaintext } = row;
      it(`seals and opens as the reference: ${row.suite}, type ${row.type}, number ${row.seq}, ${plaintext.length / 2} bytes`, () => {
        const aead = provider.create(suiteOf(row.suite));
        const key = new Secret(hex(row.key));
        const type = frameTypeOf(row.type);
        const aad = encodeAad(type, row.seq, row.payload.length / 2);
        assert.equal(toHex(aad), row.aad);
        const payload = concat(hex(row.nonce), aead.seal(key, hex(row.nonce), aad, hex(plaintext)));
        assert.equal(toHex(payload), row.payload);
        assert.equal(toHex(encodeFrame({ type, seq: row.seq, payload })), row.frame);
        assert.equal(toHex(aead.open(key, hex(row.nonce), aad, hex(row.payload).subarray(12))), plaintext);
      });
    }

    for (const suite of SUITES) {
      it(`refuses ${suite} with any one bit of nonce, AAD, ciphertext or tag turned over`, () => {
        refusesEveryFlippedBit(provider, suite);
      });

      it(`refuses ${suite} under another key`, () => {
        const { aead, nonce, aad, sealed } = sealOnce(provider, suite);
        assert.throws(() => aead.open(new Secret(new Uint8Array(32)), nonce, aad, sealed), TAG_ERROR);
      });

      it(`refuses ${suite} that is cut short, down to nothing`, () => {
        const { aead, key, nonce, aad, sealed } = sealOnce(provider, suite);
        for (let end = 0; end < sealed.length; end++) {
          assert.throws(() => aead.open(key, nonce, aad, sealed.subarray(0, end)), TAG_ERROR, `${end} bytes`);
        }
      });
    }
  });
}

describe('the AEAD providers', () => {
  for (const suite of SUITES) {
    it(`open what the other seals, ${suite}, for sizes from 0 to 480`, () => {
      const random = seeded(480);
      const [node, noble] = [nodeAead.create(suite), nobleAead.create(suite)];
      const sizes = [
        0,
        1,
        15,
        16,
        17,
        63,
        64,
        65,
        452,
        480,
        ...Array.from({ length: 90 }, () => random.below(481)),
      ];
      for (const size of sizes) {
        const key = new Secret(random.bytes(32));
        const [nonce, aad, plaintext] = [random.bytes(12), random.bytes(10), random.bytes(size)];
        const sealed = node.seal(key, nonce, aad, plaintext);
        assert.equal(sealed.length, size + 16);
        assert.deepEqual(noble.seal(key, nonce, aad, plaintext), sealed);
        assert.deepEqual(noble.open(key, nonce, aad, sealed), plaintext);
        assert.deepEqual(node.open(key, nonce, aad, sealed), plaintext);
      }
    });

    it(`are chosen so that createAead has ${suite} on every runtime`, () => {
      const published = PUBLISHED.find((each) => each.suite === suite)!;
      const sealed = createAead(suite).seal(
        new Secret(published.key),
        published.nonce,
        published.aad,
        published.plaintext,
      );
      assert.equal(toHex(sealed), published.sealed);
      assert.equal(nobleAead.supports(suite), true);
    });
  }
});

function sealOnce(provider: AeadProvider, suite: Suite) {
  const random = seeded(7);
  const aead = provider.create(suite);
  const key = new Secret(random.bytes(32));
  const [nonce, aad, plaintext] = [random.bytes(12), random.bytes(10), random.bytes(21)];
  return { aead, key, nonce, aad, sealed: aead.seal(key, nonce, aad, plaintext) };
}

function refusesEveryFlippedBit(provider: AeadProvider, suite: Suite): void {
  const { aead, key, nonce, aad, sealed } = sealOnce(provider, suite);
  assert.doesNotThrow(() => aead.open(key, nonce, aad, sealed));
  const refuses = (n: Uint8Array, a: Uint8Array, s: Uint8Array, where: string): void =>
    assert.throws(() => aead.open(key, n, a, s), TAG_ERROR, where);
  for (let bit = 0; bit < nonce.length * 8; bit++) refuses(flipBit(nonce, bit), aad, sealed, `nonce ${bit}`);
  for (let bit = 0; bit < aad.length * 8; bit++) refuses(nonce, flipBit(aad, bit), sealed, `AAD ${bit}`);
  for (let bit = 0; bit < sealed.length * 8; bit++)
    refuses(nonce, aad, flipBit(sealed, bit), `sealed ${bit}`);
}
