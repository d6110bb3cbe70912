import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import type { PskSource } from '../../src/server/keys.js';
import { checkServerOptions, type ServerOptions } from '../../src/server/options.js';
import { toHex } from '../../src/wire/bytes.js';
import { ascii, hex } from '../support/hex.js';

const KEY_1 = 'the key of device one';
const KEY_2 = 'the key of device two';
const ID_1 = hex('a4cf12000001');
const ID_2 = hex('a4cf12000002');

const check = (options: object) => checkServerOptions({ psk: KEY_1, ...options });

/** What a `vm` context, where a Function node runs, makes of an expression. */
const foreign = (expression: string): unknown =>
  runInNewContext(
    `const bytes = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0)); (${expression})`,
    { KEY_1, KEY_2 },
  );

/** The key that is found for a device, as text. */
async function find(psk: unknown, deviceId: Uint8Array): Promise<string | undefined> {
  const [found] = (await check({ psk }).keys.find(deviceId)) ?? [];
  return found && Buffer.from(found.bytes).toString();
}

describe('the options of a server', () => {
  it('have defaults for all but the PSK (protocol §6.2)', () => {
    const { keys, devices, ...others } = check({});
    assert.equal(typeof keys.find, 'function');
    assert.equal(devices.rate.perSecond, 0);
    assert.deepEqual(others, {
      host: '0.0.0.0',
      port: 9000,
      protocol: 'tcp',
      suite: 'aes-256-gcm',
      handshakeMs: 10_000,
      sessionTimeoutMs: 60_000,
      maxSessions: 100,
      maxSessionsPerAddress: 5,
      helloMs: 5_000,
      maxHandshakes: 2_048,
      maxHandshakesPerAddress: 1_024,
      tryIntervalMs: 3_500,
      maxHelloRetriesPerSecond: 5_000,
    });
  });

  it('are all taken, seconds as milliseconds, and the port may be 0', () => {
    const { keys, devices, ...others } = check({
      host: '::',
      port: 0,
      protocol: 'udp',
      suite: 'chacha20-poly1305',
      handshakeTimeout: 2.5,
      sessionTimeout: 0,
      maxConnections: 1,
      maxConnectionsPerIp: 100_000,
      helloTimeout: 1.5,
      maxHandshakes: 7,
      maxHandshakesPerAddress: 3,
      tryInterval: 0,
      maxHelloRetriesPerSecond: 1,
    });
    assert.equal(typeof keys.find, 'function');
    assert.equal(devices.rate.perSecond, 0);
    assert.deepEqual(others, {
      host: '::',
      port: 0,
      protocol: 'udp',
      suite: 'chacha20-poly1305',
      handshakeMs: 2500,
      sessionTimeoutMs: 0,
      maxSessions: 1,
      maxSessionsPerAddress: 100_000,
      helloMs: 1_500,
      maxHandshakes: 7,
      maxHandshakesPerAddress: 3,
      tryIntervalMs: 0,
      maxHelloRetriesPerSecond: 1,
    });
  });

  it('give one address half of the handshakes, and HELLO no more time than the handshake, by default', () => {
    const { helloMs, maxHandshakesPerAddress } = check({ maxHandshakes: 9, handshakeTimeout: 2 });
    assert.deepEqual([helloMs, maxHandshakesPerAddress], [2_000, 5]);
  });

  it('may ask for both protocols', () => {
    assert.equal(check({ protocol: 'both' }).protocol, 'both');
  });

  const badSeconds = [-1, 86_401, NaN, Infinity, '10', {}];
  const badCounts = [0, -1, 1.5, 100_001, NaN, Infinity, '5', {}];
  const bad: Record<keyof ServerOptions, readonly unknown[]> = {
    psk: [
      undefined,
      null,
      7,
      true,
      '',
      '123456789abcdef',
      new Uint8Array(15),
      new Map([['a4:cf:12:00:00:01', 'short']]),
      { 'a4:cf:12:00:00:01': 'short' },
      { 'a4:cf:12:00:00:01': 7 },
    ],
    host: ['', ' ', 'two words', 'tcp://0.0.0.0', 7, {}],
    port: [-1, 65_536, 1.5, NaN, '9000', {}],
    protocol: ['', 'TCP', 'tls', 7],
    suite: ['', 'AES-256-GCM', 'aes-128-gcm', 7],
    handshakeTimeout: badSeconds,
    sessionTimeout: badSeconds,
    maxConnections: badCounts,
    maxConnectionsPerIp: badCounts,
    helloTimeout: badSeconds,
    maxHandshakes: badCounts,
    maxHandshakesPerAddress: badCounts,
    tryInterval: [...badSeconds, 61],
    maxHelloRetriesPerSecond: [0, -1, 1.5, 1_000_001, NaN, Infinity, '5', {}],
    mailboxCount: [0, 1_000_001, 1.5, '5', {}],
    mailboxBytes: [0, 2 ** 30 + 1, 1.5, '5', {}],
    mailboxAge: [-1, NaN, Infinity, '10', {}],
    mailboxesCount: [0, 1_000_001, 1.5, '5', {}],
    mailboxesBytes: [0, 2 ** 30 + 1, 1.5, '5', {}],
    maxSeenDevices: [-1, 1_000_001, 1.5, '5', {}],
    maxMessageRate: [-1, 1_000_001, 0.5, '5', {}],
    maxMessageBurst: [0, 1_000_001, 1.5, '5', {}],
    noticeInterval: badSeconds,
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

  it('are refused when the map of keys has something else than a device id', () => {
    for (const psk of [new Map([['device one', KEY_1]]), { 'a4:cf': KEY_1 }, [KEY_1]]) {
      assert.throws(() => check({ psk }), { name: 'ArgumentError', field: 'psk' });
    }
  });

  it('are refused without any PSK in the message', () => {
    for (const psk of [
      'hunter2hunter2',
      { 'a4:cf:12:00:00:01': 'hunter2' },
      { hunter1: 'hunter2hunter2hunter2' },
    ]) {
      assert.throws(
        () => check({ psk }),
        (error) => !String(error).includes('hunter2'),
      );
    }
  });
});

describe('the PSK of a device', () => {
  it('is the one key, when there is one for all', async () => {
    assert.equal(await find(KEY_1, ID_1), KEY_1);
    assert.equal(await find(ascii(KEY_1), ID_2), KEY_1);
    assert.equal(await find(foreign('bytes(KEY_1)'), ID_2), KEY_1);
  });

  const byDevice: { title: string; psk: PskSource }[] = [
    {
      title: 'a map',
      psk: new Map([
        ['a4:cf:12:00:00:01', KEY_1],
        ['A4CF12000002', KEY_2],
      ]),
    },
    { title: 'an object', psk: { 'A4-CF-12-00-00-01': KEY_1, a4cf12000002: ascii(KEY_2) } },
    {
      title: 'a map with bytes, both of another realm',
      psk: foreign(`new Map([['a4:cf:12:00:00:01', KEY_1], ['a4cf12000002', bytes(KEY_2)]])`) as PskSource,
    },
    {
      title: 'a function of another realm',
      psk: foreign(`async (id) =>
        ({ 'a4:cf:12:00:00:01': bytes(KEY_1), 'a4:cf:12:00:00:02': bytes(KEY_2) })[id]`) as PskSource,
    },
    { title: 'a function', psk: (id) => ({ 'a4:cf:12:00:00:01': KEY_1, 'a4:cf:12:00:00:02': KEY_2 })[id] },
    {
      title: 'a function that takes its time',
      psk: async (id) => {
        await Promise.resolve();
        return id === 'a4:cf:12:00:00:01' ? KEY_1 : id === 'a4:cf:12:00:00:02' ? ascii(KEY_2) : undefined;
      },
    },
  ];
  for (const { title, psk } of byDevice) {
    it(`is found in ${title}, however the device id is written there`, async () => {
      assert.equal(await find(psk, ID_1), KEY_1);
      assert.equal(await find(psk, ID_2), KEY_2);
    });

    it(`is undefined where ${title} has none`, async () => {
      assert.equal(await find(psk, hex('a4cf12000003')), undefined);
    });
  }

  for (const { title, psk } of [{ title: 'one key', psk: KEY_1 }, byDevice[0]!]) {
    it(`is a copy each time, so that wiping it does no harm: ${title}`, async () => {
      const { keys } = check({ psk });
      const first = await keys.find(ID_1);
      first![0]!.wipe();
      assert.equal(toHex((await keys.find(ID_1))![0]!.bytes), toHex(ascii(KEY_1)));
    });
  }

  it('is refused when a function finds a short one', async () => {
    await assert.rejects(
      find(() => 'too short', ID_1),
      { name: 'ArgumentError', field: 'psk' },
    );
  });

  it('fails with the error of the function that looks for it, whether that comes at once or later', async () => {
    const fault = new Error('the database is away');
    await assert.rejects(
      find(() => {
        throw fault;
      }, ID_1),
      fault,
    );
    await assert.rejects(
      find(() => Promise.reject(fault), ID_1),
      fault,
    );
  });

  it('does not change when the map that was given changes later', async () => {
    const given = new Map([['a4:cf:12:00:00:01', KEY_1]]);
    const { keys } = check({ psk: given });
    given.clear();
    assert.ok(await keys.find(ID_1));
  });
});
