import assert from 'node:assert/strict';
import {
  explainConnectFailure,
  isNetworkFailure,
  neverProven,
  shortSessions,
} from '../../src/client/explain.js';
import { ConnectionClosedError, USMPTimeoutError } from '../../src/errors.js';

const TCP = { host: 'gateway.test', port: 9000, protocol: 'tcp' } as const;
const failed = (code: string, syscall = 'connect'): NodeJS.ErrnoException =>
  Object.assign(new Error(code), { code, syscall });

describe('why no connection could be opened', () => {
  const table: {
    what: string;
    error: NodeJS.ErrnoException | undefined;
    isResolving?: boolean;
    code: string;
    says: RegExp;
  }[] = [
    {
      what: 'nothing in time',
      error: undefined,
      code: 'USMP_CONNECT_TIMEOUT',
      says: /^no answer from gateway\.test:9000 \(TCP\)/,
    },
    {
      what: 'nothing in time from the name service',
      error: undefined,
      isResolving: true,
      code: 'USMP_NAME_TIMEOUT',
      says: /^no address found for the host name gateway\.test in time: check the DNS/,
    },
    {
      what: 'ETIMEDOUT',
      error: failed('ETIMEDOUT'),
      code: 'USMP_CONNECT_TIMEOUT',
      says: /^no answer from/,
    },
    {
      what: 'ECONNREFUSED',
      error: failed('ECONNREFUSED'),
      code: 'USMP_CONNECTION_REFUSED',
      says: /^connection refused by gateway\.test:9000 \(TCP\)/,
    },
    ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'ENODATA'].map((code) => ({
      what: `${code} of the name service`,
      error: failed(code, 'getaddrinfo'),
      code: 'USMP_HOST_NOT_FOUND',
      says: /^no address found for the host name gateway\.test: check its spelling/,
    })),
    ...['EHOSTUNREACH', 'ENETUNREACH'].map((code) => ({
      what: code,
      error: failed(code),
      code: 'USMP_UNREACHABLE',
      says: /^no route to gateway\.test:9000/,
    })),
    {
      what: 'another error of the system',
      error: failed('EMFILE'),
      code: 'USMP_CONNECT_FAILED',
      says: /gateway\.test:9000 \(TCP\) failed \(EMFILE\)$/,
    },
  ];
  it('puts an IPv6 address in brackets', () => {
    const { message } = explainConnectFailure({ ...TCP, host: '::1' }, failed('ECONNREFUSED'), false);
    assert.match(message, /^connection refused by \[::1\]:9000 \(TCP\)/);
  });

  for (const { what, error, isResolving = false, code, says } of table) {
    it(`is ${code} after ${what}`, () => {
      const explained = explainConnectFailure(TCP, error, isResolving);
      assert.equal(explained.code, code);
      assert.match(explained.message, says);
      assert.equal(explained.fault, 'network');
      assert.equal(explained.cause, error);
      assert.ok(explained instanceof (code.includes('TIMEOUT') ? USMPTimeoutError : ConnectionClosedError));
    });
  }
});

describe('what the end of a session says about the network', () => {
  const lost = (cause?: Error): ConnectionClosedError =>
    new ConnectionClosedError('lost', { code: 'USMP_LOST', cause });
  for (const { cause, isNetwork } of [
    { cause: undefined, isNetwork: false },
    { cause: failed('ECONNRESET'), isNetwork: false },
    { cause: failed('EPIPE'), isNetwork: false },
    { cause: failed('ETIMEDOUT'), isNetwork: true },
    { cause: failed('EHOSTUNREACH'), isNetwork: true },
    { cause: failed('ENETDOWN'), isNetwork: true },
  ]) {
    it(`is ${isNetwork ? 'that it failed' : 'nothing'} with ${cause?.code ?? 'no error of the system'}`, () => {
      assert.equal(isNetworkFailure(lost(cause)), isNetwork);
    });
  }
});

describe('a session that is opened in vain', () => {
  const cause = new ConnectionClosedError('the connection broke', { code: 'USMP_LOST' });

  it('names the cipher suite and the room at the gateway, and keeps what happened', () => {
    const error = neverProven(cause);
    assert.deepEqual([error.code, error.fault, error.cause], ['USMP_NEVER_PROVEN', 'peer', cause]);
    assert.match(
      error.message,
      /cipher suite, or it has no room for another session \(the connection broke\)$/,
    );
  });

  it('again and again names the device id, also for a caller with words of its own', () => {
    const error = shortSessions('aa:bb:cc:dd:ee:ff', cause);
    assert.deepEqual([error.code, error.fault, error.cause], ['USMP_SHORT_SESSIONS', 'peer', cause]);
    assert.match(error.message, /another client may be using device id aa:bb:cc:dd:ee:ff/);
    assert.deepEqual(error.values, { deviceId: 'aa:bb:cc:dd:ee:ff' });
  });
});
