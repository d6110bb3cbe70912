import assert from 'node:assert/strict';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { deriveRekeyedKeys, deriveSessionKeys } from '../../src/crypto/schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { toHex } from '../../src/wire/bytes.js';
import { hex } from '../support/hex.js';
import { wire } from '../support/vectors.js';

const range = (from: number, to: number): Uint8Array =>
  Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('HKDF-SHA256, the function under both key schedules', () => {
  const table = [
    {
      example: 'A.1',
      ikm: hex('0b'.repeat(22)),
      salt: range(0x00, 0x0c),
      info: range(0xf0, 0xf9),
      okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    },
    {
      example: 'A.2',
      ikm: range(0x00, 0x4f),
      salt: range(0x60, 0xaf),
      info: range(0xb0, 0xff),
      okm:
        'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09' +
        'da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    },
    {
      example: 'A.3',
      ikm: hex('0b'.repeat(22)),
      salt: new Uint8Array(0),
      info: new Uint8Array(0),
      okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    },
  ];
  for (const { example, ikm, salt, info, okm } of table) {
    it(`gives the output of RFC 5869 ${example}`, () => {
      assert.equal(toHex(hkdf(sha256, ikm, salt, info, okm.length / 2)), okm);
    });
  }
});

describe('deriveSessionKeys (protocol §2.2)', () => {
  wire.session_keys.forEach((row, i) => {
    const shared = new Secret(hex(row.shared));
    const derive = (): ReturnType<typeof deriveSessionKeys> =>
      deriveSessionKeys(shared, hex(row.nonce), hex(row.client_public), hex(row.server_public));

    it(`gives both keys of the reference and wipes the shared secret, row ${i + 1}`, () => {
      const keys = derive();
      assert.equal(toHex(keys.clientToServer.bytes), row.key_c2s);
      assert.equal(toHex(keys.serverToClient.bytes), row.key_s2c);
      assert.equal(toHex(shared.bytes), '00'.repeat(32));
    });
  });
});

describe('deriveRekeyedKeys (protocol §3.8)', () => {
  wire.rekeys.forEach((row, i) => {
    it(`gives both keys of the reference and leaves the old ones be, row ${i + 1}`, () => {
      const [tx, rx] = [new Secret(hex(row.initiator_tx)), new Secret(hex(row.initiator_rx))];
      const keys = deriveRekeyedKeys(tx, rx, hex(row.salt), hex(row.session_id));
      assert.equal(toHex(keys.initiatorTx.bytes), row.new_initiator_tx);
      assert.equal(toHex(keys.initiatorRx.bytes), row.new_initiator_rx);
      assert.deepEqual([toHex(tx.bytes), toHex(rx.bytes)], [row.initiator_tx, row.initiator_rx]);
    });
  });
});
