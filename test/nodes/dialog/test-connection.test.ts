/** "Test connection" of a gateway's dialog, through the endpoint of a real runtime. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import {
  attempt,
  failureOf,
  stepOf,
  STEPS,
  type Failure,
  type Report,
  type Success,
} from '../../../nodes/shared/dialog/test-connection.js';
import { NODE_CODES } from '../../../nodes/shared/words/codes.js';
import { explain } from '../../../nodes/shared/words/explain.js';
import { gatewaySettings, type ClientSettings } from '../../../nodes/shared/dialog/settings.js';
import { say, type Translate, type Words } from '../../../nodes/shared/words/text.js';
import { systemRandom } from '../../../src/crypto/random.js';
import {
  ArgumentError,
  ConnectionClosedError,
  PROTOCOLS,
  USMPError,
  type USMPServer,
} from '../../../src/index.js';
import { isErrorCode } from '../../../src/error-codes.js';
import { FrameType } from '../../../src/wire/constants.js';
import { errorOf } from '../../support/errors.js';
import { rawFrame } from '../../support/forgery.js';
import { eventually, HOST, PSK, timed, useLoopback, WRONG_PSK } from '../../support/loopback.js';
import { gatewayProgram, impostor } from '../../support/gateway-program.js';
import { relay } from '../../support/relay.js';
import { flowWith, helper, NODES } from '../../support/runtime.js';
import { textsOf } from '../../support/texts.js';

const DEVICE_ID = '02:00:00:00:00:07';
const ENV_NAME = 'USMP_TEST_CONNECTION';

/** What the dialog sends. */
const typed = (port: number, changes: object = {}): Record<string, unknown> => ({
  id: 'typed',
  host: HOST,
  port: String(port),
  protocol: 'tcp',
  deviceId: DEVICE_ID,
  suite: 'aes-256-gcm',
  pskFormat: 'text',
  connectTimeout: '10',
  handshakeTimeout: '10',
  psk: PSK,
  ...changes,
});

const texts = JSON.parse(
  readFileSync(path.resolve(__dirname, '../../../nodes/locales/en-US/usmp-client.json'), 'utf8'),
);
const lookup = textsOf('en-US');
const t: Translate = (key, values) => lookup(`usmp.${key}`, values);
const english = (words: Words): string => say(t, words);

/** Every reply of the current test, as text. */
const replies: string[] = [];

async function post(body: object): Promise<{ status: number; body: unknown; text: string }> {
  const reply = await helper.request().post('/usmp/test-connection').send(body);
  replies.push(reply.text);
  return reply;
}

async function report(body: object): Promise<Report> {
  const reply = await post(body);
  assert.equal(reply.status, 200, reply.text);
  return reply.body as Report;
}

async function success(body: object): Promise<Success> {
  const result = await report(body);
  assert.ok(result.ok, JSON.stringify(result));
  return result;
}

async function failure(body: object): Promise<Failure> {
  const result = await report(body);
  assert.ok(!result.ok);
  for (const words of [result.reason, result.advice]) {
    if (words) assert.doesNotMatch(english(words), /usmp\.|__/);
  }
  return result;
}

/** Step and code of a test that must fail. */
async function failsAt(body: object): Promise<[string, string]> {
  const { step, code } = await failure(body);
  return [step, code];
}

/** Node-RED's own node that holds the global variables. */
function globalConfig(RED: NodeAPI): void {
  RED.nodes.registerType('global-config', function (this: Node, def: NodeDef) {
    RED.nodes.createNode(this, def);
  });
}

const load = (flow: object[] = [], credentials: object = {}): Promise<void> =>
  helper.load([...NODES, globalConfig], flow, credentials);

/** With the deployed config node `gw`, which no node uses. */
const deployed = (credential: string, port = 9, config: object = {}): Promise<void> =>
  load(flowWith(port, 'tcp', [], { deviceId: DEVICE_ID, ...config }), { gw: { psk: credential } });

const withoutPsk = (body: Record<string, unknown>): object => ({ ...body, psk: undefined });

/** How a server's next session ends. */
async function ending(server: USMPServer): Promise<string | undefined> {
  const [session] = await once(server, 'session');
  const [reason] = await once(session, 'close');
  return (reason as USMPError | undefined)?.code;
}

describe('the test of a connection', () => {
  before(() => helper.startServer());
  after(() => helper.stopServer());
  const loopback = useLoopback();
  afterEach(async () => {
    const logged = helper.log().args.map(([entry]) => JSON.stringify(entry));
    await helper.unload();
    Reflect.deleteProperty(process.env, ENV_NAME);
    for (const text of [...replies.splice(0), ...logged]) {
      for (const psk of [PSK, WRONG_PSK]) assert.ok(!text.includes(psk), text);
    }
  });

  for (const protocol of PROTOCOLS) {
    describe(`over ${protocol}`, () => {
      const silent = (): Promise<number> =>
        protocol === 'tcp' ? loopback.tcpProgram((socket) => socket.resume()) : loopback.udpProgram();

      it('succeeds: round-trip time, session id, and a BYE for the gateway', async () => {
        await load();
        const server = await loopback.serve({ protocol });
        const ended = ending(server);
        const seen = once(server, 'session');
        const { value, ms } = await timed(success(typed(server.port!, { protocol })));
        const { rttMs, ...rest } = value;
        const [{ sessionId, deviceId }] = await seen;
        assert.deepEqual(rest, { ok: true, sessionId, deviceId });
        assert.ok(rttMs >= 0 && rttMs <= ms, String(rttMs));
        assert.equal(deviceId, DEVICE_ID);
        assert.equal(await ended, 'USMP_BYE');
        assert.equal(server.sessions.size, 0);
      });

      it('finds no address for the host', async () => {
        await load();
        const body = typed(9000, { protocol, host: 'does-not-exist.invalid' });
        assert.deepEqual(await failsAt(body), ['name', 'USMP_HOST_NOT_FOUND']);
      });

      it('is refused', async () => {
        await load();
        const body = typed(await loopback.freePort(), { protocol });
        assert.deepEqual(await failsAt(body), ['connect', 'USMP_CONNECTION_REFUSED']);
      });

      it('hears nothing', async () => {
        await load();
        const body = typed(await silent(), { protocol, handshakeTimeout: '0.3' });
        const { step, code, advice } = await failure(body);
        assert.deepEqual([step, code], ['hello', 'USMP_NO_ANSWER']);
        assert.deepEqual(advice, {
          key: protocol === 'udp' ? 'advice.udpNoAnswer' : 'advice.USMP_NO_ANSWER',
        });
      });

      it('meets wire version 1', async () => {
        await load();
        const port = await gatewayProgram(
          loopback,
          protocol,
          () => () => rawFrame({ version: 1, type: FrameType.CHALLENGE, payload: systemRandom(64) }),
        );
        assert.deepEqual(await failsAt(typed(port, { protocol })), ['hello', 'USMP_WIRE_VERSION_1']);
      });

      it('has the wrong PSK', async () => {
        await load();
        const server = await loopback.serve({ protocol });
        const body = typed(server.port!, { protocol, psk: WRONG_PSK });
        assert.deepEqual(await failsAt(body), ['psk', 'USMP_PSK_REJECTED']);
      });

      it('meets a gateway with another PSK', async () => {
        await load();
        const port = await gatewayProgram(loopback, protocol, impostor);
        assert.deepEqual(await failsAt(typed(port, { protocol })), ['psk', 'USMP_GATEWAY_PROOF']);
      });

      it('loses a session whose other side has another cipher suite', async () => {
        await load();
        const server = await loopback.serve({ protocol, suite: 'chacha20-poly1305' });
        const [step] = await failsAt(typed(server.port!, { protocol }));
        assert.equal(step, 'session');
      });

      it('waits no longer than its limit for a gateway that goes dark', async () => {
        await load();
        const server = await loopback.serve({ protocol });
        const way = await relay(loopback, protocol, server.port!);
        const client = loopback.client(way.port, { protocol });
        await client.connect();
        way.goDark();
        const { value, ms } = await timed(attempt(client, 300));
        assert.ok(!value.ok && value.inSession);
        assert.equal(value.error.code, 'USMP_TIMEOUT'); // without a limit: USMP_DEAD
        assert.ok(ms > 250, `${ms} ms`);
      });
    });
  }

  it('meets something that does not speak USMP', async () => {
    await load();
    const port = await loopback.tcpProgram((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    assert.deepEqual(await failsAt(typed(port)), ['hello', 'USMP_MAGIC']);
  });

  it('is hung up on before CHALLENGE', async () => {
    await load();
    const port = await loopback.tcpProgram((socket) => socket.once('data', () => socket.end()));
    assert.deepEqual(await failsAt(typed(port)), ['hello', 'USMP_CLOSED_BEFORE_CHALLENGE']);
  });

  it('gives up at 5 s, however long the dialog allows', async () => {
    await load();
    const port = await loopback.tcpProgram((socket) => socket.resume());
    // Without that it would not end while this test may run.
    const { value, ms } = await timed(failsAt(typed(port, { handshakeTimeout: '86400' })));
    assert.deepEqual(value, ['hello', 'USMP_NO_ANSWER']);
    assert.ok(ms > 4500, `${ms} ms`);
  });

  describe('takes the PSK', () => {
    it('that is stored for the node, when none is typed', async () => {
      const server = await loopback.serve();
      await deployed(PSK, server.port);
      for (const psk of [undefined, '__PWRD__']) {
        await success(typed(server.port!, { id: 'gw', psk }));
      }
      assert.deepEqual(await failsAt(typed(server.port!, { id: 'gw', psk: WRONG_PSK })), [
        'psk',
        'USMP_PSK_REJECTED',
      ]);
    });

    it('from the environment, typed or stored', async () => {
      process.env[ENV_NAME] = PSK;
      const { port } = await loopback.serve();
      await deployed(`\${${ENV_NAME}}`, port);
      for (const psk of [`\${${ENV_NAME}}`, `$(${ENV_NAME})`]) {
        await success(typed(port!, { psk }));
      }
      await success(withoutPsk(typed(port!, { id: 'gw' })));
    });

    it('from nowhere, and says so', async () => {
      await deployed('');
      const nowhere = [typed(9, { psk: '' }), typed(9, { id: 'gw', psk: '' })];
      for (const body of nowhere) {
        const { step, field, reason } = await failure(body);
        assert.deepEqual([step, field, reason.key], ['settings', 'psk', 'invalid.pskMissing']);
      }
    });

    it('and tells of a line break at its end', async () => {
      process.env[ENV_NAME] = `${PSK}\n`;
      const { port } = await loopback.serve();
      await deployed(`\${${ENV_NAME}}`, port);
      for (const body of [typed(port!, { psk: `\${${ENV_NAME}}` }), withoutPsk(typed(port!, { id: 'gw' }))]) {
        const { code, deviceId, hint } = await failure(body);
        assert.deepEqual([code, deviceId], ['USMP_PSK_REJECTED', DEVICE_ID]);
        assert.match(english(hint!), /line break/);
      }
      const spelledOut = Buffer.from(PSK).toString('hex');
      process.env[ENV_NAME] = `${spelledOut}\n`;
      const { hint } = await success(typed(port!, { psk: `\${${ENV_NAME}}`, pskFormat: 'hex' }));
      assert.equal(hint, undefined);
    });
  });

  describe('uses the stored PSK', () => {
    /** A port on which somebody listens who must not be told anything; what knocked there. */
    async function decoy(): Promise<{ port: number; calls: string[] }> {
      const calls: string[] = [];
      const port = await loopback.tcpProgram((socket) => {
        calls.push('connection');
        socket.destroy();
      });
      return { port, calls };
    }

    async function refused(body: object, key = 'invalid.pskPurpose'): Promise<void> {
      const { step, code, field, reason, ...rest } = await failure(body);
      assert.deepEqual([step, code, field, reason.key], ['settings', 'USMP_ARGUMENT', 'psk', key]);
      assert.deepEqual(rest, { ok: false });
    }

    it('for the gateway and the device id that are deployed, however they are written', async () => {
      const { port } = await loopback.serve();
      await deployed(PSK, port, { pskFormat: undefined });
      const same = [
        {},
        { port },
        { host: ` ${HOST} ` },
        { deviceId: DEVICE_ID.toUpperCase() },
        { deviceId: DEVICE_ID.replaceAll(':', '-') },
        { pskFormat: 'text' },
        { handshakeTimeout: '1', connectTimeout: '' },
      ];
      for (const changes of same) {
        await success(withoutPsk(typed(port!, { id: 'gw', ...changes })));
      }
    });

    it('for a blank device id, which is that of the node', async () => {
      const { port } = await loopback.serve();
      await deployed(PSK, port, { deviceId: '' });
      const { deviceId } = await success(withoutPsk(typed(port!, { id: 'gw', deviceId: '' })));
      await success(withoutPsk(typed(port!, { id: 'gw', deviceId })));
      await refused(withoutPsk(typed(port!, { id: 'gw' })));
    });

    it('for what stands in a variable, whatever its name', async () => {
      const { port } = await loopback.serve();
      process.env[ENV_NAME] = String(port);
      await deployed(PSK, 0, { port: `\${${ENV_NAME}}` });
      for (const same of [`\${${ENV_NAME}}`, `$(${ENV_NAME})`, String(port)]) {
        await success(withoutPsk(typed(0, { id: 'gw', port: same })));
      }
      const { port: other, calls } = await decoy();
      process.env[ENV_NAME] = String(other);
      await refused(withoutPsk(typed(0, { id: 'gw', port: `\${${ENV_NAME}}` })));
      assert.deepEqual(calls, []);
    });

    it('with another protocol or cipher suite too, as these say nothing about whose key it is', async () => {
      const { port } = await loopback.serve({ suite: 'chacha20-poly1305' });
      await deployed(PSK, port);
      await success(withoutPsk(typed(port!, { id: 'gw', suite: 'chacha20-poly1305' })));
      const udp = typed(port!, { id: 'gw', protocol: 'udp' });
      assert.deepEqual(await failsAt(withoutPsk(udp)), ['connect', 'USMP_CONNECTION_REFUSED']);
    });

    const others: [string, object][] = [
      ['another port', {}],
      ['another host', { host: 'localhost' }],
      ['another device id', { deviceId: '02:00:00:00:00:08' }],
      ['the device id that a blank field stands for', { deviceId: '' }],
      ['another format, as an error would tell of it', { pskFormat: 'hex' }],
    ];
    for (const [what, changes] of others) {
      it(`not for ${what}`, async () => {
        const gateway = await loopback.serve();
        const { port, calls } = await decoy();
        await deployed(PSK, what === 'another port' ? gateway.port : port);
        for (const psk of [undefined, '__PWRD__']) await refused(typed(port, { id: 'gw', ...changes, psk }));
        assert.deepEqual(calls, []);
      });
    }

    it('of no node but one of its kind that runs', async () => {
      const { port, calls } = await decoy();
      const disabled = flowWith(port, 'tcp', [], { d: true, deviceId: DEVICE_ID });
      await load([...disabled, { id: 'other', type: 'helper', z: 'tab', host: HOST, port }], {
        gw: { psk: PSK },
        other: { psk: PSK },
      });
      for (const id of ['gw', 'other', 'tab', 'nobody', '', '__proto__', 'constructor']) {
        await refused(withoutPsk(typed(port, { id })));
      }
      assert.deepEqual(calls, []);
    });

    it('of no node whose settings are not usable', async () => {
      const { port } = await decoy();
      await deployed(PSK, port, { keepalive: 'often' });
      await refused(withoutPsk(typed(port, { id: 'gw' })));
    });

    it('not until a change is deployed', async () => {
      const [old, renewed] = [await loopback.serve(), await loopback.serve()];
      await deployed(PSK, old.port);
      const body = withoutPsk(typed(renewed.port!, { id: 'gw' }));
      await refused(body);
      const changed = flowWith(renewed.port!, 'tcp', [], { deviceId: DEVICE_ID });
      await helper.setFlows(changed, 'full', { gw: { psk: PSK } });
      await success(body);
      await refused(withoutPsk(typed(old.port!, { id: 'gw' })));
    });
  });

  describe('of a gateway inside a subflow', () => {
    const inSubflow = (port: number): Promise<void> =>
      load(
        [
          { id: 'sub', type: 'subflow', name: 'sub', in: [], out: [], env: [] },
          ...flowWith(port, 'tcp', [{ id: 'instance', type: 'subflow:sub', x: 1, y: 1 }], {
            z: 'sub',
            deviceId: DEVICE_ID,
          }),
        ],
        { gw: { psk: PSK } },
      );

    it('says that each instance may have another PSK and another environment', async () => {
      process.env[ENV_NAME] = PSK;
      const { port } = await loopback.serve();
      await inSubflow(port!);
      const cases: [object, string, string][] = [
        [{ psk: undefined }, 'psk', 'invalid.pskSubflow'],
        [{ psk: `\${${ENV_NAME}}` }, 'psk', 'invalid.environmentSubflow'],
        [{ host: `\${${ENV_NAME}}` }, 'host', 'invalid.environmentSubflow'],
      ];
      for (const [changes, field, key] of cases) {
        const result = await failure(typed(port!, { id: 'gw', ...changes }));
        assert.deepEqual([result.step, result.field, result.reason.key], ['settings', field, key]);
        assert.match(english(result.reason), /subflow/);
      }
      await success(typed(port!, { id: 'gw' }));
    });
  });

  describe('takes other settings from the environment', () => {
    it('of the process', async () => {
      await load();
      const { port } = await loopback.serve();
      process.env[ENV_NAME] = String(port);
      await success(typed(0, { port: `\${${ENV_NAME}}` }));
    });

    it('of Node-RED, once the node is deployed', async () => {
      const { port } = await loopback.serve();
      const globals = {
        id: 'globals',
        type: 'global-config',
        env: [{ name: ENV_NAME, value: String(port), type: 'num' }],
      };
      await load([...flowWith(9, 'tcp', []), globals], { gw: { psk: PSK } });
      await success(typed(0, { id: 'gw', port: `\${${ENV_NAME}}` }));
    });

    it('and names a variable that is not set', async () => {
      await load();
      for (const field of ['host', 'port', 'deviceId', 'psk', 'connectTimeout']) {
        const { step, code, reason, ...rest } = await failure(typed(9, { [field]: `\${${ENV_NAME}}` }));
        assert.deepEqual([step, code, rest.field], ['settings', 'USMP_ARGUMENT', field]);
        const expected = `${texts.usmp.label[field]}: the environment variable ${ENV_NAME} is not set`;
        assert.equal(english(reason), expected);
      }
    });

    it('and does not tell their values', async () => {
      await load();
      process.env[ENV_NAME] = PSK;
      for (const field of ['host', 'port', 'protocol', 'deviceId', 'suite', 'pskFormat']) {
        const result = await failure(typed(9, { [field]: `\${${ENV_NAME}}` }));
        assert.equal(result.field, field);
      }
    });

    it('but not those that the settings of Node-RED keep from flows', async () => {
      process.env[ENV_NAME] = PSK;
      helper.settings({ envVarExcludes: [ENV_NAME] });
      try {
        await load();
        const { reason } = await failure(typed(9, { psk: `\${${ENV_NAME}}` }));
        assert.equal(reason.key, 'invalid.environment');
      } finally {
        helper.settings({ functionGlobalContext: {} });
      }
    });

    it('but nothing that every object has', async () => {
      await load();
      const { reason } = await failure(typed(9, { psk: '${toString}' }));
      assert.equal(reason.key, 'invalid.environment');
    });
  });

  describe('checks what it is asked for', () => {
    const cases: [string, unknown][] = [
      ['host', ''],
      ['host', 7],
      ['port', '70000'],
      ['port', 'nine'],
      ['port', true],
      ['protocol', 'sctp'],
      ['protocol', null],
      ['deviceId', '02:00'],
      ['deviceId', {}],
      ['suite', 'rot13'],
      ['pskFormat', 'morse'],
      ['connectTimeout', '0'],
      ['connectTimeout', 100_000],
      ['handshakeTimeout', '-1'],
      ['handshakeTimeout', []],
      ['psk', 'short'],
      ['psk', 12_345],
      ['id', 1],
      ['surprise', 'x'],
      ['toString', 'x'],
    ];
    for (const [field, value] of cases) {
      it(`${field}: ${JSON.stringify(value)}`, async () => {
        await load();
        const { step, code, field: named } = await failure(typed(9, { [field]: value }));
        assert.deepEqual([step, code, named], ['settings', 'USMP_ARGUMENT', field]);
      });
    }

    it('a list', async () => {
      await load();
      assert.equal((await failure([])).field, 'body');
    });

    it('numbers and blank fields, which stand for defaults', async () => {
      await load();
      const { port } = await loopback.serve();
      const body = typed(0, { port, connectTimeout: '', handshakeTimeout: 10, deviceId: '' });
      await success(body);
    });
  });

  describe('shows nothing of what was typed', () => {
    const key = 'hunter2-hunter2.invalid';
    for (const field of Object.keys(typed(9))) {
      it(`as ${field}`, async () => {
        await load();
        for (const value of [key, `${key} `, `\${${key}}`, `$(${key})`, `[${key}]`, `tcp://${key}`]) {
          const { status, text } = await post(typed(9, { [field]: value }));
          assert.equal(status, 200);
          assert.ok(!text.includes('hunter2'), text);
        }
      });
    }
  });

  describe('takes JSON only', () => {
    const send = (contentType: string | undefined, body: string) => {
      const request = helper.request().post('/usmp/test-connection');
      return (contentType === undefined ? request : request.set('Content-Type', contentType)).send(body);
    };

    for (const contentType of [
      'application/x-www-form-urlencoded',
      'text/plain',
      'multipart/form-data; boundary=x',
      'application/jsonp',
      'text/json',
    ]) {
      it(`and not ${contentType}`, async () => {
        await load();
        const body = contentType.includes('form-url')
          ? String(new URLSearchParams(typed(9) as Record<string, string>))
          : JSON.stringify(typed(9));
        const reply = await send(contentType, body);
        assert.equal(reply.status, 415);
        assert.match(english(reply.body as Words), /JSON/);
      });
    }

    it('and not a request without a body', async () => {
      await load();
      assert.equal((await helper.request().post('/usmp/test-connection')).status, 415);
    });

    it('in whatever way it is spelled', async () => {
      await load();
      for (const contentType of ['application/json', 'Application/JSON; charset=utf-8']) {
        assert.equal((await send(contentType, JSON.stringify(typed(9, { port: '0' })))).status, 200);
      }
    });
  });

  describe('lets through', () => {
    /** A gateway that holds whoever asks it until it lets go. */
    async function holding() {
      const sockets: Socket[] = [];
      const port = await loopback.tcpProgram((socket) => sockets.push(socket.resume()));
      return {
        port,
        held: async (count: number) => assert.ok(await eventually(() => sockets.length === count)),
        letGo: () => sockets.splice(0).forEach((socket) => socket.destroy()),
      };
    }

    it('one test of a gateway at a time', async () => {
      await load();
      const { port, held, letGo } = await holding();
      for (let i = 0; i < 2; i++) {
        const first = post(typed(port));
        await held(1);
        const { status, body } = await post(typed(port));
        assert.deepEqual([status, body], [429, { key: 'test.running' }]);
        letGo();
        assert.equal((await first).status, 200);
      }
    });

    it('three at once', async () => {
      await load();
      const { port, held, letGo } = await holding();
      const three = ['a', 'b', 'c'].map((id) => post(typed(port, { id })));
      await held(3);
      const { status, body } = await post(typed(port, { id: 'd' }));
      assert.deepEqual([status, body], [429, { key: 'test.tooMany' }]);
      letGo();
      for (const each of await Promise.all(three)) assert.equal(each.status, 200);
    });

    it('twenty a minute', async () => {
      await load();
      for (let i = 0; i < 20; i++) assert.equal((await post(typed(9, { port: '0' }))).status, 200);
      const { status, body } = await post(typed(9, { port: '0' }));
      assert.deepEqual([status, body], [429, { key: 'test.tooMany' }]);
    });
  });

  it('leaves the session of the deployed node, or lets it come back', async () => {
    const server = await loopback.serve();
    const user = { id: 'out', type: 'usmp out', client: 'gw' };
    const timing = { deviceId: DEVICE_ID, retryMin: '0.1', retryMax: '0.1' };
    await load(flowWith(server.port!, 'tcp', [user], timing), { gw: { psk: PSK } });
    assert.ok(await eventually(() => server.sessions.size === 1));
    const { sessionId } = await success(withoutPsk(typed(server.port!, { id: 'gw' })));
    const isBack = (): boolean =>
      [...server.sessions.values()].some((session) => session.connected && session.sessionId !== sessionId);
    assert.ok(await eventually(isBack));
    await helper.unload();
  });
});

describe('what a test that failed is called', () => {
  const codes = Object.keys(texts.usmp.reason);
  const errors = codes.filter(isErrorCode).map((code) => errorOf(code));

  it('is one of the steps, each of which the dialog has a word for', () => {
    for (const error of errors) {
      assert.equal(stepOf(error, true), 'session');
      assert.ok(STEPS.includes(stepOf(error, false)));
    }
    assert.deepEqual(Object.keys(texts['usmp-client'].step).sort(), [...STEPS].sort());
  });

  it('comes with reason and advice from the catalogue, all of which is used', () => {
    // Of a store nobody hears here, but when a flow is deployed.
    const used = new Set<string>(Object.values(NODE_CODES).flatMap(({ client: { advice } }) => advice ?? []));
    for (const error of errors) {
      for (const [inSession, protocol] of [
        [true, 'tcp'],
        [false, 'tcp'],
        [false, 'udp'],
      ] as const) {
        const { reason, advice, code } = failureOf(error, inSession, protocol);
        assert.equal(code, error.code);
        assert.equal(reason.key, `reason.${code}`);
        assert.ok(advice);
        assert.equal(english(advice), texts.usmp.advice[advice.key.replace('advice.', '')], error.code);
        used.add(advice.key.replace('advice.', ''));
      }
    }
    assert.deepEqual([...used].sort(), Object.keys(texts.usmp.advice).sort());
  });
});

describe('an error in words', () => {
  const argument = (field: string, kind: string, values?: Record<string, string | number>): string =>
    explain(
      t,
      new ArgumentError(field, 'expected this, got "that"', { kind, ...(values && { values }) }),
      'tcp',
    );

  it('names the setting as the dialog does, and not its value', () => {
    assert.equal(
      argument('port', 'whole', { min: 1, max: 65_535 }),
      'Port: needs a whole number from 1 to 65535',
    );
    assert.equal(argument('protocol', 'choice', { choices: 'tcp, udp' }), 'Protocol: needs one of tcp, udp');
  });

  it('gives limits in the unit of the dialog', () => {
    const said = (settings: ClientSettings): string => {
      let error: unknown;
      assert.throws(
        () => gatewaySettings({ host: HOST, ...settings }, { deviceId: DEVICE_ID }),
        (thrown) => Boolean((error = thrown)),
      );
      return explain(t, error as USMPError, 'tcp');
    };
    assert.equal(said({ outboxSize: '0' }), 'Size at most: needs a whole number from 1 to 1048576');
    assert.equal(said({ rekeyAfter: '600000' }), 'New keys every: needs a number from 0 to 527040');
  });

  it('has no words for a mistake that the dialog cannot make, but says where it lies', () => {
    assert.equal(argument('body', 'unusable'), texts.usmp.reason.USMP_ARGUMENT);
  });

  it('says what happened, and what to do about it', () => {
    const refused = errorOf('USMP_CONNECTION_REFUSED');
    assert.match(explain(t, refused, 'tcp'), /^connection refused\. The host is there, but .*\.$/);
    const noAnswer = errorOf('USMP_NO_ANSWER');
    assert.match(explain(t, noAnswer, 'udp'), /^no answer to HELLO\. UDP is blocked/);
    assert.match(explain(t, noAnswer, 'tcp'), /^no answer to HELLO\. The connection opens/);
    const failed = new ConnectionClosedError('', { code: 'USMP_CONNECT_FAILED', cause: { code: 'EACCES' } });
    assert.match(explain(t, failed, 'tcp'), /^connection failed \(EACCES\)\. /);
    assert.equal(explain(t, errorOf('USMP_BYE'), 'tcp'), 'gateway said goodbye');
  });
});
