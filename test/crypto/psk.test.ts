import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { ArgumentError } from '../../src/errors.js';
import { DEVELOPMENT_PSK, parsePsk, pskHint, type PskFormat, type PskHint } from '../../src/crypto/psk.js';
import { toPsk } from '../../src/crypto/secret.js';
import { toHex } from '../../src/wire/bytes.js';
import { ascii, hex } from '../support/hex.js';

const KEY = '00112233445566778899aabbccddeeff';

/** The error of a call that must fail, after a look that nothing in it shows what was typed. */
function refusal(call: () => unknown, typed: string): ArgumentError {
  let error: unknown;
  assert.throws(call, (thrown) => {
    error = thrown;
    return true;
  });
  assert.ok(error instanceof ArgumentError);
  if (typed.length > 3) {
    const shown = `${inspect(error, { showHidden: true, depth: 9 })} ${JSON.stringify(error)}`;
    assert.ok(!shown.includes(typed), shown);
  }
  return error;
}

describe('toPsk', () => {
  it('takes text for its UTF-8 bytes', () => {
    assert.equal(toHex(toPsk('sixteen or more …').bytes), toHex(Buffer.from('sixteen or more …', 'utf8')));
    assert.deepEqual(toPsk(DEVELOPMENT_PSK).bytes, ascii('usmp-dev-psk-change-me-before-prod'));
  });

  it('takes bytes as a copy, so that the caller may wipe its own', () => {
    const given = hex(KEY);
    const psk = toPsk(given);
    given.fill(0);
    assert.equal(toHex(psk.bytes), KEY);
    assert.equal(toHex(toPsk(Buffer.from(KEY, 'hex')).bytes), KEY);
  });

  it('takes bytes of another realm, as a Function node has them', () => {
    const psk = toPsk(runInNewContext('new Uint8Array(16).fill(0xab)'));
    assert.equal(toHex(psk.bytes), 'ab'.repeat(16));
  });

  it('counts bytes, not characters: eight two-byte letters are enough', () => {
    assert.equal(toPsk('ääääääää').bytes.length, 16);
  });

  const refused = [
    { why: 'fifteen characters', value: '123456789abcdef', message: /15 bytes; at least 16/ },
    { why: 'fifteen bytes', value: hex(KEY).subarray(1), message: /15 bytes; at least 16/ },
    { why: 'no text', value: '', message: /0 bytes; at least 16/ },
    { why: 'nothing', value: undefined, message: /got undefined/ },
    { why: 'null', value: null, message: /got null/ },
    { why: 'a number', value: 1234567890123456, message: /got number/ },
    { why: 'wider elements', value: new Float64Array(4).fill(1234567890), message: /got object/ },
    { why: 'a list of bytes', value: Array.from(hex(KEY)), message: /got object/ },
  ];
  for (const { why, value, message } of refused) {
    it(`refuses ${why}, naming psk and not showing it`, () => {
      const error = refusal(() => toPsk(value), typeof value === 'string' ? value : '');
      assert.equal(error.field, 'psk');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /1234567890/);
    });
  }
});

describe('parsePsk', () => {
  const read: { format: PskFormat; typed: string; bytes: string }[] = [
    { format: 'text', typed: 'correct horse battery', bytes: toHex(ascii('correct horse battery')) },
    { format: 'text', typed: KEY, bytes: toHex(ascii(KEY)) },
    { format: 'hex', typed: KEY, bytes: KEY },
    { format: 'hex', typed: KEY.toUpperCase(), bytes: KEY },
    { format: 'hex', typed: '00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff', bytes: KEY },
    { format: 'hex', typed: ' 00112233 44556677-8899aabb\n ccddeeff ', bytes: KEY },
    { format: 'base64', typed: 'ABEiM0RVZneImaq7zN3u/w==', bytes: KEY },
    { format: 'base64', typed: 'ABEiM0RVZneImaq7zN3u/w', bytes: KEY },
    { format: 'base64', typed: ' ABEiM0RVZneImaq7zN3u_w==\n', bytes: KEY },
    { format: 'text', typed: `hex:${KEY}`, bytes: KEY },
    { format: 'text', typed: ` hex: ${KEY.toUpperCase()}\n`, bytes: KEY },
    { format: 'hex', typed: `hex:${KEY}`, bytes: KEY },
    { format: 'base64', typed: `hex:${KEY}`, bytes: KEY },
    { format: 'text', typed: `HEX:${KEY}`, bytes: toHex(ascii(`HEX:${KEY}`)) },
  ];
  for (const { format, typed, bytes } of read) {
    it(`reads ${JSON.stringify(typed)} as ${format}`, () => {
      assert.equal(toHex(parsePsk(typed, format)), bytes);
    });
  }

  const refused: { why: string; format: PskFormat; typed: string; message: RegExp }[] = [
    { why: 'nothing typed', format: 'text', typed: '', message: /not set/ },
    { why: 'nothing typed', format: 'hex', typed: '', message: /not set/ },
    { why: 'only white space', format: 'text', typed: ' '.repeat(20), message: /only white space/ },
    { why: 'words behind hex:', format: 'text', typed: 'hex:correct horse', message: /pairs of hex digits/ },
    { why: 'too few digits behind hex:', format: 'text', typed: 'hex:00112233', message: /4 bytes/ },
    { why: 'short text', format: 'text', typed: 'hunter2 hunter2', message: /15 bytes/ },
    { why: 'fifteen bytes in hex', format: 'hex', typed: KEY.slice(2), message: /15 bytes/ },
    { why: 'half a pair', format: 'hex', typed: `${KEY}0`, message: /pairs of hex digits/ },
    { why: 'a letter that is no digit', format: 'hex', typed: `${KEY}0g`, message: /pairs of hex digits/ },
    { why: 'only separators', format: 'hex', typed: ' : - ', message: /pairs of hex digits/ },
    { why: 'a 0x in front', format: 'hex', typed: `0x${KEY}`, message: /pairs of hex digits/ },
    { why: 'twelve bytes in base64', format: 'base64', typed: 'ABEiM0RVZneImaq7', message: /12 bytes/ },
    {
      why: 'a sign that base64 has not',
      format: 'base64',
      typed: 'ABEiM0RVZneImaq7zN3u%w==',
      message: /base64/,
    },
    {
      why: 'a length that base64 never has',
      format: 'base64',
      typed: 'ABEiM0RVZneImaq7zN3u/wAAA',
      message: /base64/,
    },
    {
      why: 'three signs of padding',
      format: 'base64',
      typed: 'ABEiM0RVZneImaq7zN3u/w===',
      message: /base64/,
    },
    { why: 'padding in the middle', format: 'base64', typed: 'ABEi==M0RVZneImaq7zN3u/w', message: /base64/ },
    { why: 'only white space', format: 'base64', typed: '   ', message: /base64/ },
  ];
  for (const { why, format, typed, message } of refused) {
    it(`refuses ${why} as ${format}, naming psk and not showing it`, () => {
      const error = refusal(() => parsePsk(typed, format), typed);
      assert.equal(error.field, 'psk');
      assert.match(error.message, message);
    });
  }

  it('refuses a format that there is not, naming it and not the key', () => {
    const error = refusal(() => parsePsk(KEY, 'rot13' as PskFormat), KEY);
    assert.equal(error.field, 'pskFormat');
    assert.match(error.message, /text, hex, base64/);
  });

  it('reads base64 of any length, and of its form for addresses', () => {
    for (let size = 16; size < 80; size++) {
      const bytes = randomBytes(size);
      for (const encoding of ['base64', 'base64url'] as const) {
        assert.deepEqual(Buffer.from(parsePsk(bytes.toString(encoding), 'base64')), bytes);
      }
    }
  });
});

describe('pskHint', () => {
  const HEX_32 = 'c0ffee'.repeat(10) + '0123';
  const BASE64_32 = 'mK7x9Qw1Zr3tYv5bNc8dLg0hJp2sFk4uEi6oAa+/TqM=';
  const table: { typed: string; format: PskFormat; hint: PskHint | undefined }[] = [
    { format: 'text', typed: KEY, hint: 'hex' },
    { format: 'text', typed: HEX_32, hint: 'hex' },
    { format: 'text', typed: HEX_32.toUpperCase(), hint: 'hex' },
    { format: 'text', typed: '00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff', hint: 'hex' },
    { format: 'text', typed: `${HEX_32}\n`, hint: 'newline' },
    { format: 'base64', typed: HEX_32, hint: 'hex' },
    { format: 'hex', typed: HEX_32, hint: undefined },
    { format: 'text', typed: KEY.slice(2), hint: undefined },
    { format: 'text', typed: `hex:${HEX_32}`, hint: undefined },
    { format: 'text', typed: BASE64_32, hint: 'base64' },
    { format: 'text', typed: BASE64_32.replace('=', ''), hint: 'base64' },
    { format: 'text', typed: BASE64_32.replace('+', '-').replace('/', '_'), hint: 'base64' },
    { format: 'text', typed: 'ABEiM0RVZneImaq7zN3u/w==', hint: 'base64' },
    { format: 'hex', typed: BASE64_32, hint: 'base64' },
    { format: 'base64', typed: BASE64_32, hint: undefined },
    { format: 'text', typed: 'correcthorsebatterystapler', hint: undefined },
    { format: 'text', typed: 'CorrectHorseBatteryStaple1', hint: undefined },
    { format: 'text', typed: 'correct horse battery', hint: undefined },
    { format: 'text', typed: 'correct horse battery\n', hint: 'newline' },
    { format: 'text', typed: 'correct horse battery\r\n', hint: 'newline' },
    { format: 'text', typed: 'correct horse battery ', hint: 'space' },
    { format: 'text', typed: ' correct horse battery', hint: 'space' },
    { format: 'hex', typed: ` ${KEY}\n`, hint: undefined },
    { format: 'base64', typed: `${BASE64_32}\n`, hint: undefined },
    { format: 'text', typed: '', hint: undefined },
  ];
  for (const { typed, format, hint } of table) {
    it(`says ${hint ?? 'nothing'} of ${JSON.stringify(typed)} as ${format}`, () => {
      assert.equal(pskHint(typed, format), hint);
    });
  }

  it('finds every random key that was written in the wrong format', () => {
    for (let i = 0; i < 500; i++) {
      const bytes = randomBytes(32);
      assert.equal(pskHint(bytes.toString('hex'), 'text'), 'hex');
      const base64 = bytes.toString('base64');
      if (/[a-z]/.test(base64) && /[A-Z]/.test(base64) && /[0-9]/.test(base64)) {
        assert.equal(pskHint(base64, 'text'), 'base64', base64);
      }
    }
  });
});
