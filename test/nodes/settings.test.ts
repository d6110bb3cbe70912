/** The settings of the nodes: good ones, bad ones, and those from the environment. */
import assert from 'node:assert/strict';
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
} from '../support/runtime.js';

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
    ['a PSK that is not hex', { pskFormat: 'hex' }, PSK, 'These are not pairs of hex digits (0-9, a-f).'],
    ['a PSK that is not base64', { pskFormat: 'base64' }, PSK, 'This is not Base64 text.'],
    ['a bad keep-alive', { keepalive: '-1' }, PSK, 'Keep-alive: needs a number from 0 to 86400'],
    ['no PSK', {}, '', 'A PSK is needed: type the one that the gateway has, or generate one.'],
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
      assert.equal((await statusOf('out', isRed)).text, why);
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
