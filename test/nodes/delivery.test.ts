/** What the nodes promise about messages, deploys and the session, in a real Node-RED runtime. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { eventually, freePort } from '../support/loopback.js';
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
  NODES,
  PSK,
  startGateway,
  statusOf,
  withRuntime,
} from '../support/runtime.js';

const IN = { id: 'in', type: 'usmp in', client: 'gw', wires: [['got']] };
const EVENTS = { ...IN, events: true, wires: [['got'], ['event']] };
const EVENT = { id: 'event', type: 'helper' };
const COMPLETE = { id: 'n-complete', type: 'complete', scope: ['out'], wires: [['completed']] };
const FAST = { retryMin: '0.1', retryMax: '0.2', deviceId: '02:00:00:00:00:01' };

/** Collects the events that arrive at a helper node. */
function eventsAt(id: string): Record<string, unknown>[] {
  const events: Record<string, unknown>[] = [];
  helper.getNode(id).on('input', (msg: { payload: Record<string, unknown> }) => events.push(msg.payload));
  return events;
}

describe('usmp out without a session', () => {
  withRuntime();

  it('queues by default, completes when the gateway has taken the message, and keeps the order', async () => {
    const port = await freePort();
    await load(flowWith(port, 'tcp', [OUT, COMPLETE, COMPLETED], FAST));
    let completions = 0;
    helper.getNode('completed').on('input', () => (completions += 1));
    for (const payload of ['a', 'b', 'c']) helper.getNode('out').receive({ payload });
    await statusOf('out', (status) => isRed(status) && (status.text ?? '').endsWith(', 3 waiting'));
    assert.equal(completions, 0);
    const third = new Promise<void>((resolve) => {
      helper.getNode('completed').on('input', () => completions === 3 && resolve());
    });
    const gateway = await startGateway('tcp', { port });
    await third;
    assert.deepEqual(gateway.received, ['a', 'b', 'c']);
  });

  it('sends an error to a Catch node at once when it is set to', async () => {
    const port = await freePort();
    await load(flowWith(port, 'tcp', [{ ...OUT, offline: 'error' }, CATCH, CAUGHT], FAST));
    const caught = next('caught');
    helper.getNode('out').receive({ payload: 'a' });
    const error = (await caught).error as { message: string; code: string };
    assert.equal(error.code, 'USMP_NOT_CONNECTED');
  });

  it('drops the message and completes when it is set to', async () => {
    const port = await freePort();
    await load(flowWith(port, 'tcp', [{ ...OUT, offline: 'drop' }, COMPLETE, COMPLETED], FAST));
    const completed = next('completed');
    helper.getNode('out').receive({ payload: 'a' });
    await completed;
    const gateway = await startGateway('tcp', { port });
    await connected('out');
    assert.deepEqual(gateway.received, []);
  });

  it('sends what does not fit into the outbox to a Catch node, and tells of it on the event output', async () => {
    const port = await freePort();
    const flow = flowWith(port, 'tcp', [OUT, CATCH, CAUGHT, EVENTS, GOT, EVENT], {
      ...FAST,
      outboxCount: '2',
    });
    await load(flow);
    const events = eventsAt('event');
    const caught = next('caught');
    for (const payload of ['a', 'b', 'c']) helper.getNode('out').receive({ payload });
    const msg = await caught;
    assert.equal(msg.payload, 'c');
    assert.equal((msg.error as { code: string }).code, 'USMP_OUTBOX_FULL');
    while (!events.some(({ event }) => event === 'queue-full')) await next('event');
  });
});

describe('msg.action', () => {
  withRuntime();

  it('disconnects with BYE, stays down, queues meanwhile, and connects again', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT, COMPLETE, COMPLETED], FAST));
    await connected('out');
    const closed = once(gateway.sessions[0]!, 'close');
    const disconnected = next('completed');
    helper.getNode('out').receive({ action: 'disconnect', payload: 'not sent' });
    assert.equal((await closed)[0].code, 'USMP_BYE');
    await disconnected;
    helper.getNode('out').receive({ payload: 'queued' });
    helper.getNode('out').receive({ action: 'connect' });
    await gateway.arrived(1);
    assert.deepEqual(gateway.received, ['queued']);
    assert.equal(gateway.sessions.length, 2);
  });

  it('changes the keys, and tells the figures of the connection', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT, COMPLETE, COMPLETED], FAST));
    await connected('out');
    const rekeyed = once(gateway.sessions[0]!, 'rekeyed');
    helper.getNode('out').receive({ action: 'rekey' });
    await rekeyed;
    await next('completed');
    const completed = next('completed');
    helper.getNode('out').receive({ payload: 'x' });
    await completed;
    const told = next('completed');
    helper.getNode('out').receive({ action: 'stats' });
    const { stats } = (await told) as { stats: Record<string, unknown> };
    assert.deepEqual(
      { state: stats.state, delivered: stats.delivered, queued: stats.queued, sessions: stats.sessions },
      { state: 'established', delivered: 1, queued: 0, sessions: 1 },
    );
  });

  it('refuses an action that it does not know', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT, CATCH, CAUGHT], FAST));
    await connected('out');
    for (const action of ['subscribe', 7, {}, 'constructor']) {
      const caught = next('caught');
      helper.getNode('out').receive({ action });
      const text = 'USMP: msg.action is not one of: connect, disconnect, rekey, stats';
      assert.equal(((await caught).error as Error).message, text);
    }
  });
});

describe('session events', () => {
  withRuntime();

  it('tell of connected, disconnected with reason and next retry, and reconnected', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [EVENTS, GOT, EVENT], FAST));
    const events = eventsAt('event');
    await connected('in');
    while (events.length < 1) await next('event');
    await gateway.server.close();
    while (!events.some(({ event }) => event === 'disconnected')) await next('event');
    const lost = events.find(({ event }) => event === 'disconnected')!;
    assert.equal(lost.code, 'USMP_BYE');
    assert.equal(typeof lost.retryIn, 'number');
    await startGateway('tcp', { port: gateway.port });
    while (!events.some(({ event }) => event === 'reconnected')) await next('event');
    assert.equal(events[0]!.event, 'connected');
  });

  it('tell of a PSK that was rejected', async () => {
    const gateway = await startGateway('tcp', { psk: 'quite another key for the tests' });
    await load(flowWith(gateway.port, 'tcp', [EVENTS, GOT, EVENT], FAST));
    const msg = await next('event');
    assert.equal(msg.topic, 'auth-failed');
    assert.equal((msg.payload as { code: string }).code, 'USMP_PSK_REJECTED');
  });

  it('come out only where they were asked for', async () => {
    const gateway = await startGateway('tcp');
    const quiet = { ...EVENTS, events: false };
    await load(flowWith(gateway.port, 'tcp', [quiet, GOT, EVENT], FAST));
    const events = eventsAt('event');
    await connected('in');
    const got = next('got');
    await gateway.sessions[0]!.send('x');
    await got;
    assert.deepEqual(events, []);
  });
});

describe('deploys', () => {
  withRuntime();
  const credentials = { gw: { psk: PSK } };

  it('leave the session up while the config node stays, whatever flow nodes come and go', async () => {
    const gateway = await startGateway('tcp');
    const flow = (...nodes: object[]) => flowWith(gateway.port, 'tcp', nodes, FAST);
    await load(flow(OUT));
    await connected('out');
    await helper.setFlows(flow(OUT, IN, GOT), 'nodes', credentials);
    await connected('in');
    await helper.setFlows(flow(IN, GOT), 'nodes', credentials);
    await helper.setFlows(flow({ ...OUT, id: 'out3' }), 'nodes', credentials);
    await connected('out3');
    helper.getNode('out3').receive({ payload: 'x' });
    await gateway.arrived(1);
    assert.equal(gateway.sessions.length, 1);
  });

  for (const type of ['full', 'nodes', 'flows'] as const) {
    it(`close with BYE when the config node changes (${type})`, async () => {
      const gateway = await startGateway('tcp');
      await load(flowWith(gateway.port, 'tcp', [OUT], FAST));
      await connected('out');
      const closed = once(gateway.sessions[0]!, 'close');
      await helper.setFlows(
        flowWith(gateway.port, 'tcp', [OUT], { ...FAST, keepalive: '20' }),
        type,
        credentials,
      );
      assert.equal((await closed)[0].code, 'USMP_BYE');
      while (gateway.sessions.length < 2) await once(gateway.server, 'session');
      assert.equal(gateway.server.sessions.size, 1);
      const logged = helper.log().args.map(([entry]) => String(entry!.msg));
      assert.ok(!logged.some((text) => text.includes('Error stopping node')));
    });
  }

  it('close while nothing answers', async () => {
    const port = await freePort();
    await load(flowWith(port, 'udp', [OUT], FAST));
    helper.getNode('out').receive({ payload: 'x' });
    await helper.unload();
  });

  it('manage two config nodes to one gateway', async () => {
    const gateway = await startGateway('tcp');
    const [tab, first, ...rest] = flowWith(
      gateway.port,
      'tcp',
      [OUT, { ...OUT, id: 'out2', client: 'gw2' }],
      FAST,
    );
    const second = { ...first, id: 'gw2', deviceId: '02:00:00:00:00:02' };
    await helper.load(NODES, [tab!, first!, second, ...rest], {
      gw: { psk: PSK },
      gw2: { psk: PSK },
    });
    await Promise.all([connected('out'), connected('out2')]);
    assert.equal(gateway.server.sessions.size, 2);
  });

  it('leave no timer, socket or listener behind', async () => {
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((kind) => /TCPSocket|UDP|Timeout/.test(kind)).length;
    const gateway = await startGateway('udp');
    const flow = flowWith(gateway.port, 'udp', [OUT, EVENTS, GOT, EVENT], FAST);
    await load(flow);
    await connected('out');
    await helper.unload();
    const before = handles();
    for (let i = 0; i < 5; i++) {
      await load(flow);
      await connected('out');
      const node = helper.getNode('out');
      node.receive({ payload: 'x' });
      await gateway.arrived(i + 1);
      await helper.unload();
    }
    assert.ok(await eventually(() => handles() === before));
  });
});
