/** What people see of a gateway: the status under the nodes, the events of the session and the log, in a real Node-RED. */
import assert from 'node:assert/strict';
import { freePort } from '../support/loopback.js';
import {
  COMPLETE,
  COMPLETED,
  gatewayNode,
  GOT,
  IN,
  OUT,
  ProbedGateway,
  ProbedNodeRed,
  slow,
  TAB,
  type FlowNode,
} from '../support/probed-node-red.js';

const EVENTS = { ...IN, events: true, wires: [['got'], ['events']] };
const EVENT = { ...GOT, id: 'events' };

describe('what people see of a gateway in Node-RED', function () {
  this.timeout(60_000);
  let red: ProbedNodeRed;
  let gateway: ProbedGateway | undefined;

  before(async () => {
    red = await ProbedNodeRed.make({ runtimeState: { enabled: true, ui: false } });
    await red.start();
  });
  after(() => red.remove());
  beforeEach(() => red.forget());
  afterEach(async () => {
    await red.clear();
    await gateway?.server.close();
    gateway = undefined;
  });

  const flow = (port: number, config: object = {}, ...more: FlowNode[]): FlowNode[] => [
    TAB,
    gatewayNode(port, config),
    OUT,
    EVENTS,
    EVENT,
    COMPLETE,
    COMPLETED,
    ...more,
  ];
  const lastStatus = async (id: string): Promise<unknown> => {
    const { fill, shape, text } = (await red.seen('status', id)).at(-1)!;
    return { fill, shape, text };
  };
  const DOWN = { fill: 'red', shape: 'ring' };
  const UP = { fill: 'green', shape: 'dot', text: 'connected' };

  it('is how many messages wait while a backlog drains', async () => {
    const port = await freePort();
    await red.deploy(flow(port));
    await red.receive('out', ...Array.from({ length: 1000 }, (_, i) => ({ payload: `no ${i}` })));
    await red.status('out', ', 1000 waiting$');
    gateway = new ProbedGateway('tcp', port);
    // It takes its time.
    gateway.server.once('session', (session) => session.once('message', () => session.pause()));
    await gateway.listen();
    const { fill, shape } = await red.status('out', '^connected, 9\\d\\d waiting$');
    assert.deepEqual({ fill, shape }, { fill: 'green', shape: 'dot' });
    gateway.session.resume();
    await red.texts('completed', 1000);
    await red.seen('status', 'out', 1, { text: '^connected$' });
  });

  it('is that flows which are stopped are disconnected, and connected again when they start', async () => {
    gateway = await new ProbedGateway().listen();
    await red.deploy(flow(gateway.port));
    await red.status('in', '^connected$');
    await red.setFlows('stop');
    for (const id of ['in', 'out']) {
      assert.deepEqual(await lastStatus(id), { ...DOWN, text: 'disconnected' });
    }
    await red.setFlows('start');
    await red.seen('status', 'in', 2, { text: '^connected$' });
  });

  it('is nothing of a deploy that leaves the session alone', async () => {
    gateway = await new ProbedGateway().listen();
    await red.deploy(flow(gateway.port));
    await red.seen('sink', 'events', 1);
    await red.status('out', '^connected$');
    await red.deploy(flow(gateway.port, {}, slow(100)));
    await red.deploy(flow(gateway.port));
    for (const id of ['in', 'out']) assert.deepEqual(await lastStatus(id), UP);
    const texts = (await red.seen('status', 'out')).map(({ text }) => text);
    assert.ok(!texts.slice(texts.indexOf('connected')).includes('disconnected'), texts.join('; '));
    assert.deepEqual(
      (await red.seen('sink', 'events')).map(({ topic }) => topic),
      ['connected'],
    );
  });

  const unusable: [string, object, string][] = [
    ['a PSK that is missing', { credentials: {} }, 'no PSK set'],
    [
      'a PSK from a variable that is not set',
      { credentials: { psk: '${NONE_SUCH}' } },
      'PSK: the environment variable NONE_SUCH is not set',
    ],
    ['a port that is none', { port: 'none' }, 'Port: needs a whole number from 1 to 65535'],
    ['a gateway that is disabled', { d: true }, 'gateway is disabled'],
  ];
  for (const [what, config, text] of unusable) {
    it(`is ${what} in a few words`, async () => {
      await red.deploy(flow(9, config));
      for (const id of ['in', 'out']) assert.deepEqual(await lastStatus(id), { ...DOWN, text });
    });
  }

  it('is a gateway in a subflow that is disabled', async () => {
    const subflow = { id: 'sub', type: 'subflow', name: 'sub', in: [], out: [] };
    const inside = { z: 'sub' };
    await red.deploy([
      TAB,
      subflow,
      { ...gatewayNode(9), ...inside, d: true },
      { ...OUT, ...inside },
      { id: 'instance', z: 'tab', type: 'subflow:sub', wires: [] },
    ]);
    assert.deepEqual(await lastStatus('instance-out'), { ...DOWN, text: 'gateway is disabled' });
  });

  it('is the clock time of the next try, never later than the longest wait', async () => {
    const port = await freePort();
    await red.deploy(flow(port, { retryMin: '7', retryMax: '7', retryJitter: '100' }));
    const from = Date.now();
    const { text } = await red.status('out', 'next try');
    const [, hours, minutes, seconds] = /^connection refused, next try (\d\d):(\d\d):(\d\d)$/.exec(text!)!;
    const next = new Date(from).setHours(Number(hours), Number(minutes), Number(seconds), 0);
    const wait = ((next - from + 86_400_000 + 1000) % 86_400_000) - 1000;
    assert.ok(wait > -1000 && wait <= 7000, `${wait} ms`);
  });

  it('is one event for an outage, one more when its reason changes, and how long it was', async () => {
    gateway = await new ProbedGateway().listen();
    const { port } = gateway;
    await red.deploy(flow(port, { retryJitter: '0' }));
    await red.seen('sink', 'events', 1);
    await gateway.server.close();
    // Said goodbye, and then refused again and again.
    await red.seen('status', 'in', 6, { text: '^connection refused, next try' });
    gateway = await new ProbedGateway('tcp', port).listen();
    const events = (await red.seen('sink', 'events', 4)).map(
      ({ payload }) => payload as Record<string, unknown>,
    );
    assert.deepEqual(
      events.map(({ event, code }) => [event, code]),
      [
        ['connected', undefined],
        ['disconnected', 'USMP_BYE'],
        ['disconnected', 'USMP_CONNECTION_REFUSED'],
        ['reconnected', undefined],
      ],
    );
    const { outage } = events[3]!;
    assert.ok(typeof outage === 'number' && outage > 0.1 && outage < 20, String(outage));
    assert.ok(!('outage' in events[0]!));
    const logged = red.logged('usmp-client:gw').map((line) => line.replace(/ tcp:.*/, ''));
    assert.deepEqual(logged, ['connected to', 'not connected to', 'not connected to', 'connected to']);
  });

  it('is what happens to the session while a deploy replaces those who are to see it', async () => {
    gateway = await new ProbedGateway().listen();
    const { port } = gateway;
    await red.deploy(flow(port, {}, slow()));
    await red.seen('sink', 'events', 1);
    await red.forget();
    const deployed = red.deploy(flow(port));
    await red.log(/Stopping flows/);
    await gateway.server.close();
    await red.log(/not connected to .*: connection refused/);
    await red.closeSlow();
    await deployed;
    const events = (await red.seen('sink', 'events', 2)).map(({ payload }) => payload);
    assert.deepEqual(
      events.map((event) => (event as { code: string }).code),
      ['USMP_BYE', 'USMP_CONNECTION_REFUSED'],
    );
  });

  it('is one outage, over a deploy that mends the settings', async () => {
    gateway = await new ProbedGateway().listen();
    await red.deploy(flow(gateway.port));
    await red.seen('sink', 'events', 1);
    await red.deploy(flow(await freePort()));
    await red.seen('sink', 'events', 2);
    await red.deploy(flow(gateway.port));
    const events = (await red.seen('sink', 'events', 3)).map(
      ({ payload }) => payload as Record<string, unknown>,
    );
    assert.deepEqual(
      events.map(({ event, code }) => [event, code]),
      [
        ['connected', undefined],
        ['disconnected', 'USMP_CONNECTION_REFUSED'],
        ['reconnected', undefined],
      ],
    );
    assert.equal(typeof events[2]!.outage, 'number');
  });
});
