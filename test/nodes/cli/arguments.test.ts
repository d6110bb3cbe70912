/** Arguments as they are typed. */
import assert from 'node:assert/strict';
import { parse, toNumber, type Command } from '../../../nodes/cli/arguments.js';
import { UsageError } from '../../../nodes/cli/world.js';

const command: Command = {
  ...{ name: 'try', usage: '', summary: '', notes: [], run: () => Promise.resolve(0 as const) },
  options: { port: { value: 'PORT', help: '' }, echo: { help: '' } },
};

describe('arguments', () => {
  const good: [string[], { port?: string[]; echo?: boolean; operands?: string[] }][] = [
    [[], {}],
    [['--port', '1', 'a', '--echo', 'b'], { port: ['1'], echo: true, operands: ['a', 'b'] }],
    [['--port=1', '--port', '2'], { port: ['1', '2'] }],
    [['--port=-1'], { port: ['-1'] }],
    [['--port', '-'], { port: ['-'] }],
    [['--port', ''], { port: [''] }],
    [['a', '--', '--echo', '-5'], { operands: ['a', '--echo', '-5'] }],
  ];
  for (const [argv, { port = [], echo = false, operands = [] }] of good) {
    it(`are taken: ${argv.join(' ') || 'none'}`, () => {
      const given = parse(command, argv);
      assert.deepEqual(given.all('port'), port);
      assert.equal(given.value('port'), port.at(-1));
      assert.equal(given.has('echo'), echo);
      assert.deepEqual(given.operands, operands);
    });
  }

  const bad: [string[], string][] = [
    [['--prot', '1'], 'unknown option --prot: try has --port, --echo, --help; what follows -- is no option'],
    [['-5'], 'unknown option -5: try has --port, --echo, --help; what follows -- is no option'],
    [
      ['--constructor'],
      'unknown option --constructor: try has --port, --echo, --help; what follows -- is no option',
    ],
    [['--port'], '--port needs a value: --port PORT'],
    [['--port', '--echo'], '--port needs a value: --port PORT'],
    [['--port', '-h'], '--port needs a value: --port PORT'],
    [['--echo=yes'], '--echo takes no value'],
  ];
  for (const [argv, message] of bad) {
    it(`are refused: ${argv.join(' ')}`, () => {
      assert.throws(() => parse(command, argv), new UsageError(message));
    });
  }

  it('that nobody knows are named without their values', () => {
    assert.throws(
      () => parse(command, ['--pks=a secret']),
      (error: Error) => !error.message.includes('secret'),
    );
  });

  it('ask for help in two ways', () => {
    for (const argv of [['--help'], ['-h']]) assert.ok(parse(command, argv).has('help'));
  });

  it('are numbers in digits only', () => {
    assert.deepEqual(['7', '0.5', '', '1e3', '-1', ' 1', '0x10', '.5'].map(toNumber), [
      ...[7, 0.5, NaN, NaN, NaN, NaN, NaN, NaN],
    ]);
  });
});
