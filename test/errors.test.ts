import assert from 'node:assert/strict';
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

  it('keep the code, fault and cause that they are given, where a default would stand otherwise', () => {
    const cause = new Error('below');
    const error = new CryptoError('x', { code: 'USMP_TAG', fault: 'network', cause });
    assert.deepEqual([error.code, error.fault, error.cause], ['USMP_TAG', 'network', cause]);
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
