import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ERROR_CODES, type ErrorClass, type ErrorRow, type Fault, type Told } from '../src/error-codes.js';
import {
  ArgumentError,
  AuthError,
  ConnectionClosedError,
  CRCError,
  CryptoError,
  FrameError,
  HandshakeError,
  MagicError,
  NotConnectedError,
  PayloadError,
  SequenceError,
  USMPError,
  USMPTimeoutError,
  VersionError,
} from '../src/errors.js';
import { errorOf } from './support/errors.js';

describe('errors', () => {
  const table = [
    { error: new USMPError('x'), parent: Error, name: 'USMPError', code: 'USMP_ERROR', fault: 'peer' },
    {
      error: new ArgumentError('port', 'x'),
      parent: USMPError,
      name: 'ArgumentError',
      code: 'USMP_ARGUMENT',
      fault: 'local',
    },
    { error: new FrameError('x'), parent: USMPError, name: 'FrameError', code: 'USMP_FRAME', fault: 'peer' },
    { error: new CRCError('x'), parent: FrameError, name: 'CRCError', code: 'USMP_CRC', fault: 'network' },
    { error: new MagicError('x'), parent: FrameError, name: 'MagicError', code: 'USMP_MAGIC', fault: 'peer' },
    {
      error: new VersionError(1),
      parent: FrameError,
      name: 'VersionError',
      code: 'USMP_WIRE_VERSION_1',
      fault: 'peer',
    },
    {
      error: new VersionError(3),
      parent: FrameError,
      name: 'VersionError',
      code: 'USMP_VERSION',
      fault: 'peer',
    },
    {
      error: new PayloadError('x'),
      parent: FrameError,
      name: 'PayloadError',
      code: 'USMP_PAYLOAD',
      fault: 'peer',
    },
    {
      error: new HandshakeError('x'),
      parent: USMPError,
      name: 'HandshakeError',
      code: 'USMP_HANDSHAKE',
      fault: 'peer',
    },
    {
      error: new AuthError('x'),
      parent: HandshakeError,
      name: 'AuthError',
      code: 'USMP_AUTH',
      fault: 'peer',
    },
    {
      error: new CryptoError('x'),
      parent: USMPError,
      name: 'CryptoError',
      code: 'USMP_CRYPTO',
      fault: 'peer',
    },
    {
      error: new SequenceError('x'),
      parent: USMPError,
      name: 'SequenceError',
      code: 'USMP_SEQUENCE',
      fault: 'peer',
    },
    {
      error: new USMPTimeoutError('x'),
      parent: USMPError,
      name: 'USMPTimeoutError',
      code: 'USMP_TIMEOUT',
      fault: 'network',
    },
    {
      error: new ConnectionClosedError('x'),
      parent: USMPError,
      name: 'ConnectionClosedError',
      code: 'USMP_CLOSED',
      fault: 'network',
    },
    {
      error: new NotConnectedError(),
      parent: USMPError,
      name: 'NotConnectedError',
      code: 'USMP_NOT_CONNECTED',
      fault: 'local',
    },
  ];

  for (const { error, parent, name, code, fault } of table) {
    it(`${name} (${code}) stands below ${parent.name} and its fault is ${fault} (protocol §6.3)`, () => {
      assert.equal(Object.getPrototypeOf(Object.getPrototypeOf(error)), parent.prototype);
      assert.deepEqual({ name: error.name, code: error.code, fault: error.fault }, { name, code, fault });
    });
  }

  it('keep the fault and cause that they are given, where a default would stand otherwise', () => {
    const cause = new Error('below');
    const error = new CryptoError('x', { fault: 'local', cause });
    assert.deepEqual([error.code, error.fault, error.cause], ['USMP_CRYPTO', 'local', cause]);
  });

  it('have the fault of their code, where none is given', () => {
    for (const [code, row] of Object.entries(ERROR_CODES)) {
      const error = errorOf(code);
      assert.deepEqual([error.name, error.code, error.fault], [row.class, code, row.fault]);
    }
  });

  it('have no cause at all when none is given', () => {
    assert.equal('cause' in new CryptoError('x'), false);
  });

  it('name the field of a bad argument in a property and at the start of the message', () => {
    const error = new ArgumentError('port', 'expected a whole number');
    assert.equal(error.field, 'port');
    assert.equal(error.message, 'port: expected a whole number');
  });

  it('say of wire version 1 that it is not supported and what to do (protocol §1.5)', () => {
    const error = new VersionError(1);
    assert.equal(error.version, 1);
    assert.match(error.message, /wire version 1 .*not supported: update/);
    assert.match(new VersionError(7).message, /wire version 7; .* version 2/);
  });
});

describe('the table of codes', () => {
  const root = path.resolve(__dirname, '..');

  /** Each `new …Error(…)` of some code: its class, and the code and the fault that it is given, as they are written. */
  function thrown(text: string): { name: string; code: string | undefined; fault: string | undefined }[] {
    const found: { name: string; code: string | undefined; fault: string | undefined }[] = [];
    const visit = (node: ts.Node): void => {
      ts.forEachChild(node, visit);
      if (!ts.isNewExpression(node) || !/^\w+Error$/.test(node.expression.getText())) return;
      const details = node.arguments?.find(ts.isObjectLiteralExpression)?.properties ?? [];
      const given = (key: string): string | undefined => {
        const property = [...details]
          .filter(ts.isPropertyAssignment)
          .find((each) => each.name.getText() === key);
        return property && ts.isStringLiteral(property.initializer) ? property.initializer.text : undefined;
      };
      found.push({ name: node.expression.getText(), code: given('code'), fault: given('fault') });
    };
    visit(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true));
    return found;
  }
  const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'error-codes.ts')
    .map((file) => readFileSync(path.join(root, 'src', file), 'utf8'));

  it('has each code once that is used, and no other', () => {
    const used = new Set(sources.flatMap((text) => text.match(/(?<=')USMP_[A-Z0-9_]+(?=')/g) ?? []));
    assert.deepEqual([...used].sort(), Object.keys(ERROR_CODES).sort());
  });

  it('agrees with the class and the fault of every error that is made with a code', () => {
    const table: Readonly<Record<string, ErrorRow>> = ERROR_CODES;
    const all = sources.flatMap(thrown).filter(({ code }) => code !== undefined);
    assert.ok(all.length > 30);
    for (const { name, code, fault } of all) {
      const row = table[code!]!;
      assert.ok([row.class, row.alsoClass].includes(name as ErrorClass), `${code}: ${name}`);
      if (fault) assert.ok([row.fault, row.alsoFault].includes(fault as Fault), `${code}: ${fault}`);
    }
  });

  it('lets no call site have the code or the fault of another class', () => {
    const { code, fault } = { code: 'USMP_TAG', fault: 'network' } as const;
    // @ts-expect-error: USMP_TAG is no code of a HandshakeError
    assert.ok(new HandshakeError('x', { code }));
    // @ts-expect-error: there is no such code
    assert.ok(new USMPError('x', { code: 'USMP_NO_SUCH_CODE' }));
    // @ts-expect-error: the network is not at fault for a wrong tag
    assert.ok(new CryptoError('x', { code, fault }));
    // @ts-expect-error: a row that does not say what a client is told
    const row: ErrorRow = { class: 'USMPError', fault: 'local' };
    // @ts-expect-error: a row without advice, be it null
    const told: Told = { step: 'hello' };
    assert.deepEqual([row.client, told.advice], [undefined, undefined]);
  });
});
