import assert from 'node:assert/strict';
import { Secret } from '../../src/crypto/secret.js';
import { utackMac } from '../../src/crypto/proofs.js';
import { toHex } from '../../src/wire/bytes.js';
import { decodeUtack, encodeUtack } from '../../src/wire/utack.js';
import { hex } from '../support/hex.js';
import { wire } from '../support/vectors.js';

describe('UTACKs of the reference (protocol §4.1)', () => {
  for (const { type, seq, key, utack } of wire.utacks) {
    const title = `for type ${type}, number ${seq}, ${key ? 'with' : 'without'} mac`;
    const mac = key === null ? undefined : utackMac(new Secret(hex(key)), type, seq);

    it(`are encoded alike, ${title}`, () => {
      assert.equal(toHex(encodeUtack({ type, seq, ...(mac && { mac }) })), utack);
    });

    it(`are decoded, ${title}`, () => {
      assert.deepEqual(
        decodeUtack(hex(utack)),
        mac ? { type, seq, mac: Uint8Array.from(mac) } : { type, seq },
      );
    });
  }
});

describe('decodeUtack', () => {
  const table = [
    { why: 'nothing', bytes: '' },
    { why: 'the mark alone', bytes: 'acac' },
    { why: 'six bytes', bytes: 'acac 05 000000' },
    { why: 'half a mac', bytes: 'acac 05 00000000 00112233' },
    { why: 'a byte after the mac', bytes: 'acac 05 00000000 0011223344556677 88' },
    { why: 'half a mark', bytes: 'acab 05 00000000' },
    { why: 'the other half', bytes: 'abac 05 00000000' },
    { why: 'a frame', bytes: 'cdab 02 05 feffffff 0000 bac1' },
  ];
  for (const { why, bytes } of table) {
    it(`takes ${why} for no UTACK`, () => {
      assert.equal(decodeUtack(hex(bytes)), undefined);
    });
  }

  it('names types that no frame has, as it is for the caller to compare them', () => {
    assert.deepEqual(decodeUtack(hex('acac ff ffffffff')), { type: 0xff, seq: 0xffffffff });
  });
});
