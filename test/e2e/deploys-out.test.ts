/** What becomes of messages to the gateway when a deploy, a stop or a removal takes their nodes away. */
import assert from 'node:assert/strict';
import {
  CATCH,
  CAUGHT,
  COMPLETE,
  COMPLETED,
  gatewayNode,
  numbered,
  OUT,
  ProbedGateway,
  ProbedNodeRed,
  slow,
  TAB,
  type FlowNode,
} from '../support/probed-node-red.js';
import { freePort } from '../support/loopback.js';
import { startSlowLine } from '../support/slow-line.js';

const payloads = (texts: string[]): object[] => texts.map((payload) => ({ payload }));

describe('messages to the gateway', function () {
  this.timeout(60_000);
  let red: ProbedNodeRed;
  let gateway: ProbedGateway | undefined;
  let port: number;

  before(async () => {
    const settings = {
      contextStorage: {
        default: { module: 'memory' },
        disk: { module: 'localfilesystem', config: { cache: false } },
      },
      runtimeState: { enabled: true, ui: false },
    };
    red = await ProbedNodeRed.make(settings);
    await red.start();
  });
  after(() => red.remove());
  beforeEach(async () => {
    port = await freePort();
    await red.forget();
  });
  afterEach(async () => {
    await red.clear();
    await gateway?.server.close();
    gateway = undefined;
  });

  const flow = (config: object = {}, ...more: FlowNode[]): FlowNode[] => [
    TAB,
    gatewayNode(port, config),
    OUT,
    COMPLETE,
    COMPLETED,
    CATCH,
    CAUGHT,
    slow(150),
    ...more,
  ];

  /** Five messages wait at a gateway that is away. */
  async function fiveWait(config: object = {}): Promise<void> {
    await red.deploy(flow(config));
    await red.receive('out', ...payloads(numbered(5)));
    await red.status('out', ', 5 waiting$');
  }

  /** The gateway comes. @returns what it has received after the five, each of which completed once. */
  async function fiveComplete(): Promise<void> {
    gateway = await new ProbedGateway('tcp', port).listen();
    assert.deepEqual(await red.texts('completed', 5), numbered(5));
    assert.deepEqual(gateway.received, numbered(5));
    assert.deepEqual(await red.texts('caught', 0), []);
    const done = await red.seen('done', 'out');
    assert.deepEqual(
      done.map(({ isAlive, error }) => [isAlive, error]),
      Array(5).fill([true, undefined]),
    );
  }

  const deploys: [string, (flows: FlowNode[]) => Promise<unknown>][] = [
    ['a full deploy', (flows) => red.deploy(flows)],
    ['a deploy of the modified flows', (flows) => red.deploy(flows, 'flows')],
    ['a deploy of the modified nodes', (flows) => red.deploy(flows, 'nodes')],
  ];
  const changes: [string, object][] = [
    ['nothing', {}],
    ['the name of the gateway', { name: 'renamed' }],
    ['the settings of the session', { keepalive: '20' }],
    ['the store', { outboxStore: 'disk' }],
  ];
  for (const [what, config] of changes) {
    for (const [type, deploy] of deploys) {
      it(`outlive ${type} that changes ${what}, and complete in the new flows`, async () => {
        await fiveWait();
        await deploy(flow(config));
        await fiveComplete();
      });
    }
  }

  it('outlive a deploy with settings that are not usable, and the next one that mends them', async () => {
    await fiveWait();
    await red.deploy(flow({ port: 'none' }));
    await red.deploy(flow());
    await fiveComplete();
  });

  it('outlive Restart flows', async () => {
    await fiveWait();
    await red.restart();
    await fiveComplete();
  });

  it('complete when they are delivered, not when they are kept in a store', async () => {
    await fiveWait({ outboxStore: 'disk' });
    await red.deploy(flow({ outboxStore: 'disk', name: 'renamed' }));
    assert.deepEqual(await red.seen('done', 'out'), []);
    await fiveComplete();
    await red.receive('out', { action: 'stats' });
    const { stats } = (await red.seen('sink', 'completed', 6)).at(-1)!;
    assert.equal(stats?.delivered, 5);
  });

  it('complete in the new Complete node when a deploy replaces only that', async () => {
    gateway = await new ProbedGateway('tcp', port).listen();
    const flows = (name: string): FlowNode[] =>
      flow().map((node) => {
        if (node === COMPLETE) return { ...node, name };
        return node === OUT ? { ...node, delivery: 'sent' } : node;
      });
    await red.deploy([...flows('old'), { ...slow(), id: 'slower' }]);
    await red.status('out', '^connected$');
    await red.forget();
    const deployed = red.deploy(flows('new'), 'nodes');
    await red.log(/Stopping modified nodes/);
    await red.receive('out', ...payloads(numbered(5)));
    await gateway.until(({ received }) => received.length === 5); // and with that they are done
    await red.closeSlow();
    await deployed;
    assert.deepEqual(await red.texts('completed', 5), numbered(5));
  });

  it('each get one outcome under ten full deploys, over one session, which loses and doubles none', async () => {
    gateway = await new ProbedGateway('tcp', port).listen();
    const line = await startSlowLine(gateway.port, 60);
    const config = { port: String(line.port) };
    await red.deploy(flow(config));
    await red.status('out', '^connected$');
    const stop = await red.stream('out', 20);
    for (let i = 1; i <= 10; i++) {
      await red.deploy(flow(config));
      await red.texts('completed', 10 * i);
    }
    const handed = await stop();
    assert.deepEqual((await red.texts('completed', handed.length)).sort(), handed.toSorted());
    await line.close();
    assert.deepEqual(gateway.received, handed);
    assert.equal(gateway.sessions.length, 1);
    assert.deepEqual(await red.texts('caught', 0), []);
    assert.equal((await red.seen('done', 'out')).length, handed.length);
  });

  it('each get one outcome under deploys that change the settings of the session, and none is lost', async () => {
    gateway = await new ProbedGateway('tcp', port).listen();
    await red.deploy(flow());
    await red.status('out', '^connected$');
    const stop = await red.stream('out', 5);
    for (let i = 1; i <= 5; i++) {
      await red.deploy(flow({ keepalive: `${20 + i}` }), 'nodes');
      await gateway.until(({ sessions }) => sessions.length === i + 1);
      await red.texts('completed', 20 * i);
    }
    const handed = await stop();
    assert.deepEqual((await red.texts('completed', handed.length)).sort(), handed.toSorted());
    assert.deepEqual([...new Set(gateway.received)], handed);
    assert.equal(gateway.sessions.length, 6);
    assert.equal((await red.seen('done', 'out')).length, handed.length);
  });

  for (const [store, says] of [
    ['', 'messages were given up before the gateway had taken them: 5'],
    ['disk', 'messages that were not delivered are kept in the context store disk: 5'],
  ] as const) {
    it(`are told of in one line when the flows stop (store: ${store || 'none'})`, async () => {
      await fiveWait({ outboxStore: store });
      await red.setFlows('stop');
      const told = red.logged('usmp-client:gw').filter((line) => line.includes('messages'));
      assert.deepEqual(told, [says]);
      await red.setFlows('start');
      gateway = await new ProbedGateway('tcp', port).listen();
      if (store) await gateway.until(({ received }) => received.length === 5);
      await red.receive('out', { payload: 'last' });
      assert.deepEqual(await red.texts('completed', 1), ['last']); // what was kept is not told of any more
      assert.deepEqual(gateway.received, [...(store ? numbered(5) : []), 'last']);
    });
  }

  for (const store of ['', 'disk']) {
    it(`are counted in the log when gateway and usmp out are deleted (store: ${store || 'none'})`, async () => {
      await red.deploy(flow({ outboxStore: store }));
      await red.receive('out', ...payloads(numbered(20)));
      await red.status('out', ', 20 waiting$');
      await red.deploy([TAB, CATCH, CAUGHT]);
      await red.log(/messages were given up before the gateway had taken them: 20/);
    });
  }
});
