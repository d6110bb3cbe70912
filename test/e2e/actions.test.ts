/** What a flow asks for with msg.action or a payload, in every state of the gateway, in a real Node-RED. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PROTOCOLS } from '../../src/index.js';
import { freePort } from '../support/loopback.js';
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

/** Answers one msg with both actions. */
const TWICE = {
  id: 'twice',
  z: 'tab',
  type: 'function',
  outputs: 1,
  func: `return [[{ action: 'disconnect' }, { action: 'connect' }]];`,
  wires: [['out']],
};

/** A door to the gateway: connections get through only while it is open, and otherwise hear nothing. */
class Door {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  isOpen = false;

  constructor(target: () => number) {
    this.#server = createServer((near) => {
      this.#own(near);
      if (!this.isOpen) return;
      const far = this.#own(connect(target(), '127.0.0.1'));
      near.pipe(far).pipe(near);
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #own(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on('error', () => undefined);
  }
}

describe('usmp out in Node-RED', function () {
  this.timeout(60_000);
  let red: ProbedNodeRed;
  let gateway: ProbedGateway;
  let door: Door | undefined;

  before(async () => {
    red = await ProbedNodeRed.make();
    await red.start();
  });
  after(() => red.remove());
  beforeEach(() => red.forget());
  afterEach(async () => {
    await red.clear();
    door?.close();
    door = undefined;
    await gateway.server.close();
  });

  const flow = (port: number, config: object = {}, ...more: FlowNode[]): FlowNode[] => [
    TAB,
    gatewayNode(port, config),
    OUT,
    { id: 'ping', z: 'tab', type: 'usmp ping', client: 'gw', wires: [[]] },
    TWICE,
    COMPLETE,
    COMPLETED,
    CATCH,
    CAUGHT,
    ...more,
  ];

  /** Whether each of these actions did what it says, whatever the state was. */
  async function noneFailed(count: number): Promise<void> {
    const done = await red.seen('done', 'out', count);
    assert.deepEqual(
      done.filter(({ error }) => error),
      [],
    );
    assert.equal(done.length, count);
  }

  /** How the gateway gets into each state; what makes a session possible from then on is returned. */
  const states: Record<string, () => Promise<() => unknown>> = {
    connected: async () => {
      await red.deploy(flow(gateway.port));
      await red.status('out', '^connected$');
      return () => undefined;
    },
    'waiting for the next try': async () => {
      const port = await freePort();
      await red.deploy(flow(port, { retryMin: '30', retryMax: '60' }));
      await red.status('out', '^connection refused, next try');
      return async () => {
        await gateway.server.close();
        gateway = await new ProbedGateway('tcp', port).listen();
      };
    },
    handshaking: async () => {
      door = new Door(() => gateway.port);
      await red.deploy(flow(await door.listen(), { handshakeTimeout: '60' }));
      await red.status('out', '^handshaking$');
      return () => (door!.isOpen = true);
    },
    disconnecting: async () => {
      await red.deploy(flow(gateway.port));
      await red.status('out', '^connected$');
      await red.receive('out', { action: 'disconnect' });
      return () => undefined;
    },
    'not connecting by itself': async () => {
      await red.deploy(flow(gateway.port, { autoConnect: false }));
      return () => undefined;
    },
  };

  for (const [state, enter] of Object.entries(states)) {
    it(`ends up connected after disconnect and connect from one Function call while ${state}`, async () => {
      gateway = await new ProbedGateway().listen();
      const open = await enter();
      const sessions = gateway.sessions.length;
      await open();
      await red.receive('twice', {});
      await noneFailed(state === 'disconnecting' ? 3 : 2);
      await gateway.until(({ server }) => server.sessions.size === 1);
      assert.ok(gateway.sessions.length <= sessions + 1);
    });
  }

  for (const protocol of PROTOCOLS) {
    it(`ends up connected after five times disconnect and connect, over ${protocol}`, async () => {
      gateway = await new ProbedGateway(protocol).listen();
      await red.deploy(flow(gateway.port, { protocol }));
      await red.status('out', '^connected$');
      for (let sessions = 1; sessions <= 5; sessions++) {
        await red.receive('twice', {});
        await noneFailed(2 * sessions);
        await gateway.until(() => gateway.sessions.length === sessions + 1);
        await gateway.until(({ server }) => server.sessions.size === 1);
      }
    });
  }

  for (const ms of [100, 600]) {
    for (const type of ['full', 'nodes', 'flows'] as const) {
      it(`ends up connected when that meets a deploy (${type}) that takes ${ms} ms`, async () => {
        gateway = await new ProbedGateway().listen();
        await red.deploy(flow(gateway.port, {}, slow(ms)));
        await red.status('out', '^connected$');
        const messages = type === 'full' ? 'before' : 'meanwhile';
        if (messages === 'before') await red.receive('twice', {});
        const deployed = red.deploy(flow(gateway.port, {}, { ...slow(ms), name: 'new' }), type);
        await red.log(/Stopping/);
        // A full deploy takes usmp out away for that time.
        if (messages === 'meanwhile') await red.receive('twice', {});
        await deployed;
        await gateway.until(({ server }) => server.sessions.size === 1);
        await red.receive('out', { payload: 'after' });
        await red.texts('completed', 1);
        assert.deepEqual(gateway.received, ['after']);
        await noneFailed(3);
      });
    }
  }

  it('stays disconnected over a deploy when a flow has asked for that, until it connects', async () => {
    gateway = await new ProbedGateway().listen();
    await red.deploy(flow(gateway.port));
    await red.status('out', '^connected$');
    await red.receive('out', { action: 'disconnect' });
    await noneFailed(1);
    await red.deploy(flow(gateway.port));
    await red.receive('out', { payload: 'waits' }, { action: 'stats' });
    await noneFailed(2);
    const { stats } = (await red.seen('sink', 'completed')).at(-1)!;
    assert.deepEqual([stats!.state, stats!.queued], ['idle', 1]);
    assert.equal(gateway.sessions.length, 1);
    await red.receive('out', { action: 'connect' });
    await noneFailed(4);
    assert.deepEqual(gateway.received, ['waits']);
  });

  it('keeps the session over a deploy that only a flow has asked for', async () => {
    gateway = await new ProbedGateway().listen();
    await red.deploy(flow(gateway.port, { autoConnect: false }));
    await red.receive('out', { action: 'connect' });
    await noneFailed(1);
    await red.deploy(flow(gateway.port, { autoConnect: false }));
    await red.receive('out', { payload: 'after' });
    await noneFailed(2);
    assert.equal(gateway.sessions.length, 1);
  });

  it('makes an attempt at once for connect, long before the next one is due', async () => {
    gateway = await new ProbedGateway().listen();
    const open = await states['waiting for the next try']!();
    await open();
    await red.receive('out', { action: 'connect' });
    await noneFailed(1);
    assert.equal(gateway.sessions.length, 1);
  });

  it('says why connect came to nothing', async () => {
    gateway = await new ProbedGateway().listen();
    await states['waiting for the next try']!();
    await red.receive('out', { action: 'connect' });
    const [done] = await red.seen('done', 'out', 1);
    assert.equal(done!.error?.code, 'USMP_CONNECTION_REFUSED');
    assert.match(done!.error.message, /nothing listens on this port/);
  });

  it('says of connect that a later disconnect has undone it', async () => {
    gateway = await new ProbedGateway().listen();
    await states['waiting for the next try']!();
    await red.receive('out', { action: 'connect' }, { action: 'disconnect' });
    const failed = (await red.seen('done', 'out', 2)).filter(({ error }) => error);
    assert.deepEqual(
      failed.map(({ action, error }) => [action, error!.message]),
      [['connect', 'there is no session: disconnected on request']],
    );
  });

  const kinds: object[] = [
    { payload: 'a' },
    { payload: 'x'.repeat(1809) },
    { payload: { an: 'object' } },
    {},
    { action: 'stats' },
    { action: 'rekey' },
    { action: 'reboot' },
    { action: 'disconnect' },
    { payload: 'b' },
    { action: 'connect' },
    { action: 'connect', payload: 'ignored' },
    { action: 'rekey' },
  ];
  const NONE = 'USMP_NOT_CONNECTED';
  const WRONG = ['USMP_MESSAGE_TOO_LONG', 'USMP_ARGUMENT'];
  const none = (count: number): string[] => Array<string>(count).fill(NONE);
  /** Deploys a flow in which there will never be a session. */
  const never =
    (change: (node: FlowNode) => FlowNode): (() => Promise<() => unknown>) =>
    async () => {
      await red.deploy(flow(gateway.port).map(change));
      return () => undefined;
    };
  const withGateway = (config: object): (() => Promise<() => unknown>) =>
    never((node) => (node.id === 'gw' ? { ...node, ...config } : node));
  /** The codes of the errors among the outcomes. */
  const outcomes: [string, () => Promise<() => unknown>, string[]][] = [
    ...Object.entries(states).map(([state, enter]): [string, () => Promise<() => unknown>, string[]] => [
      state,
      enter,
      // There are two changes of keys; with a session the first comes before it is asked to end.
      [...WRONG, ...none(state === 'connected' ? 1 : 2)],
    ]),
    ['not usable', withGateway({ port: 'none' }), [...WRONG, ...none(kinds.length - 3)]],
    ['disabled', withGateway({ d: true }), none(kinds.length)],
    ['not chosen', never((node) => ('client' in node ? { ...node, client: '' } : node)), none(kinds.length)],
  ];
  for (const [state, enter, codes] of outcomes) {
    it(`calls done once for each msg, whatever is asked for, while the gateway is ${state}`, async () => {
      gateway = await new ProbedGateway().listen();
      const open = await enter();
      await open();
      const before = state === 'disconnecting' ? 1 : 0;
      await red.receive('out', ...kinds);
      await red.seen('done', 'out', before + kinds.length);
      await red.receive('out', { action: 'disconnect' });
      const done = await red.seen('done', 'out', before + kinds.length + 1);
      const failed = done.slice(0, -1).flatMap(({ error }) => (error ? [error.code] : []));
      assert.deepEqual(failed.sort(), codes.toSorted());
      assert.ok(done.every(({ isAlive }) => isAlive));
      await red.receive('ping', {}, {});
      const pings = await red.seen('done', 'ping', 2);
      assert.deepEqual(
        pings.map(({ error }) => error?.code),
        [NONE, NONE],
      );
    });
  }
});
