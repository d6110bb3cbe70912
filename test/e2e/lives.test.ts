/** Gateways that Node-RED makes anew, disables, removes or leaves in the middle of a deploy. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, freePort } from '../support/loopback.js';
import {
  CATCH,
  CAUGHT,
  COMPLETE,
  COMPLETED,
  gatewayNode,
  OUT,
  ProbedGateway,
  ProbedNodeRed,
  slow,
  TAB,
  type FlowNode,
} from '../support/probed-node-red.js';

const GIVEN_UP = 'messages were given up before the gateway had taken them: ';
const KEPT = 'messages that were not delivered are kept in the context store disk: ';

describe('the lives of a gateway in Node-RED', function () {
  this.timeout(60_000);
  let red: ProbedNodeRed;
  let gateways: ProbedGateway[];
  let port: number;

  beforeEach(async () => {
    const disk = { module: 'localfilesystem', config: { cache: false } };
    red = await ProbedNodeRed.make({ contextStorage: { default: { module: 'memory' }, disk } });
    await red.start();
    gateways = [];
    port = await freePort();
  });
  afterEach(async () => {
    await red.remove();
    await Promise.all(gateways.map(({ server }) => server.close()));
  });

  async function listen(at = 0): Promise<ProbedGateway> {
    const gateway = await new ProbedGateway('tcp', at).listen();
    gateways.push(gateway);
    return gateway;
  }

  const flow = (config: object = {}, ...more: FlowNode[]): FlowNode[] => [
    TAB,
    gatewayNode(port, config),
    OUT,
    COMPLETE,
    COMPLETED,
    CATCH,
    CAUGHT,
    ...more,
  ];
  const three = ['a', 'b', 'c'].map((payload) => ({ payload }));
  const texts = (gateway: ProbedGateway): string => gateway.received.join(' ');
  const aboutMessages = (node: string): string[] =>
    red.logged(node).filter((line) => line.startsWith('messages'));

  /** Three messages wait for a gateway that is away. */
  async function threeWait(flows: FlowNode[], id = 'out'): Promise<void> {
    await red.deploy(flows);
    await red.receive(id, ...three);
    await red.status(id, ', 3 waiting$');
  }

  it('are apart where there are several, each with its session', async () => {
    const [one, two] = [await listen(), await listen()];
    const flows = (name: string): FlowNode[] => [
      TAB,
      { ...gatewayNode(one.port), name },
      { ...gatewayNode(two.port), id: 'gw2' },
      OUT,
      { ...OUT, id: 'out2', client: 'gw2' },
      slow(100),
    ];
    await red.deploy(flows('one'));
    await red.status('out', '^connected$');
    await red.status('out2', '^connected$');
    for (const type of ['full', 'nodes', 'flows'] as const) await red.deploy(flows(type), type);
    await red.receive('out', { payload: 'to one' });
    await red.receive('out2', { payload: 'to two' });
    await red.seen('done', 'out', 1);
    await red.seen('done', 'out2', 1);
    assert.deepEqual([texts(one), texts(two)], ['to one', 'to two']);
    assert.deepEqual([one.sessions.length, two.sessions.length], [1, 1]);
  });

  /** A subflow with a gateway of its own, which messages get into by its input. */
  const subflow = (store = ''): FlowNode[] => [
    { id: 'sub', type: 'subflow', name: 'sub', in: [{ x: 1, y: 1, wires: [{ id: 'out' }] }], out: [] },
    { ...gatewayNode(port, { outboxStore: store }), z: 'sub' },
    { ...OUT, z: 'sub' },
  ];
  const instance = (id: string): FlowNode => ({ id, z: 'tab', type: 'subflow:sub', wires: [] });

  it('go on in each instance of a subflow', async () => {
    const gateway = await listen(port);
    const flows = [TAB, ...subflow(), instance('i1'), instance('i2'), slow(100)];
    await red.deploy(flows);
    for (const id of ['i1-out', 'i2-out']) await red.status(id, '^connected$');
    await red.deploy(flows);
    await red.deploy([...flows, { ...slow(0), id: 'new' }], 'flows');
    for (const id of ['i1', 'i2']) await red.receive(id, { payload: `from ${id}` });
    for (const id of ['i1-out', 'i2-out']) await red.seen('done', id, 1);
    assert.deepEqual(gateway.received.toSorted(), ['from i1', 'from i2']);
    assert.equal(gateway.sessions.length, 2);
    assert.equal(new Set(gateway.sessions.map(({ deviceId }) => deviceId)).size, 2);
  });

  for (const store of ['', 'disk']) {
    it(`end with the instance of a subflow, which the log tells (store: ${store || 'none'})`, async () => {
      await threeWait([TAB, ...subflow(store), instance('i1')], 'i1-out');
      await red.deploy([TAB, ...subflow(store)]);
      await red.log(new RegExp(`${GIVEN_UP}3`));
    });
  }

  it('end when the gateway is disabled, and what waits is kept in a store until it is enabled again', async () => {
    await threeWait(flow({ outboxStore: 'disk' }));
    await red.deploy(flow({ outboxStore: 'disk', d: true }));
    await red.log(new RegExp(`${KEPT}3`));
    assert.deepEqual(await red.seen('done', 'out'), []);
    await red.deploy(flow({ outboxStore: 'disk' }));
    const gateway = await listen(port);
    await gateway.until(({ received }) => received.length === 3);
    assert.equal(texts(gateway), 'a b c');
  });

  it('end when the gateway is disabled, and what waits is told of as given up where there is no store', async () => {
    await threeWait(flow());
    await red.deploy(flow({ d: true }), 'nodes');
    await red.log(new RegExp(`${GIVEN_UP}3`));
    const caught = await red.seen('sink', 'caught', 3);
    assert.deepEqual(new Set(caught.map(({ error }) => error?.code)), new Set(['USMP_OUTBOX_CLOSED']));
  });

  it('go on in another flow, with the outbox in the store', async () => {
    const file = path.join(red.userDir, 'context', 'gw', 'flow.json');
    const kept = (): unknown[] => {
      if (!existsSync(file)) return [];
      return (JSON.parse(readFileSync(file, 'utf8')) as { outbox: unknown[] }).outbox;
    };
    await threeWait(flow({ outboxStore: 'disk' }));
    assert.ok(await eventually(() => kept().length === 3, 20_000));
    await red.deploy(flow({ outboxStore: 'disk', z: 'tab' }), 'nodes');
    await red.receive('out', { payload: 'd' });
    await red.status('out', ', 4 waiting$');
    const output = await red.stop();
    assert.match(output, new RegExp(`${KEPT}4`));
    assert.deepEqual(kept(), []);
    await red.start();
    const gateway = await listen(port);
    await gateway.until(({ received }) => received.length === 4);
    assert.equal(texts(gateway), 'a b c d');
  });

  it('go on over deploys that come while another one still closes nodes', async () => {
    await threeWait(flow({}, slow(300)));
    await red.forget();
    const configs = [{ keepalive: '20' }, { keepalive: '21' }, {}, { keepalive: '22' }];
    await Promise.all(configs.map((config) => red.deploy(flow(config, slow(300)))));
    await red.log(/(?:Started flows[^]*?){4}/);
    const gateway = await listen(port);
    assert.deepEqual(await red.texts('completed', 3), ['a', 'b', 'c']);
    assert.equal(texts(gateway), 'a b c');
    assert.deepEqual(aboutMessages('usmp-client:gw'), []);
  });

  it('go on over a deploy that comes while an older session is still saying goodbye', async () => {
    const gateway = await listen(port);
    await red.deploy(flow());
    await red.status('out', '^connected$');
    gateway.session.pause(); // so that nothing is confirmed
    await red.receive('out', ...three);
    await red.deploy(flow({ keepalive: '20' }));
    await red.deploy(flow({ keepalive: '21' }));
    assert.deepEqual(await red.texts('completed', 3), ['a', 'b', 'c']);
    assert.deepEqual(aboutMessages('usmp-client:gw'), []);
  });

  it('end when Node-RED does, which the log tells in one line', async () => {
    const gateway = await listen(port);
    await red.deploy(flow());
    await red.status('out', '^connected$');
    gateway.session.pause();
    await red.receive('out', ...three);
    const output = await red.stop();
    assert.equal(output.split(GIVEN_UP).length, 2);
    assert.match(output, new RegExp(`\\[warn\\] \\[usmp-client:gw\\] ${GIVEN_UP}3`));
  });

  it('end when Node-RED does in the middle of a deploy, which the log tells in one line', async () => {
    await threeWait(flow({}, slow()));
    await red.forget();
    void red.deploy(flow()).catch(() => undefined);
    await red.log(/Stopping flows/);
    assert.match(await red.stop(), new RegExp(`\\[warn\\] \\[usmp-client:gw\\] ${GIVEN_UP}3`));
  });
});
