/** Where the PSK comes from, and that it goes nowhere. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse, type Command } from '../../../nodes/cli/arguments.js';
import { ask, choose, KEY_OPTIONS, readKey } from '../../../nodes/cli/key.js';
import { Interrupted, UsageError, type World } from '../../../nodes/cli/world.js';
import { ArgumentError, DEVELOPMENT_PSK, systemClock } from '../../../src/index.js';
import { Collector, Keyboard } from '../../support/command-line.js';

const command: Command = {
  ...{ name: 'try', usage: '', summary: '', notes: [], run: () => Promise.resolve(0 as const) },
  options: KEY_OPTIONS,
};
const KEY = 'a key that both sides know';
const HEX = '5a'.repeat(16);

interface Attempt {
  readonly argv?: readonly string[];
  readonly variable?: string;
  readonly isTTY?: boolean;
}

describe('the PSK', () => {
  let folder: string;
  let stderr: Collector;
  let stdin: Keyboard;

  const world = (env: World['env'] = {}, signal = new AbortController().signal): World => ({
    ...{ argv: [], env, stdin, stdout: stderr, stderr, signal, clock: systemClock },
    ...{ now: () => new Date(), random: () => Buffer.alloc(0) },
  });

  async function read({ argv = [], variable, isTTY = false }: Attempt): Promise<string> {
    stdin.isTTY = isTTY;
    const env = variable === undefined ? {} : { USMP_PSK: variable };
    return Buffer.from(await readKey(parse(command, argv), world(env))).toString('latin1');
  }

  beforeEach(async () => {
    [stderr, stdin] = [new Collector(), new Keyboard()];
    folder = await mkdtemp(path.join(tmpdir(), 'usmp-key-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const file = async (content: string): Promise<string> => {
    const name = path.join(folder, 'key');
    await writeFile(name, content);
    return name;
  };

  it('comes from the environment', async () => {
    assert.equal(await read({ variable: KEY }), KEY);
    assert.equal(stderr.text, '');
  });

  for (const content of [KEY, `${KEY}\n`, `${KEY}\r\nsomething else\n`]) {
    it(`is the first line of a file: ${JSON.stringify(content)}`, async () => {
      const argv = ['--psk-file', await file(content)];
      assert.equal(await read({ argv, variable: 'another key of enough bytes' }), KEY);
      assert.equal(stderr.text, '');
    });
  }

  it('comes from the command line with a warning that does not show it', async () => {
    assert.equal(await read({ argv: ['--psk', KEY] }), KEY);
    assert.match(stderr.text, /^warning: others see --psk .*USMP_PSK.*\n$/);
    assert.ok(!stderr.text.includes(KEY));
  });

  const formats: [string, string, string][] = [
    [HEX, 'hex', 'Z'.repeat(16)],
    [`hex:${HEX}`, 'text', 'Z'.repeat(16)],
    [Buffer.from('Z'.repeat(16)).toString('base64'), 'base64', 'Z'.repeat(16)],
  ];
  for (const [variable, format, bytes] of formats) {
    it(`is read as ${format}: ${variable}`, async () => {
      assert.equal(await read({ variable, argv: ['--psk-format', format] }), bytes);
      assert.equal(stderr.text, '');
    });
  }

  const odd: [string, string][] = [
    [HEX, 'the PSK looks like hex digits, and is read as text; if it is hex, say --psk-format hex'],
    [
      'qV12USPle9az9fnrv1/8MxmQ43FF39RhaB9HU+F/shM=',
      'the PSK looks like base64, and is read as text; if it is base64, say --psk-format base64',
    ],
    [`${KEY}\n`, 'the PSK ends in a line break, which counts as part of it'],
    [` ${KEY}`, 'the PSK begins or ends with a space, which counts as part of it'],
    [DEVELOPMENT_PSK, "this PSK is the one that is printed in USMP's documents: everybody knows it"],
  ];
  for (const [variable, oddity] of odd) {
    it(`is used as it is, with a word: ${oddity}`, async () => {
      assert.equal(await read({ variable }), variable);
      assert.equal(stderr.text, `warning: ${oddity}\n`);
    });
  }

  const NONE = 'there is no PSK: set the environment variable USMP_PSK, or name a file with --psk-file';
  const bad: [Attempt, Error][] = [
    [{}, new UsageError(NONE)],
    [{ variable: '' }, new UsageError(NONE)],
    [{ argv: ['--psk', KEY, '--psk-file', 'x'] }, new UsageError('--psk and --psk-file: only one of them')],
    [
      { argv: ['--psk-file', '/no/such/file'] },
      new UsageError('--psk-file: the file cannot be read (ENOENT)'),
    ],
    [{ argv: ['--psk-file', tmpdir()] }, new UsageError('--psk-file: the file cannot be read (EISDIR)')],
  ];
  for (const [attempt, error] of bad) {
    it(`is missed: ${JSON.stringify(attempt)}`, () => assert.rejects(read(attempt), error));
  }

  const unusable: [Attempt, string, string][] = [
    [{ variable: 'too short' }, 'psk', 'pskShort'],
    [{ variable: KEY, argv: ['--psk-format', 'hex'] }, 'psk', 'pskHex'],
    [{ variable: KEY, argv: ['--psk-format', 'base64'] }, 'psk', 'pskBase64'],
    [{ variable: KEY, argv: ['--psk-format', 'words'] }, 'pskFormat', 'choice'],
  ];
  for (const [attempt, field, kind] of unusable) {
    it(`is refused: ${JSON.stringify(attempt)}`, () =>
      assert.rejects(read(attempt), (error: ArgumentError) => {
        assert.ok(!error.message.includes(attempt.variable ?? ''));
        return error.field === field && error.problem.kind === kind;
      }));
  }

  it('is refused when the file is empty, or has no lines', async () => {
    await assert.rejects(read({ argv: ['--psk-file', await file('')] }), { field: 'psk' });
    const argv = ['--psk-file', await file('x'.repeat(1_000_000))];
    await assert.rejects(read({ argv }), /its line should have the PSK only/);
  });

  it('is not looked for without end', async function () {
    if (process.platform === 'win32') this.skip();
    await assert.rejects(read({ argv: ['--psk-file', '/dev/zero'] }), /its line should have the PSK only/);
  });

  describe('at a terminal', () => {
    it('is asked for only when the terminal shows nothing any more', async () => {
      stdin.setRawMode = (isRaw) => {
        if (isRaw) assert.equal(stderr.text, '');
      };
      const asked = ask(stdin, world());
      assert.equal(stderr.text, 'PSK (it is not shown):\n');
      stdin.write('\r');
      await asked;
    });

    it('is asked for, and not shown', async () => {
      const reading = read({ isTTY: true });
      assert.equal(stderr.text, 'PSK (it is not shown):\n');
      assert.deepEqual(stdin.raw, [true]);
      stdin.write(`${KEY}\r`);
      assert.equal(await reading, KEY);
      assert.deepEqual(stdin.raw, [true, false]);
      assert.equal(stderr.text, 'PSK (it is not shown):\n');
    });

    const keys: [string, string[], string][] = [
      ['letter by letter', ['a', 'b', '\n'], 'ab'],
      ['with mistakes', ['ax\x7f', '\bb\b', 'b\r'], 'b'],
      ['anew', ['ab\x15c\r'], 'c'],
      ['with no more than there is', ['\x7f\x7fa\r'], 'a'],
      ['to the end of input', ['ab\x04'], 'ab'],
      ['a letter in two pieces', ['\xc3', '\xbc\r'], 'ü'],
    ];
    for (const [how, pieces, typed] of keys) {
      it(`is typed ${how}`, async () => {
        const asked = ask(stdin, world());
        for (const piece of pieces) stdin.write(Buffer.from(piece, 'latin1'));
        assert.equal(await asked, typed);
      });
    }

    it('leaves what is behind it to whoever reads next', async () => {
      const asked = ask(stdin, world());
      stdin.end('key\rmessage\n');
      assert.equal(await asked, 'key');
      const rest = await stdin.toArray();
      assert.equal(Buffer.concat(rest as Buffer[]).toString(), 'message\n');
    });

    it('is what was typed when the input ends', async () => {
      const asked = ask(stdin, world());
      stdin.end('ab');
      assert.equal(await asked, 'ab');
    });

    it('is not waited for after Ctrl-C, which comes as a letter or as a signal, and the terminal shows again', async () => {
      const asked = ask(stdin, world());
      stdin.write('a\x03');
      await assert.rejects(asked, Interrupted);
      const user = new AbortController();
      const again = ask(stdin, world({}, user.signal));
      user.abort();
      await assert.rejects(again, Interrupted);
      await assert.rejects(ask(stdin, world({}, user.signal)), Interrupted);
      assert.deepEqual(stdin.raw, [true, false, true, false]);
      assert.equal(stdin.listenerCount('data'), 0);
    });
  });
});

describe('a choice', () => {
  it('is one of those that there are, to the letter', () => {
    assert.equal(choose('format', 'b', ['a', 'b']), 'b');
    assert.throws(() => choose('format', 'B', ['a', 'b']), {
      field: 'format',
      problem: { kind: 'choice', values: { choices: 'a, b' } },
    });
  });
});
