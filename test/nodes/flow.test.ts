import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PROTOCOLS } from '../../src/index.js';
import {
  CATCH,
  CAUGHT,
  COMPLETED,
  GOT,
  OUT,
  connected,
  flowWith,
  helper,
  isRed,
  load,
  next,
  PSK,
  startGateway,
  statusOf,
  withRuntime,
} from '../support/runtime.js';

const IN = { id: 'in', type: 'usmp in', client: 'gw', topic: 'reply', format: 'auto', wires: [['got']] };
const PING = { id: 'ping', type: 'usmp ping', client: 'gw', wires: [['rtt']] };
const RTT = { id: 'rtt', type: 'helper' };
const COMPLETE = { id: 'n-complete', type: 'complete', scope: ['out', 'ping'], wires: [['completed']] };

for (const protocol of PROTOCOLS) {
  describe(`the nodes in a flow, over ${protocol}`, () => {
    withRuntime();

    it('send an object as JSON and receive the reply as an object, with where it came from', async () => {
      const gateway = await startGateway(protocol);
      await load(flowWith(gateway.port, protocol, [IN, OUT, GOT]));
      await connected('out');
      const got = next('got');
      helper.getNode('out').receive({ payload: { on: true, level: 3 } });
      const msg = await got;
      assert.deepEqual(gateway.received, ['{"on":true,"level":3}']);
      assert.deepEqual(msg.payload, { on: true, level: 3 });
      assert.equal(msg.topic, 'reply');
      assert.deepEqual(msg.usmp, {
        deviceId: '02:00:00:00:00:01',
        sessionId: gateway.sessions[0]!.sessionId,
        protocol,
        host: '127.0.0.1',
        port: gateway.port,
      });
    });

    it('share one session, however many they are, and end it with BYE when the last is gone', async () => {
      const gateway = await startGateway(protocol);
      await load(
        flowWith(gateway.port, protocol, [
          IN,
          { ...IN, id: 'in2' },
          OUT,
          { ...OUT, id: 'out2' },
          PING,
          GOT,
          RTT,
        ]),
      );
      await Promise.all(['in', 'in2', 'out', 'out2', 'ping'].map(connected));
      assert.equal(gateway.sessions.length, 1);
      const closed = once(gateway.sessions[0]!, 'close');
      const before = Date.now();
      await helper.unload();
      const [reason] = await closed;
      assert.equal(reason.code, 'USMP_BYE');
      assert.ok(Date.now() - before < 1000);
    });

    it('tell the round-trip time in milliseconds and complete', async () => {
      const gateway = await startGateway(protocol);
      await load(flowWith(gateway.port, protocol, [PING, RTT, COMPLETE, COMPLETED]));
      await connected('ping');
      const [rtt, completed] = [next('rtt'), next('completed')];
      helper.getNode('ping').receive({ topic: 'kept' });
      const msg = await rtt;
      assert.equal(typeof msg.payload, 'number');
      assert.ok((msg.payload as number) >= 0 && (msg.payload as number) < 5000);
      assert.equal(msg.topic, 'kept');
      await completed;
    });

    it('call done exactly once for a message that is delivered and for one that is not', async () => {
      const gateway = await startGateway(protocol);
      await load(flowWith(gateway.port, protocol, [OUT, CATCH, CAUGHT, COMPLETE, COMPLETED]));
      await connected('out');
      let [completions, errors] = [0, 0];
      helper.getNode('completed').on('input', () => (completions += 1));
      helper.getNode('caught').on('input', () => (errors += 1));
      const caught = next('caught');
      const messages = [{ payload: 'a' }, { payload: 'b' }, { payload: 'x'.repeat(1809) }, { payload: 'c' }];
      const completed = new Promise<void>((resolve) => {
        helper.getNode('completed').on('input', () => completions === 3 && resolve());
      });
      for (const msg of messages) helper.getNode('out').receive(msg);
      await completed;
      const error = (await caught).error as { message: string; code: string };
      assert.match(error.message, /^USMP: the message has 1809 bytes; USMP carries at most 1808$/);
      assert.equal(error.code, 'USMP_MESSAGE_TOO_LONG');
      assert.deepEqual([completions, errors], [3, 1]);
      await gateway.arrived(3);
      assert.deepEqual(gateway.received, ['a', 'b', 'c']);
    });

    it('show a rejected PSK as such, if the time is enough to tell', async () => {
      const gateway = await startGateway(protocol, { psk: 'quite another key for the tests' });
      await load(flowWith(gateway.port, protocol, [OUT], { handshakeTimeout: '0.3' }));
      // Over UDP a rejection is silence, which takes longer than it has here to be one.
      const reason = protocol === 'tcp' ? 'PSK rejected' : 'gateway did not finish the handshake';
      await statusOf(
        'out',
        ({ text, ...status }) =>
          isRed(status) && /^(.*), next try \d\d:\d\d:\d\d$/.exec(text ?? '')?.[1] === reason,
      );
      const warned = helper.log().args.map(([entry]) => String(entry!.msg));
      assert.ok(!warned.join('\n').includes(PSK), 'the log does not hold the key');
    });
  });
}

describe('usmp out', () => {
  withRuntime();

  const cases: [string, unknown, string][] = [
    ['a Buffer as it is', Buffer.from([0x68, 0x69]), 'hi'],
    ['a string as UTF-8', 'grüße', 'grüße'],
    ['a number as text', 21.5, '21.5'],
    ['a boolean as text', false, 'false'],
    ['an array as JSON', [1, 'two'], '[1,"two"]'],
    ['null as an empty message', null, ''],
  ];
  for (const [what, payload, expected] of cases) {
    it(`sends ${what}`, async () => {
      const gateway = await startGateway('tcp');
      await load(flowWith(gateway.port, 'tcp', [OUT, COMPLETE, COMPLETED, IN, GOT]));
      await connected('out');
      const echoed = next('got');
      helper.getNode('out').receive({ payload });
      await echoed;
      assert.deepEqual(gateway.received, [expected]);
    });
  }

  it('sends nothing and completes when there is no payload', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT, COMPLETE, COMPLETED]));
    await connected('out');
    const completed = next('completed');
    helper.getNode('out').receive({ topic: 'only' });
    await completed;
    assert.deepEqual(gateway.received, []);
  });

  it('leaves the msg as it was', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT, COMPLETE, COMPLETED]));
    await connected('out');
    const completed = next('completed');
    helper.getNode('out').receive({ payload: { a: 1 }, topic: 't', _msgid: 'm' });
    const { complete, ...msg } = await completed;
    assert.ok(complete);
    assert.deepEqual(msg, { payload: { a: 1 }, topic: 't', _msgid: 'm' });
  });

  it('reports an undefined payload and a missing gateway as errors', async () => {
    const gateway = await startGateway('tcp');
    const alone = { ...OUT, id: 'alone', client: '' };
    await load(flowWith(gateway.port, 'tcp', [OUT, alone, CATCH, CAUGHT]));
    await connected('out');
    for (const [id, message] of [
      ['out', 'USMP: msg.payload is of type undefined, which cannot be sent'],
      ['alone', 'USMP: no USMP gateway is chosen: open this node and choose one'],
    ] as const) {
      const caught = next('caught');
      helper.getNode(id).receive({ payload: undefined });
      assert.equal(((await caught).error as Error).message, message);
    }
  });

  it('reports an object that JSON cannot hold', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT, CATCH, CAUGHT]));
    const ring: { self?: object } = {};
    ring.self = ring;
    const caught = next('caught');
    helper.getNode('out').receive({ payload: ring });
    const error = (await caught).error as { message: string; code: string };
    assert.match(error.message, /^USMP: msg\.payload cannot be written as JSON: .*circular/);
    assert.equal(error.code, 'USMP_ARGUMENT');
  });
});

describe('usmp in', () => {
  withRuntime();

  const cases: [string, string, unknown][] = [
    ['auto', '{"a":1}', { a: 1 }],
    ['auto', 'plain', 'plain'],
    ['auto', '21', 21],
    ['buffer', 'hi', Buffer.from('hi')],
    ['string', '{"a":1}', '{"a":1}'],
    ['json', '[1]', [1]],
    ['base64', 'hi', 'aGk='],
  ];
  for (const [format, sent, expected] of cases) {
    it(`hands out ${sent} in the format ${format}`, async () => {
      const gateway = await startGateway('tcp');
      await load(flowWith(gateway.port, 'tcp', [{ ...IN, format }, GOT]));
      await connected('in');
      const got = next('got');
      await gateway.sessions[0]!.send(sent);
      assert.deepEqual((await got).payload, expected);
    });
  }

  it('hands out bytes that are no text as a Buffer', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [IN, GOT]));
    await connected('in');
    const got = next('got');
    await gateway.sessions[0]!.send(Uint8Array.of(0xff, 0x00));
    assert.deepEqual((await got).payload, Buffer.from([0xff, 0x00]));
  });

  it('sends what is not JSON to a Catch node when JSON was asked for, and goes on', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [{ ...IN, format: 'json' }, GOT, CATCH, CAUGHT]));
    await connected('in');
    const [caught, got] = [next('caught'), next('got')];
    await gateway.sessions[0]!.send('not json');
    await gateway.sessions[0]!.send('{"ok":1}');
    assert.deepEqual((await caught).payload, Buffer.from('not json'));
    assert.deepEqual((await got).payload, { ok: 1 });
  });
});
