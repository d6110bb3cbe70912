import assert from 'node:assert/strict';
import { checkClientOptions, type ClientOptions } from '../../src/client/options.js';
import { SUITES } from '../../src/crypto/aead.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { ascii, hex } from '../support/hex.js';
import { scripted } from '../support/random.js';

const MINIMAL = { host: 'gateway.local', psk: 'the key of device one' };
const RANDOM_ID = hex('010203040506');

const check = (options: object) => checkClientOptions({ ...MINIMAL, ...options }, scripted(RANDOM_ID));

describe('the options of a client', () => {
  it('have defaults for all but host and PSK (protocol §6.1)', () => {
    const { psk, ...others } = check({});
    assert.deepEqual(psk.bytes, ascii(MINIMAL.psk));
    assert.deepEqual(others, {
      host: 'gateway.local',
      port: 9000,
      protocol: 'tcp',
      suite: 'aes-256-gcm',
      deviceId: RANDOM_ID,
      connectMs: 10_000,
      handshakeMs: 10_000,
      keepaliveMs: 30_000,
      pongTimeoutMs: 10_000,
    });
  });

  it('are all taken, seconds as milliseconds', () => {
    const { psk, ...others } = check({
      host: '::1',
      port: 65_535,
      psk: hex('00112233445566778899aabbccddeeff'),
      deviceId: 'A4-CF-12-00-00-01',
      protocol: 'udp',
      suite: 'chacha20-poly1305',
      connectTimeout: 1,
      handshakeTimeout: 2.5,
      keepalive: 0,
      pongTimeout: 86_400,
    });
    assert.deepEqual(psk.bytes, hex('00112233445566778899aabbccddeeff'));
    assert.deepEqual(others, {
      host: '::1',
      port: 65_535,
      protocol: 'udp',
      suite: 'chacha20-poly1305',
      deviceId: hex('a4cf12000001'),
      connectMs: 1000,
      handshakeMs: 2500,
      keepaliveMs: 0,
      pongTimeoutMs: 86_400_000,
    });
  });

  it('take an IPv6 address with or without its brackets', () => {
    for (const host of ['::1', '[::1]']) assert.equal(check({ host }).host, '::1');
    assert.equal(check({ host: '[fe80::1%eth0]' }).host, 'fe80::1%eth0');
  });

  it('may be undefined where they may be left out', () => {
    const names = [
      'port',
      'deviceId',
      'protocol',
      'suite',
      'connectTimeout',
      'handshakeTimeout',
      'keepalive',
      'pongTimeout',
    ];
    const { psk, ...others } = check(Object.fromEntries(names.map((name) => [name, undefined])));
    const { psk: samePsk, ...defaults } = check({});
    assert.deepEqual([others, psk.bytes], [defaults, samePsk.bytes]);
  });

  const badSeconds = [-1, -0.001, 86_401, NaN, Infinity, '10', {}];
  const bad: Record<keyof ClientOptions, readonly unknown[]> = {
    host: [
      ...[undefined, null, '', ' ', 'two words', 'host\n', 'host\0', 'http://host', 7, {}],
      ...['host:9000', ':9000', 'host:', '[::1]:9000', '[::1', '::1]', '[host]', '[]'],
    ],
    port: [0, -1, 65_536, 1.5, NaN, Infinity, '9000', {}, true],
    psk: [undefined, null, '', '123456789abcdef', new Uint8Array(15), 7, {}],
    deviceId: [null, '', 'device one', 'a4:cf:12:00:00', new Uint8Array(5), 7],
    protocol: ['', 'TCP', 'tls', 7, ['tcp']],
    suite: ['', 'AES-256-GCM', 'aes-128-gcm', 7],
    connectTimeout: badSeconds,
    handshakeTimeout: badSeconds,
    keepalive: badSeconds,
    pongTimeout: badSeconds,
  };
  for (const [field, values] of Object.entries(bad)) {
    it(`are refused by name: ${field}`, () => {
      for (const value of values) {
        assert.throws(
          () => check({ [field]: value }),
          {
            name: 'ArgumentError',
            code: 'USMP_ARGUMENT',
            fault: 'local',
            field,
            message: new RegExp(`^${field}: `),
          },
          `${field}: ${String(value)}`,
        );
      }
    });
  }

  it('are refused with what was expected and what came, in words', () => {
    assert.throws(
      () => check({ port: '9000' }),
      /port: expected a whole number from 1 to 65535, got text of 4 characters/,
    );
    assert.throws(
      () => check({ keepalive: -1 }),
      /keepalive: expected a number of seconds from 0 to 86400, got -1/,
    );
    assert.throws(
      () => check({ protocol: 'tls' }),
      new RegExp(`expected one of ${PROTOCOLS.join(', ')}, got text of 3 characters`),
    );
    assert.throws(
      () => check({ suite: 'des' }),
      new RegExp(`expected one of ${SUITES.join(', ')}, got text of 3 characters`),
    );
    assert.throws(
      () => check({ host: 'a/b' }),
      /host: expected a host name or an IP address, got text of 3 characters/,
    );
  });

  it('are refused without the PSK in the message', () => {
    assert.throws(
      () => check({ psk: 'hunter2hunter2' }),
      (error) => !String(error).includes('hunter2'),
    );
  });
});
