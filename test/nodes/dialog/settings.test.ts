/** The settings of the nodes: good ones, bad ones, and those from the environment. */
import assert from 'node:assert/strict';
import { environmentName } from '../../../nodes/shared/dialog/rules.js';
import {
  gatewaySettings,
  pskPurpose,
  readPsk,
  type ClientSettings,
} from '../../../nodes/shared/dialog/settings.js';
import { ArgumentError, USMPClient } from '../../../src/index.js';
import {
  CATCH,
  CAUGHT,
  GOT,
  OUT,
  connected,
  flowWith,
  helper,
  isRed,
  load,
  loggedErrors,
  next,
  PSK,
  startGateway,
  statusOf,
  withRuntime,
} from '../../support/runtime.js';

describe('usmp ping', () => {
  withRuntime();

  const intervals: [string, string | undefined][] = [
    ['', undefined],
    ['0', undefined],
    ['often', 'Ping every: needs a number from 1 to 86400'],
    ['1e3', 'Ping every: needs a number from 1 to 86400'],
    ['0.5', 'Ping every: needs a number from 1 to 86400'],
    ['-1', 'Ping every: needs a number from 1 to 86400'],
    ['${USMP_NO_SUCH_VARIABLE}', 'Ping every: the environment variable USMP_NO_SUCH_VARIABLE is not set'],
  ];
  for (const [interval, error] of intervals) {
    it(`with the interval "${interval}" pings on input only, and ${error ? 'says why' : 'says nothing'}`, async () => {
      const gateway = await startGateway('tcp');
      const ping = { id: 'ping', type: 'usmp ping', client: 'gw', interval, wires: [['got']] };
      await load(flowWith(gateway.port, 'tcp', [ping, GOT]));
      await connected('ping');
      assert.deepEqual(loggedErrors(), error === undefined ? [] : [error]);
      const got = next('got');
      helper.getNode('ping').receive({});
      assert.equal(typeof (await got).payload, 'number');
    });
  }
});

describe('usmp-client', () => {
  withRuntime();

  const bad: [string, object, string, string][] = [
    ['a short PSK', {}, 'short', 'The PSK has 5 bytes; at least 16 are needed.'],
    [
      'a PSK that is not hex',
      { pskFormat: 'hex' },
      PSK,
      'PSK: needs pairs of hex digits (0-9, a-f) in this format',
    ],
    ['a PSK that is not base64', { pskFormat: 'base64' }, PSK, 'PSK: needs Base64 text in this format'],
    ['a bad keep-alive', { keepalive: '-1' }, PSK, 'Keep-alive: needs a number from 0 to 86400'],
    ['no PSK', {}, '', 'A PSK is needed: type the one that the gateway has, or generate one.'],
    [
      'a PSK that looks like a variable',
      {},
      '${correct-horse-battery-staple}',
      'PSK: the environment variable that is named there is not set',
    ],
    [
      'an unset variable as PSK',
      {},
      '${USMP_NO_SUCH_VARIABLE}',
      'PSK: the environment variable USMP_NO_SUCH_VARIABLE is not set',
    ],
    ['a bad port', { port: '99999' }, PSK, 'Port: needs a whole number from 1 to 65535'],
    ['a port that is no number', { port: 'http' }, PSK, 'Port: needs a whole number from 1 to 65535'],
    ['no host', { host: '' }, PSK, "Host: the gateway's name or address is missing"],
    [
      'a port behind the host',
      { host: '127.0.0.1:9000' },
      PSK,
      'Host: only the name or address; the port has a field of its own',
    ],
    [
      'a longest wait that is shorter than the first',
      { retryMin: '10', retryMax: '5' },
      PSK,
      'Longest wait: must not be shorter than the first',
    ],
    [
      'a bad device id',
      { deviceId: '12:34' },
      PSK,
      'Device ID: needs 12 hex digits such as a4:cf:12:00:00:01, or nothing',
    ],
    ['a bad suite', { suite: 'aes-128' }, PSK, 'Cipher suite: needs one of aes-256-gcm, chacha20-poly1305'],
    [
      'no room in the outbox',
      { outboxSize: '0' },
      PSK,
      'Size at most: needs a whole number from 1 to 1048576',
    ],
  ];
  for (const [what, config, psk, why] of bad) {
    it(`sends nothing with ${what}, and says so in status, log and error`, async () => {
      const gateway = await startGateway('tcp');
      await load(flowWith(gateway.port, 'tcp', [OUT, CATCH, CAUGHT], config), psk);
      assert.equal((await statusOf('out', isRed)).text, psk === '' ? 'no PSK set' : why);
      assert.deepEqual(loggedErrors(), [why]);
      const caught = next('caught');
      helper.getNode('out').receive({ payload: 'x' });
      const error = (await caught).error as { message: string; code: string };
      assert.equal(error.message, `USMP: there is no session: ${why}`);
      assert.equal(error.code, 'USMP_NOT_CONNECTED');
      assert.equal(gateway.sessions.length, 0);
    });
  }

  it('takes the PSK from the environment', async () => {
    process.env.USMP_TEST_PSK = PSK;
    try {
      const gateway = await startGateway('tcp');
      await load(flowWith(gateway.port, 'tcp', [OUT]), '${USMP_TEST_PSK}');
      await connected('out');
    } finally {
      delete process.env.USMP_TEST_PSK;
    }
  });

  it('tells of a line break at the end of a PSK from the environment, which is easily overlooked', async () => {
    process.env.USMP_TEST_PSK = `${PSK}\n`;
    try {
      const gateway = await startGateway('tcp', { psk: `${PSK}\n` });
      await load(flowWith(gateway.port, 'tcp', [OUT]), '${USMP_TEST_PSK}');
      await connected('out');
      const { args, WARN } = helper.log();
      const warnings = args.filter(([entry]) => entry!.level === WARN).map(([entry]) => String(entry!.msg));
      assert.equal(warnings.filter((text) => text.startsWith('The PSK ends in a line break')).length, 1);
      assert.ok(!args.some(([entry]) => JSON.stringify(entry).includes(PSK)));
    } finally {
      delete process.env.USMP_TEST_PSK;
    }
  });

  it('takes the PSK in hex and in base64', async () => {
    for (const format of ['hex', 'base64'] as const) {
      const gateway = await startGateway('tcp');
      await load(
        flowWith(gateway.port, 'tcp', [OUT], { pskFormat: format }),
        Buffer.from(PSK).toString(format),
      );
      await connected('out');
      await helper.unload();
    }
  });

  it('does not connect by itself when it shall wait for the first message', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT], { autoConnect: false }));
    await statusOf('out', isRed);
    assert.equal(gateway.sessions.length, 0);
    helper.getNode('out').receive({ payload: 'x' });
    await connected('out');
  });

  it('keeps the session over a deploy that replaces its only user', async () => {
    const gateway = await startGateway('tcp');
    const flow = (id: string) => flowWith(gateway.port, 'tcp', [{ ...OUT, id }]);
    await load(flow('out'));
    await connected('out');
    await helper.setFlows(flow('other'), 'nodes', { gw: { psk: PSK } });
    await connected('other');
    assert.equal(gateway.sessions.length, 1);
    assert.ok(gateway.sessions[0]!.connected);
  });
});

describe('the host', () => {
  for (const [typed, expected] of [
    ['[::1]', '::1'],
    [' [fe80::1%eth0] ', 'fe80::1%eth0'],
    ['::1', '::1'],
    ['gw.local', 'gw.local'],
  ] as const) {
    it(`${JSON.stringify(typed)} is ${expected}`, () => {
      assert.equal(gatewaySettings({ host: typed }, { deviceId: '' }).host, expected);
    });
  }
});

describe('what a PSK is for', () => {
  const OWN = '02:00:00:00:00:99';
  const base = { host: 'gw.local', port: '9000', deviceId: '02:00:00:00:00:aa', pskFormat: 'hex' };

  function purpose(changes: ClientSettings): string {
    const { pskFormat, ...settings } = gatewaySettings({ ...base, ...changes }, { deviceId: OWN });
    return pskPurpose(new USMPClient({ ...settings, psk: PSK }), pskFormat);
  }

  const same: [ClientSettings, ClientSettings][] = [
    [{ host: 'GW.Local' }, {}],
    [{ host: ' gw.local ' }, {}],
    [{ host: '[::1]' }, { host: '::1' }],
    [{ host: 'FE80::1' }, { host: 'fe80::1' }],
    [{ port: '' }, {}],
    [{ port: 9000 }, {}],
    [{ port: ' 09000 ' }, {}],
    [{ deviceId: '02-00-00-00-00-AA' }, {}],
    [{ deviceId: '0200000000aa' }, {}],
    [{ deviceId: '' }, { deviceId: OWN }],
    [{ protocol: 'udp', suite: 'chacha20-poly1305', keepalive: '1' }, {}],
  ];
  for (const [one, other] of same) {
    it(`is the same with ${JSON.stringify(one)} and ${JSON.stringify(other)}`, () => {
      assert.equal(purpose(one), purpose(other));
    });
  }

  const different: [ClientSettings, ClientSettings][] = [
    [{ host: 'gw' }, {}],
    [{ host: 'gw.local.' }, {}],
    [{ host: '127.0.0.1' }, { host: 'localhost' }],
    [{ host: 'fe80::1%eth0' }, { host: 'fe80::1%ETH0' }],
    [{ port: '9001' }, {}],
    [{ deviceId: '' }, {}],
    [{ deviceId: '02:00:00:00:00:ab' }, {}],
    [{ pskFormat: 'text' }, {}],
  ];
  for (const [one, other] of different) {
    it(`is another with ${JSON.stringify(one)} than with ${JSON.stringify(other)}`, () => {
      assert.notEqual(purpose(one), purpose(other));
    });
  }
});

describe('a variable of the environment', () => {
  it('is a whole value, written in either way', () => {
    for (const typed of ['${A}', '$(A)']) assert.equal(environmentName(typed), 'A');
    for (const typed of ['', 'A', '$A', '${A', 'x${A}', '${A}x', '$[A]', '${}', '${two words}', '${A}\n']) {
      assert.equal(environmentName(typed), undefined, typed);
    }
  });

  it('is told by its name when it is not set, but not what cannot be a name', () => {
    const cases: [string, string | undefined][] = [
      ['${USMP_A1}', 'USMP_A1'],
      ['$(usmp)', 'usmp'],
      ['${$parent.USMP_A}', '$parent.USMP_A'],
      ['${0123456789abcdef0123456789abcdef}', undefined],
      ['${correct-horse-battery-staple}', undefined],
      ['${a+b/c==}', undefined],
    ];
    for (const [typed, name] of cases) {
      assert.throws(
        () => readPsk(typed, 'text'),
        (error: unknown) => {
          assert.ok(error instanceof ArgumentError);
          const { field, message, problem } = error;
          assert.equal(field, 'psk');
          assert.deepEqual(problem.values, name === undefined ? undefined : { name });
          if (name === undefined && typed.length > 3)
            assert.ok(!message.includes(typed.slice(2, -1)), message);
          return true;
        },
      );
    }
  });

  it('is looked up once: a value that looks like a variable is a value', () => {
    const { psk } = readPsk('${A}', 'text', () => '${B_which_is_a_key}');
    assert.equal(Buffer.from(psk).toString(), '${B_which_is_a_key}');
  });
});
