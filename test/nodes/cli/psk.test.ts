/** Keys made and judged. */
import assert from 'node:assert/strict';
import { letters } from '../../../nodes/cli/psk.js';
import { DEVELOPMENT_PSK, parsePsk, type PskFormat } from '../../../src/index.js';
import { pskHint } from '../../../src/crypto/psk.js';
import { systemRandom } from '../../../src/crypto/random.js';
import { command, Keyboard } from '../../support/command-line.js';

const NONE = { env: {} };
const KEY = 'a key that both sides know';

describe('psk', () => {
  const table: [string[], string][] = [
    [[], `hex:${'5a'.repeat(32)}`],
    [['--format', 'hex'], '5a'.repeat(32)],
    [['--format', 'base64', '--bytes', '16'], Buffer.alloc(16, 0x5a).toString('base64')],
    [['--bytes', '16', '--count', '2'], `hex:${'5a'.repeat(16)}\nhex:${'5a'.repeat(16)}`],
  ];
  for (const [argv, out] of table) {
    it(`makes keys: ${argv.join(' ')}`, async () => {
      const ended = await command(['psk', ...argv], NONE).ended();
      assert.deepEqual(ended, { exit: 0, out: `${out}\n`, err: '' });
    });
  }

  for (const format of [undefined, 'text', 'hex', 'base64'] as const) {
    it(`makes keys that raise no question: ${format ?? 'in hex: notation'}`, async () => {
      const argv = ['psk', '--count', '200', ...(format === undefined ? [] : ['--format', format])];
      const { out } = await command(argv, { env: {}, random: systemRandom }).ended();
      const keys = out.trimEnd().split('\n');
      assert.equal(new Set(keys).size, 200);
      for (const key of keys) {
        // hex: notation is understood whatever the format is.
        for (const as of format === undefined ? (['text', 'hex', 'base64'] as PskFormat[]) : [format]) {
          assert.ok(parsePsk(key, as).length >= 32);
          assert.equal(pskHint(key, as), undefined, key);
        }
      }
    });
  }

  it('writes every bit in letters', () => {
    assert.equal(letters(Uint8Array.of(0, 0, 0, 0, 0)), 'aaaaaaaa');
    assert.equal(letters(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff)), '99999999');
    assert.equal(letters(Uint8Array.of(0b00001_000, 0b10_00011_0, 0b0100_0000)), 'bcdea');
    const all = Array.from({ length: 65_536 }, (_, i) => letters(Uint8Array.of(i >> 8, i & 255)));
    assert.equal(new Set(all).size, 65_536);
  });

  const bad: [string[], RegExp][] = [
    [['--bytes', '15'], /--bytes: needs a whole number from 16 to 1024/],
    [['--count', '0'], /--count: needs a whole number from 1 to 100000/],
    [['--format', 'c'], /--format: needs one of text, hex, base64/],
    [['my key'], /psk takes nothing but options, or check\n/],
    [['check', 'my key'], /psk takes nothing but options, or check\n/],
    [['--psk-format', 'hex'], /--psk-format is for psk check; to choose how to write one: --format/],
    [['check', '--format', 'hex'], /--format is for making a PSK; psk check has --psk-format/],
  ];
  for (const [argv, why] of bad) {
    it(`is called the wrong way: ${argv.join(' ')}`, async () => {
      const { exit, out, err } = await command(['psk', ...argv], { env: {}, input: KEY }).ended();
      assert.match(err, why);
      assert.deepEqual({ exit, out }, { exit: 2, out: '' });
    });
  }
});

describe('psk check', () => {
  const judged: { input?: string; variable?: string; argv?: string[]; exit: number; out: RegExp }[] = [
    {
      input: `${KEY}\n`,
      exit: 0,
      out: /^the PSK from standard input can be used: 26 bytes, read as text\n$/,
    },
    { variable: KEY, exit: 0, out: /^the PSK from USMP_PSK can be used: 26 bytes, read as text\n$/ },
    { input: 'another one', variable: KEY, exit: 0, out: /from USMP_PSK/ },
    { argv: ['--psk', KEY], exit: 0, out: /from --psk can be used/ },
    { input: `hex:${'5a'.repeat(16)}`, exit: 0, out: /can be used: 16 bytes, read as hex\n$/ },
    { input: '5a'.repeat(16), exit: 0, out: /32 bytes, read as text\nbut the PSK looks like hex/ },
    { input: '5a'.repeat(16), argv: ['--psk-format', 'hex'], exit: 0, out: /16 bytes, read as hex\n$/ },
    { input: DEVELOPMENT_PSK, exit: 1, out: /34 bytes, read as text\nbut .*everybody knows it\n$/ },
    { input: 'too short', exit: 1, out: /cannot be used: The PSK has 9 bytes; at least 16 are needed\.\n$/ },
    { input: '', exit: 1, out: /cannot be used: the PSK is empty\n$/ },
    { input: '   \n', exit: 1, out: /cannot be used: the PSK is empty\n$/ },
    { input: 'hex:5', exit: 1, out: /cannot be used: PSK: needs pairs of hex digits/ },
  ];
  for (const { input = '', variable, argv = [], exit, out } of judged) {
    it(`judges ${JSON.stringify(variable ?? input)} ${argv.join(' ')}, and does not show it`, async () => {
      const env = variable === undefined ? {} : { USMP_PSK: variable };
      const ended = await command(['psk', 'check', ...argv], { env, input }).ended();
      assert.match(ended.out, out);
      assert.equal(ended.exit, exit);
      const secrets = [input.trim(), variable ?? ''].filter((secret) => secret !== '');
      for (const secret of secrets) assert.ok(!(ended.out + ended.err).includes(secret));
    });
  }

  it('asks at a terminal', async () => {
    const running = command(['psk', 'check'], { env: {}, isTTY: true });
    await running.wrote(/PSK \(it is not shown\):/);
    running.stdin.write(`${KEY}\r`);
    assert.deepEqual(await running.ended(), {
      exit: 0,
      out: 'the PSK from the terminal can be used: 26 bytes, read as text\n',
      err: 'PSK (it is not shown):\n',
    });
  });

  it('reads no more than the first line', async () => {
    const stdin = new Keyboard();
    stdin.write(`${KEY}\n`); // and it stays open
    assert.equal(await command(['psk', 'check'], { env: {}, stdin }).exit, 0);
  });
});
