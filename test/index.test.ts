/** The public door: whatever comes in, out comes a value or an error that names the field, and never what was given. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import * as door from '../src/index.js';
import { ArgumentError, USMPClient, USMPConnection, USMPError, USMPServer } from '../src/index.js';

const SECRET = 'SECRET key of the gateway, not to be shown';
const ID = 'a4:cf:12:00:00:01';

/** What people hand in by mistake. */
const JUNK: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  NaN,
  1.5,
  2 ** 40,
  '',
  SECRET,
  [],
  [SECRET],
  {},
  { a: SECRET },
  new Map(),
  new Map([[SECRET, SECRET]]),
  new Date(0),
  new ArrayBuffer(20),
  new Float64Array(4),
  Buffer.from(SECRET),
  Promise.resolve(SECRET),
  () => SECRET,
  Symbol(SECRET),
  10n,
  runInNewContext('({ psk: [] })'),
  Object.create(null),
];

/** @returns what it came to, where that is an error; any other than one of ours fails. */
function attempt(what: string, call: () => unknown): USMPError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (!(error instanceof USMPError)) assert.fail(`${what} threw ${inspect(error)}`);
    assert.ok(
      !inspect(error, { depth: 9, showHidden: true }).includes('SECRET'),
      `${what} shows what it got`,
    );
    return error;
  }
}

type Make = (options: object) => unknown;
const CLASSES: Record<string, { make: Make; sound: object; fields: readonly string[] }> = {
  USMPClient: {
    make: (options) => new USMPClient(options as never),
    sound: { host: 'gateway', psk: SECRET },
    fields: ['host', 'port', 'psk', 'deviceId', 'protocol', 'suite', 'connectTimeout', 'handshakeTimeout'],
  },
  USMPConnection: {
    make: (options) => new USMPConnection(options as never),
    sound: { host: 'gateway', psk: SECRET },
    fields: ['host', 'psk', 'keepalive', 'pongTimeout', 'retryMin', 'retryMax', 'retryJitter', 'outboxCount'],
  },
  USMPServer: {
    make: (options) => new USMPServer(options as never),
    sound: { psk: SECRET },
    fields: ['host', 'port', 'psk', 'protocol', 'suite', 'sessionTimeout', 'maxConnections'],
  },
};

for (const [name, { make, sound, fields }] of Object.entries(CLASSES)) {
  describe(`new ${name}`, () => {
    it('names the options when there are none', () => {
      for (const junk of [undefined, null, 7, SECRET, [], Symbol('x'), () => 1]) {
        const error = attempt(`new ${name}(${typeof junk})`, () => make(junk as object));
        assert.equal(error instanceof ArgumentError && error.field, 'options');
      }
      assert.ok(attempt('no options', () => make(undefined as never)));
    });

    for (const field of fields) {
      it(`takes anything for ${field}, or refuses it by its name`, () => {
        make(sound);
        let refused = 0;
        for (const junk of JUNK) {
          const error = attempt(`${name} with ${field}: ${inspect(junk)}`, () =>
            make({ ...sound, [field]: junk }),
          );
          if (error) assert.equal(error instanceof ArgumentError && error.field, field);
          if (error) refused += 1;
        }
        assert.ok(refused >= 10, `${refused} refused`);
      });
    }
  });
}

describe('a server', () => {
  const refused: [string, unknown][] = [
    ['a list', []],
    ['a promise', Promise.resolve(SECRET)],
    ['a date', new Date(0)],
    ['an ArrayBuffer', new ArrayBuffer(32)],
    ['a map of keys to ids, the wrong way round', { [SECRET]: ID }],
    ['such a Map', new Map([[SECRET, ID]])],
    ['a map with a key that is too short', { [ID]: 'SECRET' }],
    ['a map with a key that is none', { [ID]: 7 }],
    ['an instance of a class', new URL('usmp://gateway')],
  ];
  for (const [what, psk] of refused) {
    it(`refuses ${what} for its keys, and does not show them`, () => {
      const error = attempt(what, () => new USMPServer({ psk: psk as never }));
      assert.equal(error instanceof ArgumentError && error.field, 'psk');
    });
  }

  it('takes an empty map, as devices may come later, and maps of another realm', () => {
    for (const psk of [{}, new Map(), runInNewContext(`({ '${ID}': 'a key of enough bytes' })`)]) {
      assert.equal(
        attempt('map', () => new USMPServer({ psk: psk as never })),
        undefined,
      );
    }
  });
});

describe('the functions of the door', () => {
  const functions = Object.entries(door).filter(
    ([name, each]) => typeof each === 'function' && /^[a-z]/.test(name),
  ) as unknown as [string, (...args: unknown[]) => unknown][];

  it('are those that are known here', () => {
    assert.deepEqual(functions.map(([name]) => name).sort(), [
      'deriveDeviceId',
      'derivedPsk',
      'formatDeviceId',
      'isAuthFailure',
      'isKeptMessage',
      'parsePsk',
      'toDeviceId',
    ]);
  });

  for (const [name, call] of functions) {
    if (name === 'isAuthFailure') continue; // takes errors of this package, and looks at nothing else
    it(`${name} gives a value or an error of ours for anything`, () => {
      for (const first of JUNK) for (const second of JUNK) attempt(name, () => call(first, second));
    });
  }
});

describe('a connection', () => {
  const connection = (): USMPConnection => new USMPConnection({ host: 'gateway', psk: SECRET });
  const calls: Record<string, (junk: unknown) => unknown> = {
    send: (junk) => connection().send(junk as never),
    'send, for its options': (junk) => connection().send('x', junk as never),
    'send, for its key': (junk) => connection().send('x', { key: junk as never }),
    restore: (junk) => connection().restore(junk as never),
    'restore, for its messages': (junk) => connection().restore([junk] as never),
    isAlike: (junk) => connection().isAlike(junk as never),
    rekey: () => connection().rekey(),
    ping: () => connection().ping(),
  };
  for (const [name, call] of Object.entries(calls)) {
    it(`gives a value or an error of ours for anything: ${name}`, async () => {
      for (const junk of JUNK) {
        const given = attempt(name, () => {
          const result = call(junk);
          if (result instanceof Promise) result.catch(() => undefined);
        });
        if (given) assert.equal(given.fault, 'local');
      }
      for (const junk of JUNK.filter((each) => typeof each !== 'string' && !Buffer.isBuffer(each))) {
        if (name !== 'send') break;
        await assert.rejects(Promise.resolve(call(junk)), { name: 'ArgumentError', field: 'message' });
      }
    });
  }
});
