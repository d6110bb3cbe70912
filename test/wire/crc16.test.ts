import assert from 'node:assert/strict';
import { crc16 } from '../../src/wire/crc16.js';
import { ascii, hex } from '../support/hex.js';
import { wire } from '../support/vectors.js';

describe('crc16', () => {
  for (const { input, crc } of wire.crc16) {
    it(`gives ${crc} for the ${input.length / 2} bytes ${input.slice(0, 24)}, as the reference does`, () => {
      assert.equal(crc16(hex(input)), crc);
    });
  }

  it('gives 0x4B37 for "123456789", the check value of CRC-16/MODBUS', () => {
    assert.equal(crc16(ascii('123456789')), 0x4b37);
  });

  it('takes several parts as one run of bytes, wherever the cut is', () => {
    const bytes = ascii('123456789');
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.equal(crc16(bytes.subarray(0, cut), bytes.subarray(cut)), 0x4b37);
    }
  });
});
