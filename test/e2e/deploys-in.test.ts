/** What becomes of messages from the gateway while a deploy replaces the nodes that they are for. */
import assert from 'node:assert/strict';
import { PROTOCOLS } from '../../src/index.js';
import {
  gatewayNode,
  numbered,
  GOT,
  IN,
  OUT,
  ProbedGateway,
  ProbedNodeRed,
  slow,
  TAB,
  type FlowNode,
} from '../support/probed-node-red.js';

describe('messages from the gateway', function () {
  this.timeout(60_000);
  let red: ProbedNodeRed;
  let gateway: ProbedGateway;

  before(async () => {
    red = await ProbedNodeRed.make();
    await red.start();
  });
  after(() => red.remove());
  beforeEach(() => red.forget());
  afterEach(async () => {
    await red.clear();
    await gateway.server.close();
  });

  /** Sends one numbered message after the other. @returns what stops it, and tells how many there were. */
  function stream(everyMs: number): () => Promise<number> {
    let count = 0;
    const sent: Promise<void>[] = [];
    const timer = setInterval(() => sent.push(gateway.session.send(`no ${count++}`)), everyMs);
    return async () => {
      clearInterval(timer);
      await Promise.all(sent);
      await gateway.session.ping(); // whose answer says that all were taken
      return count;
    };
  }

  /** A flow of this version, which each deploy counts up, so that all nodes but the config node have changed. */
  const flow = (version: number, config: object = {}): FlowNode[] => {
    const name = `version ${version}`;
    const second = { ...IN, id: 'in2', name, wires: [['got2']] };
    return [
      { ...TAB },
      { ...slow(100), name },
      gatewayNode(gateway.port, config),
      { ...IN, name },
      second,
      { ...GOT, name },
      { ...GOT, id: 'got2', name },
      OUT,
    ];
  };

  const kinds: [string, 'full' | 'nodes' | 'flows', (version: number) => object][] = [
    ['full deploys', 'full', () => ({})],
    ['deploys of the modified flows', 'flows', () => ({})],
    ['deploys of the modified nodes', 'nodes', () => ({})],
    ['deploys that rename the gateway', 'nodes', (version) => ({ name: `version ${version}` })],
  ];
  for (const protocol of PROTOCOLS) {
    for (const [what, type, config] of kinds) {
      it(`all reach each usmp in, in order, over ${protocol} under ${what}`, async () => {
        gateway = await new ProbedGateway(protocol).listen();
        await red.deploy(flow(0, { protocol, ...config(0) }));
        await red.status('in', '^connected$');
        const stop = stream(20);
        for (let i = 1; i <= 5; i++) await red.deploy(flow(i, { protocol, ...config(i) }), type);
        const count = await stop();
        assert.deepEqual(await red.texts('got', count), numbered(count));
        assert.deepEqual(await red.texts('got2', count), numbered(count));
        assert.equal(gateway.sessions.length, 1);
      });
    }

    it(`go on over ${protocol} after a deploy that changes the settings of the session`, async () => {
      gateway = await new ProbedGateway(protocol).listen();
      await red.deploy(flow(0, { protocol }));
      await red.status('in', '^connected$');
      const first = gateway.session;
      const deployed = red.deploy(flow(1, { protocol, keepalive: '20' }), 'nodes');
      await red.log(/Stopping modified nodes/);
      await Promise.allSettled(numbered(20).map((text) => first.send(text)));
      await deployed;
      await gateway.until(({ sessions }) => sessions.length === 2);
      await gateway.session.send('after');
      await red.seen('sink', 'got', 1, { payload: 'after' });
      const texts = await red.texts('got', 0);
      assert.equal(texts.pop(), 'after');
      assert.deepEqual(texts, numbered(texts.length));
    });
  }

  it('count as unclaimed once the last usmp in is gone', async () => {
    gateway = await new ProbedGateway().listen();
    await red.deploy(flow(0));
    await red.status('in', '^connected$');
    const stop = stream(20);
    const rest = [TAB, slow(100), gatewayNode(gateway.port), { ...GOT }, OUT];
    const catchers = [
      { id: 'complete', z: 'tab', type: 'complete', scope: ['out'], wires: [['done']] },
      { ...GOT, id: 'done' },
    ];
    await red.deploy([...rest, ...catchers], 'nodes');
    const count = await stop();
    await red.receive('out', { action: 'stats' });
    const [told] = await red.seen('sink', 'done', 1);
    const taken = (await red.texts('got', 0)).length;
    const { received, unclaimed } = told!.stats!;
    assert.deepEqual({ received, unclaimed }, { received: count, unclaimed: count - taken });
    assert.equal(gateway.sessions.length, 1);
  });

  for (const protocol of PROTOCOLS) {
    it(`wait at the gateway, ten thousand of them, while a deploy lasts, over ${protocol}`, async () => {
      gateway = await new ProbedGateway(protocol).listen();
      await red.deploy([...flow(0, { protocol }), { ...slow(), id: 'slower' }]);
      await red.status('in', '^connected$');
      const deployed = red.deploy(flow(1, { protocol }), 'nodes');
      await red.log(/Stopping modified nodes/);
      const { session } = gateway;
      const texts = numbered(10_000);
      let taken = 0;
      let isAnswered = false;
      const sending = (async () => {
        for (let i = 0; i < texts.length; i += 100) {
          const some = texts.slice(i, i + 100);
          await Promise.all(some.map((text) => session.send(text).then(() => (taken += 1))));
          // Its answer says that all so far were taken.
          if (i === 900) await session.ping().then(() => (isAnswered = true));
        }
      })();
      await gateway.until(() => taken >= (protocol === 'tcp' ? 1000 : 256));
      for (const payload of ['this Node-RED', 'is at work']) await red.receive('out', { payload });
      await gateway.until(({ received }) => received.length === 2);
      assert.equal(isAnswered, false);
      assert.ok(taken <= 1000, `${taken} were handed over`);
      await red.closeSlow();
      await deployed;
      await sending;
      assert.deepEqual(await red.texts('got', texts.length), texts);
      assert.equal(gateway.sessions.length, 1);
    });
  }
});
