/** What flow nodes get of a config node in each of its states: usable, unusable, over. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Node, NodeStatus } from 'node-red';
import { ClientExchange } from '../../../nodes/shared/exchange/client-exchange.js';
import type { Estate } from '../../../nodes/shared/exchange/estate.js';
import type { Exchange } from '../../../nodes/shared/exchange/exchange.js';
import { Lives } from '../../../nodes/shared/exchange/lives.js';
import { StoreError } from '../../../nodes/shared/words/explain.js';
import { ArgumentError, USMPConnection, type USMPError } from '../../../src/index.js';
import { FakeClock, settle } from '../../support/clock.js';
import { MemoryGateway, PSK } from '../../support/memory-gateway.js';
import { textsOf } from '../../support/texts.js';

const SECOND = 1000;
const english = textsOf('en-US');
const ignore = (): void => undefined;
const unusable = new ArgumentError('host', 'expected a host name', { kind: 'hostMissing' });

class World {
  readonly clock = new FakeClock();
  readonly gateway = new MemoryGateway(this.clock);
  readonly events = new EventEmitter();
  readonly lives = new Lives<Estate>(this.events, this.clock);

  constructor() {
    this.gateway.onMessage = ignore;
    this.events.emit('flows:started', { config: 'first' });
  }

  connection(): USMPConnection {
    const options = { host: 'gateway', psk: PSK, retryJitter: 0 };
    return new USMPConnection(options, this.gateway.environment);
  }

  readonly exchange = (
    connection: USMPConnection | USMPError = this.connection(),
    store: string | StoreError = '',
  ): ClientExchange =>
    new ClientExchange({
      node: { id: 'gw', log: ignore, warn: ignore, error: ignore } as unknown as Node,
      t: (key, values) => english(`usmp.${key}`, values),
      lives: this.lives,
      inherited: this.lives.take('gw'),
      connection,
      autoConnect: true,
      store,
      isDeployed: () => true,
    });

  /** @returns the next life of the config node, with a user. */
  async deploy(config: string, from: ClientExchange, next: () => ClientExchange): Promise<ClientExchange> {
    this.events.emit('flows:stopping', { config });
    await from.close(false);
    this.events.emit('flows:stopped', {});
    const to = next();
    to.attach({ onStatus: ignore });
    this.events.emit('flows:started', { config });
    await this.clock.advance(SECOND);
    return to;
  }
}

/** All that a flow node may ask for. */
const ASKED: Record<string, (exchange: Exchange) => unknown> = {
  send: (exchange) => exchange.send(Buffer.from('x'), { offline: 'queue', delivery: 'confirmed' }),
  'send or drop': (exchange) => exchange.send(Buffer.from('x'), { offline: 'drop', delivery: 'sent' }),
  ping: (exchange) => exchange.ping(),
  connect: (exchange) => exchange.actions.get('connect')!({}),
  disconnect: (exchange) => exchange.actions.get('disconnect')!({}),
  rekey: (exchange) => exchange.actions.get('rekey')!({}),
  stats: (exchange) => exchange.actions.get('stats')!({}),
};

const statusOf = (exchange: Exchange): string | undefined => {
  let shown: NodeStatus = {};
  exchange.attach({ onStatus: (status) => (shown = status) })();
  return shown.text;
};

describe('a config node whose settings are not usable', () => {
  for (const [name, ask] of Object.entries(ASKED)) {
    it(`says so to a node that asks for ${name}, also when it is over`, async () => {
      const exchange = new World().exchange(unusable);
      for (const close of [false, true]) {
        if (close) await exchange.close(true);
        await assert.rejects(
          Promise.resolve().then(() => ask(exchange)),
          {
            name: 'USMP',
            code: 'USMP_NOT_CONNECTED',
            message: /^there is no session: Host: /,
          },
        );
      }
    });
  }

  it('shows so, is connected to nothing, and tells of no session', () => {
    const exchange = new World().exchange(unusable);
    assert.match(String(statusOf(exchange)), /host/i);
    assert.equal(exchange.isConnected, false);
  });

  it('leaves what an earlier life has left to a later one: its messages, and no session meanwhile', async () => {
    const world = new World();
    const { clock, gateway, lives, exchange } = world;
    const first = exchange();
    gateway.lost.toGateway = true;
    first.attach({ onStatus: ignore });
    const outcome = first.send(Buffer.from('waits'), { offline: 'queue', delivery: 'confirmed' });
    const second = await world.deploy('second', first, () => exchange(unusable));
    await clock.advance(20 * SECOND);
    assert.equal(gateway.sessions.filter(({ isEstablished }) => isEstablished).length, 0);
    gateway.lost.toGateway = false;
    const third = await world.deploy('third', second, () => exchange());
    assert.equal(await outcome, 'delivered');
    assert.deepEqual(gateway.received, ['waits']);
    assert.equal(lives.take('gw'), undefined);
    await Promise.all([third.close(true), clock.advance(2 * SECOND)]);
    assert.equal(clock.pending, 0);
  });
});

describe('a config node that is usable', () => {
  it('answers a PING with the round-trip time and the session that it was of', async () => {
    const { clock, gateway, exchange } = new World();
    const usable = exchange();
    usable.attach({ onStatus: ignore });
    await clock.advance(SECOND);
    assert.equal(usable.isConnected, true);
    const pong = await usable.ping();
    assert.equal(typeof pong.rtt, 'number');
    assert.match(String(pong.origin?.sessionId), /^[0-9a-f]{32}$/);
    assert.equal(pong.origin?.protocol, 'tcp');
    assert.equal(gateway.sessions.length, 1);
    await Promise.all([usable.close(true), clock.advance(SECOND)]);
  });

  it('has the answer to stats put into the msg', async () => {
    const { clock, exchange } = new World();
    const usable = exchange();
    const msg: { stats?: { state?: string; queued?: number } } = {};
    await usable.actions.get('stats')!(msg);
    assert.deepEqual([msg.stats?.state, msg.stats?.queued], ['idle', 0]);
    await Promise.all([usable.close(true), clock.advance(SECOND)]);
  });

  it('shows beside its state that the outbox is kept nowhere', async () => {
    const { clock, exchange } = new World();
    const usable = exchange(undefined, new StoreError('USMP_STORE_MEMORY', 'default'));
    assert.match(String(statusOf(usable)), /^disconnected, not kept: /);
    await Promise.all([usable.close(true), clock.advance(SECOND)]);
  });
});

describe('a config node that is over', () => {
  it('opens no session any more, whatever is asked of it, and each of those who ask is told', async () => {
    const { clock, gateway, exchange } = new World();
    const over = exchange();
    await Promise.all([over.close(true), clock.advance(SECOND)]);
    for (const [name, ask] of Object.entries(ASKED)) {
      const asked = Promise.resolve()
        .then(() => ask(over))
        .then(
          () => 'resolved',
          (error: unknown) => String((error as { code?: string }).code),
        );
      await clock.advance(SECOND);
      assert.match(await asked, /^(resolved|USMP_NOT_CONNECTED)$/, name);
    }
    over.attach({ onStatus: ignore });
    await clock.advance(60 * SECOND);
    await settle();
    assert.deepEqual([gateway.dials.length, clock.pending], [0, 0]);
  });

  it('leaves the session to the next life, whatever its own users still do', async () => {
    const world = new World();
    const { clock, gateway, exchange } = world;
    const connection = world.connection();
    const over = exchange(connection);
    const detach = over.attach({ onStatus: ignore });
    await clock.advance(SECOND);
    const next = await world.deploy('second', over, () => exchange(connection));
    detach();
    over.onOutbox();
    await clock.advance(60 * SECOND);
    assert.deepEqual([next.isConnected, gateway.sessions.length], [true, 1]);
    await Promise.all([next.close(true), clock.advance(SECOND)]);
  });
});
