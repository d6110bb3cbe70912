import assert from 'node:assert/strict';
import { cookieMac, equalProofs, helloAckProof, sessionOkProof, utackMac } from '../../src/crypto/proofs.js';
import { Secret } from '../../src/crypto/secret.js';
import { toHex } from '../../src/wire/bytes.js';
import { ascii, flipBit, hex } from '../support/hex.js';
import { wire } from '../support/vectors.js';

describe('HMAC-SHA256, through the cookie, which is its first 16 bytes over any input', () => {
  const long = hex('aa'.repeat(131));
  const table = [
    {
      section: '4.2',
      key: hex('0b'.repeat(20)),
      data: ascii('Hi There'),
      mac: 'b0344c61d8db38535ca8afceaf0bf12b',
    },
    {
      section: '4.3',
      key: ascii('Jefe'),
      data: ascii('what do ya want for nothing?'),
      mac: '5bdcc146bf60754e6a042426089575c7',
    },
    {
      section: '4.4',
      key: hex('aa'.repeat(20)),
      data: hex('dd'.repeat(50)),
      mac: '773ea91e36800e46854db8ebd09181a7',
    },
    {
      section: '4.5',
      key: Uint8Array.from({ length: 25 }, (_, i) => i + 1),
      data: hex('cd'.repeat(50)),
      mac: '82558a389a443c0ea4cc819899f2083a',
    },
    {
      section: '4.6',
      key: hex('0c'.repeat(20)),
      data: ascii('Test With Truncation'),
      mac: 'a3b6167473100ee06e0c796c2955552b',
    },
    {
      section: '4.7',
      key: long,
      data: ascii('Test Using Larger Than Block-Size Key - Hash Key First'),
      mac: '60e431591ee0b67f0d8a26aacbf5b77f',
    },
    {
      section: '4.8',
      key: long,
      data: ascii(
        'This is a test using a larger than block-size key and a larger than block-size data. ' +
          'The key needs to be hashed before being used by the HMAC algorithm.',
      ),
      mac: '9b09ffa71b942fcb27635fbcd5b0e944',
    },
  ];
  for (const { section, key, data, mac } of table) {
    it(`begins as in RFC 4231 §${section}`, () => {
      assert.equal(toHex(cookieMac(new Secret(key), data)), mac);
    });
  }
});

describe('proofs of the reference (protocol §2.3)', () => {
  wire.proofs.forEach((row, i) => {
    const psk = new Secret(hex(row.psk));
    const input = {
      nonce: hex(row.nonce),
      clientPublic: hex(row.client_public),
      serverPublic: hex(row.server_public),
    };

    it(`are made alike with a PSK of ${row.psk.length / 2} bytes, row ${i + 1}`, () => {
      assert.equal(toHex(helloAckProof(psk, input, hex(row.device_id))), row.hello_ack_proof);
      assert.equal(toHex(sessionOkProof(psk, input, hex(row.session_id))), row.session_ok_proof);
    });

    it(`change with every bit of what they cover, row ${i + 1}`, () => {
      const proof = (part: Partial<typeof input>): string =>
        toHex(helloAckProof(psk, { ...input, ...part }, hex(row.device_id)));
      for (let bit = 0; bit < 256; bit += 17) {
        assert.notEqual(proof({ nonce: flipBit(input.nonce, bit) }), row.hello_ack_proof);
        assert.notEqual(proof({ clientPublic: flipBit(input.clientPublic, bit) }), row.hello_ack_proof);
        assert.notEqual(proof({ serverPublic: flipBit(input.serverPublic, bit) }), row.hello_ack_proof);
      }
    });
  });
});

describe('utackMac (protocol §4.1)', () => {
  for (const { type, seq, key, utack } of wire.utacks) {
    if (key === null) continue;
    it(`is that of the reference for type ${type}, number ${seq}`, () => {
      assert.equal(toHex(utackMac(new Secret(hex(key)), type, seq)), utack.slice(14));
    });
  }
});

describe('equalProofs', () => {
  const proof = hex(wire.proofs[0]!.hello_ack_proof);

  it('takes equal bytes for equal', () => {
    assert.equal(equalProofs(proof, Uint8Array.from(proof)), true);
  });

  it('tells any one bit of difference', () => {
    for (let bit = 0; bit < proof.length * 8; bit++)
      assert.equal(equalProofs(proof, flipBit(proof, bit)), false);
  });

  it('takes a shorter or longer proof for another, without throwing', () => {
    assert.equal(equalProofs(proof, proof.subarray(0, 31)), false);
    assert.equal(equalProofs(proof.subarray(0, 8), proof), false);
    assert.equal(equalProofs(new Uint8Array(0), proof), false);
  });
});
