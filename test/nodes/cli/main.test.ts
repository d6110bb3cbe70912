/** The command line as a whole: commands, help, and what goes wrong with its output. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { parse } from '../../../nodes/cli/arguments.js';
import { COMMANDS } from '../../../nodes/cli/main.js';
import type { ServerSession } from '../../../src/index.js';
import { Collector, command } from '../../support/command-line.js';
import { HOST, useLoopback } from '../../support/loopback.js';

const root = path.resolve(__dirname, '../../..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  bin: Record<string, string>;
};
const NAMES = ['gateway', 'send', 'listen', 'ping', 'psk'];

describe('the command line', () => {
  const loopback = useLoopback();

  it('is what npx runs', () => {
    assert.deepEqual(manifest.bin, { [manifest.name]: 'dist/nodes/cli/main.js' });
    assert.match(readFileSync(path.join(root, 'nodes/cli/main.ts'), 'utf8'), /^#!\/usr\/bin\/env node\n/);
  });

  it('tells its version', async () => {
    assert.deepEqual(await command(['--version']).ended(), {
      exit: 0,
      out: `${manifest.version}\n`,
      err: '',
    });
  });

  for (const argv of [['--help'], ['-h'], ['help']]) {
    it(`tells what there is: ${argv.join(' ')}`, async () => {
      const { exit, out, err } = await command(argv).ended();
      for (const name of NAMES) assert.match(out, new RegExp(`^ {2}${name} +\\S`, 'm'));
      assert.deepEqual([exit, err], [0, '']);
    });
  }

  it('tells what there is when it is called with nothing', async () => {
    const { exit, out, err } = await command([]).ended();
    assert.match(err, /^Usage: node-red-contrib-usmp <command> \[options\]\n/);
    assert.deepEqual([exit, out], [2, '']);
  });

  for (const name of NAMES) {
    it(`tells how ${name} is used, whatever else is given`, async () => {
      const { exit, out } = await command(
        [name, '--help', '--count', '0', 'x', 'y'].slice(0, name === 'psk' ? 6 : 2),
      ).ended();
      assert.equal(exit, 0);
      assert.match(
        out,
        new RegExp(
          `^Usage: node-red-contrib-usmp ${name} .*\n\n[A-Z][^]*\nOptions:\n( {2}--\\S.* {2}\\S.*\n)+$`,
        ),
      );
      for (const line of out.split('\n')) assert.ok(line.length <= 120, line);
      for (const argv of [
        [name, '-h'],
        ['help', name],
      ])
        assert.equal((await command(argv).ended()).out, out);
    });
  }

  const unknown: [string[], string][] = [
    [['sned'], 'unknown command sned: there are gateway, send, listen, ping, psk, --help and --version'],
    [
      ['--psk=a secret', 'send'],
      'unknown option --psk: there are gateway, send, listen, ping, psk, --help and --version',
    ],
    [
      ['help', 'sned'],
      'unknown command sned: there are gateway, send, listen, ping, psk, --help and --version',
    ],
    [
      ['constructor'],
      'unknown command constructor: there are gateway, send, listen, ping, psk, --help and --version',
    ],
  ];
  for (const [argv, why] of unknown) {
    it(`refuses what it does not know: ${argv.join(' ')}`, async () => {
      assert.deepEqual(await command(argv).ended(), {
        exit: 2,
        out: '',
        err: `node-red-contrib-usmp: ${why}\nSee node-red-contrib-usmp --help\n`,
      });
    });
  }

  /** Standard output that fails with this code once something is written to it. */
  const broken = (code: string): Writable =>
    new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });

  it('ends without a word when nobody reads on', async () => {
    const running = command(['gateway', '--host', HOST, '--port', '0'], { stdout: broken('EPIPE') });
    assert.equal(await running.exit, 0);
    assert.equal(running.stderr.text, '');
  });

  it('ends without a word when nobody reads on, also what failed because of it', async () => {
    const server = await loopback.serve();
    const argv = ['ping', `${HOST}:${server.port!}`, '--count', '1000'];
    const running = command(argv, { stdout: broken('EPIPE') });
    assert.equal(await running.exit, 0);
    assert.equal(running.stderr.text, '');
  });

  it('ends in failure when its output cannot be written', async () => {
    const running = command(['gateway', '--host', HOST, '--port', '0'], { stdout: broken('ENOSPC') });
    assert.equal(await running.exit, 1);
    assert.equal(running.stderr.text, 'node-red-contrib-usmp: standard output cannot be written (ENOSPC)\n');
  });

  it('goes on when its errors cannot be written', async () => {
    const server = await loopback.serve();
    server.on('session', (session: ServerSession) => void session.send('on'));
    const running = command(['listen', `${HOST}:${server.port!}`], { stderr: broken('EPIPE') });
    await running.wrote(/^on\n/);
    running.interrupt();
    assert.equal(await running.exit, 0);
  });

  it('shows where a bug of its own is', async () => {
    const stderr = new Collector();
    const random = (): never => {
      throw new RangeError('a bug');
    };
    assert.equal(await command(['psk'], { random, stderr }).exit, 1);
    assert.match(stderr.text, /^node-red-contrib-usmp: RangeError: a bug\n +at /);
  });
});

describe('the papers on the command line', () => {
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  const lines = ['README.md', 'docs/cli.md'].flatMap((paper) =>
    Array.from(read(paper).matchAll(/npx node-red-contrib-usmp ([a-z][^\n`|]*)/g), ([, line]) => line!),
  );

  for (const line of lines) {
    it(`show what there is: ${line}`, () => {
      const typed = line.replace(/ < \S+$/, '').match(/'[^']*'|\S+/g)!;
      const [name, ...argv] = typed.map((word) => word.replace(/^'(.*)'$/, '$1'));
      const command = COMMANDS.find((each) => each.name === name);
      assert.ok(command, name);
      parse(command, argv);
    });
  }

  it('show every command', () => {
    const shown = new Set(lines.map((line) => line.split(' ', 1)[0]));
    assert.deepEqual([...shown].sort(), [...NAMES].sort());
  });

  it('tell of every option', () => {
    const text = read('docs/cli.md');
    const missing = COMMANDS.flatMap(({ name, options }) =>
      Object.keys(options)
        .filter((option) => !text.includes(`\`--${option}`) && !text.includes(` --${option} `))
        .map((option) => `${name} --${option}`),
    );
    assert.deepEqual(missing, []);
  });
});
