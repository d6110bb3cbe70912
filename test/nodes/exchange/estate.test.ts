/** What outlives a config node: its connection, what waits there, and what people were told. */
import assert from 'node:assert/strict';
import type { Node } from 'node-red';
import { Estate, type Life } from '../../../nodes/shared/exchange/estate.js';
import { USMPConnection, type ConnectionOptions } from '../../../src/index.js';
import { FakeClock, settle } from '../../support/clock.js';
import { MemoryGateway, PSK } from '../../support/memory-gateway.js';
import { textsOf } from '../../support/texts.js';

const SECOND = 1000;
const english = textsOf('en-US');
const t = (key: string, values?: Record<string, string | number>): string => english(`usmp.${key}`, values);

type Callback = (error: unknown, value?: unknown) => void;

/** The context stores of a node; one of the name `broken` fails. */
class Stores {
  readonly content: Record<string, unknown> = {};

  readonly get = (_key: string, store: string, callback: Callback): void =>
    callback(store === 'broken' ? new Error() : null, this.content[store]);

  readonly set = (_key: string, value: unknown, store: string, callback: Callback): void => {
    if (store !== 'broken') this.content[store] = value;
    callback(store === 'broken' ? new Error() : null);
  };

  texts(store: string): string[] {
    const kept = (this.content[store] ?? []) as { message: string }[];
    return kept.map(({ message }) => Buffer.from(message, 'base64').toString());
  }
}

class World {
  readonly clock = new FakeClock();
  readonly gateway = new MemoryGateway(this.clock);
  readonly stores = new Stores();
  readonly heard: string[] = [];
  readonly logged: string[] = [];
  readonly outcomes: string[] = [];
  readonly estate: Estate;
  isGone = false;

  constructor() {
    this.gateway.onMessage = () => undefined;
    this.estate = new Estate(this.connection(), this.life('first'));
  }

  connection(options: Partial<ConnectionOptions> = {}): USMPConnection {
    return new USMPConnection(
      { host: 'gateway', psk: PSK, retryJitter: 0, ...options },
      this.gateway.environment,
    );
  }

  life(name: string): Life {
    const log = (level: string) => (text: string) => this.logged.push(`${name} ${level}: ${text}`);
    const node = {
      id: 'gw',
      log: log('info'),
      warn: log('warn'),
      error: log('error'),
      context: () => this.stores,
    };
    const isGone = (): boolean => this.isGone;
    return {
      node: node as unknown as Node,
      t,
      get isGone() {
        return isGone();
      },
      onState: () => this.heard.push(`${name}: ${this.estate.connection.state.at}`),
      onOutbox: () => undefined,
      onEvent: () => this.heard.push(`${name}: event`),
      onMessage: (message) => this.heard.push(`${name}: ${message.toString()}`),
    };
  }

  send(...texts: string[]): void {
    for (const text of texts) {
      this.estate.connection.send(text).then(
        (outcome) => this.outcomes.push(`${text} ${outcome}`),
        (error: unknown) => this.outcomes.push(`${text} ${(error as { code: string }).code}`),
      );
    }
  }

  /** Opens the session as soon as it may be. */
  start(): void {
    const { connection } = this.estate;
    void this.estate.ready.then(() => connection.start());
  }

  /** Winds the estate up, whatever time that takes. */
  async windUp(): Promise<void> {
    const done = this.estate.windUp();
    await this.clock.advance(2 * SECOND);
    await done;
  }
}

describe('the estate of a gateway', () => {
  it('tells the life that the node is in of everything, and no other', async () => {
    const world = new World();
    world.estate.read(true);
    world.start();
    await settle();
    world.estate.passTo(world.life('second'));
    await world.gateway.sessions[0]!.send(Buffer.from('hi'));
    await settle();
    world.estate.read(false);
    await world.gateway.sessions[0]!.send(Buffer.from('nobody'));
    await settle();
    assert.deepEqual(world.heard.slice(-2), ['first: event', 'second: hi']);
    assert.equal(world.estate.connection.stats.unclaimed, 1);
    await world.windUp();
    assert.equal(world.clock.pending, 0);
  });

  it('keeps events until they are taken', async () => {
    const world = new World();
    world.start();
    await settle();
    world.gateway.cut();
    await settle();
    assert.deepEqual(
      world.estate.takeEvents().map(({ event }) => event),
      ['connected', 'disconnected'],
    );
    assert.deepEqual(world.estate.takeEvents(), []);
    await world.windUp();
  });

  it('logs each reason once until it is over, and again for other settings', async () => {
    const world = new World();
    world.gateway.mode = 'refusing';
    world.start();
    await world.clock.advance(60 * SECOND);
    const once = ['first warn: not connected to tcp://gateway:9000: connection refused.'];
    const lines = (): string[] => world.logged.map((line) => line.replace(/(refused\.).*/, '$1'));
    assert.deepEqual(lines(), once);
    world.estate.replace(world.connection({ port: 9001 }));
    world.start();
    await world.clock.advance(60 * SECOND);
    assert.deepEqual(lines(), [...once, once[0]!.replace('9000', '9001')]);
    await world.windUp();
  });

  it('hands what waits to a connection that takes the place of the old one, before what comes then', async () => {
    const world = new World();
    const old = world.estate.connection;
    world.start();
    await settle();
    world.gateway.lost.toClient = true; // nothing is confirmed
    world.send('a', 'b');
    await settle();
    world.estate.replace(world.connection({ keepalive: 20 }));
    world.send('c');
    world.start();
    await world.clock.advance(SECOND);
    world.gateway.lost.toClient = false;
    await world.clock.advance(60 * SECOND);
    assert.deepEqual(world.gateway.received.slice(-3), ['a', 'b', 'c']);
    assert.deepEqual(world.outcomes, ['a delivered', 'b delivered', 'c delivered']);
    assert.equal(old.eventNames().length, 0);
    await world.windUp();
    assert.equal(world.clock.pending, 0);
  });

  it('hands over one after the other when connections follow fast', async () => {
    const world = new World();
    world.start();
    await settle();
    world.gateway.lost.toClient = true;
    world.send('a');
    await settle();
    for (const keepalive of [20, 21, 22]) {
      world.estate.replace(world.connection({ keepalive }));
      world.send(`${keepalive}`);
    }
    world.start();
    await world.clock.advance(SECOND);
    world.gateway.lost.toClient = false;
    await world.clock.advance(60 * SECOND);
    assert.deepEqual(world.gateway.received.slice(-4), ['a', '20', '21', '22']);
    assert.deepEqual(
      world.outcomes,
      ['a', '20', '21', '22'].map((text) => `${text} delivered`),
    );
    await world.windUp();
    assert.equal(world.clock.pending, 0);
  });

  it('hands over what has arrived and was not given to anybody', async () => {
    const world = new World();
    world.start();
    await settle();
    world.estate.connection.hold();
    for (const text of ['a', 'b']) await world.gateway.sessions[0]!.send(Buffer.from(text));
    await settle();
    world.estate.replace(world.connection({ keepalive: 20 }));
    world.estate.read(true);
    world.start();
    await world.clock.advance(SECOND);
    await world.gateway.sessions.at(-1)!.send(Buffer.from('c'));
    await settle();
    const messages = world.heard.filter((line) => /: .$/.test(line));
    assert.deepEqual(messages, ['first: a', 'first: b', 'first: c']);
    await world.windUp();
  });

  it('moves the outbox from one store to another', async () => {
    const world = new World();
    world.estate.keepIn('one');
    world.send('a');
    world.estate.keepIn('two');
    world.send('b');
    await world.windUp();
    assert.deepEqual([world.stores.texts('one'), world.stores.texts('two')], [[], ['a', 'b']]);
  });

  it('leaves the store alone that it keeps the outbox in already', async () => {
    const world = new World();
    world.estate.keepIn('one');
    world.send('a');
    world.estate.passTo(world.life('second'));
    world.estate.keepIn('one');
    await world.windUp();
    assert.deepEqual(world.stores.texts('one'), ['a']);
  });

  const ends: {
    what: string;
    store: string;
    sends: string[];
    isGone?: boolean;
    outcomes: string[];
    logged: string[];
    keeps?: string[];
  }[] = [
    { what: 'in peace when nothing waits', store: 'disk', sends: [], outcomes: [], logged: [] },
    {
      what: 'with a word about what is given up',
      store: '',
      sends: ['a', 'b'],
      outcomes: ['a USMP_OUTBOX_CLOSED', 'b USMP_OUTBOX_CLOSED'],
      logged: ['first warn: messages were given up before the gateway had taken them: 2'],
    },
    {
      what: 'with a word about what is kept',
      store: 'disk',
      sends: ['a', 'b'],
      outcomes: ['a kept', 'b kept'],
      logged: ['first info: messages that were not delivered are kept in the context store disk: 2'],
      keeps: ['a', 'b'],
    },
    {
      what: 'and keeps nothing when the node is gone for good',
      store: 'disk',
      sends: ['a'],
      isGone: true,
      outcomes: ['a USMP_OUTBOX_CLOSED'],
      logged: ['first warn: messages were given up before the gateway had taken them: 1'],
      keeps: [],
    },
  ];
  for (const { what, store, sends, isGone = false, outcomes, logged, keeps } of ends) {
    it(`ends ${what}`, async () => {
      const world = new World();
      world.estate.keepIn(store);
      world.send(...sends);
      await settle();
      world.isGone = isGone;
      await world.windUp();
      assert.deepEqual(world.outcomes, outcomes);
      assert.deepEqual(world.logged, logged);
      if (keeps) assert.deepEqual(world.stores.texts(store), keeps);
      assert.equal(world.clock.pending, 0);
    });
  }

  it('ends with a word about what a store that fails does not keep', async () => {
    const world = new World();
    world.estate.keepIn('broken');
    world.send('a');
    await world.windUp();
    assert.deepEqual(world.outcomes, ['a USMP_OUTBOX_CLOSED']);
    assert.match(world.logged.at(-1)!, /^first warn: messages were given up .*: 1$/);
  });

  it('says what is given up when the process leaves no time, but for what is in a store', async () => {
    for (const store of ['', 'disk']) {
      const world = new World();
      world.estate.keepIn(store);
      world.send('a');
      await settle();
      world.estate.abandon();
      assert.equal(world.logged.length, store === '' ? 1 : 0);
      await world.windUp();
    }
  });
});
