/** Who tells what became of a msg, whatever became of the node that got it. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Estate } from '../../../nodes/shared/exchange/estate.js';
import { FlowError } from '../../../nodes/shared/words/explain.js';
import { Lives } from '../../../nodes/shared/exchange/lives.js';
import { Teller } from '../../../nodes/shared/exchange/outcome.js';
import { settle } from '../../support/clock.js';

class World {
  readonly events = new EventEmitter();
  readonly lives = new Lives<Estate>(this.events);
  readonly nodes = new Map<string, object>();
  readonly told: string[] = [];
  /** What msgs are there for, not to be told of: somebody handed them in. */
  readonly inputs: NodeMessage[] = [];
  readonly RED = { nodes: { getNode: (id: string) => this.nodes.get(id) } } as unknown as NodeAPI;

  constructor() {
    this.events.emit('flows:started', { config: this.#config });
  }

  #config: object = {};

  /** A node of this id takes the place of the one before. */
  make(name: string, id = 'out'): { teller: Teller; done: (error?: Error) => void } {
    const emitter = new EventEmitter();
    const node = Object.assign(emitter, {
      id,
      warn: (text: string) => this.told.push(`${name} logs ${text}`),
      receive: (msg: NodeMessage) => {
        if (!teller.isSettled(msg, done)) this.inputs.push(msg);
      },
    }) as unknown as Node;
    const done = (error?: Error): void => void this.told.push(`${name}: ${error?.message ?? 'done'}`);
    const t = (_key: string, values: object = {}): string => Object.values(values).join(' x ');
    const teller = new Teller(this.RED, node, this.lives, t);
    this.nodes.set(id, node);
    return { teller, done };
  }

  close(id = 'out'): void {
    const node = this.nodes.get(id) as EventEmitter;
    this.nodes.delete(id);
    node.emit('close');
  }

  /** A deploy, in which nodes of the last flows close and new ones are made. */
  deploy(closing: () => void, starting: () => void = () => undefined): void {
    this.#config = {};
    const [config] = [this.#config];
    this.events.emit('flows:stopping', { config });
    closing();
    this.events.emit('flows:stopped', {});
    starting();
    this.events.emit('flows:started', { config });
  }
}

describe('what became of a msg', () => {
  const failed = new FlowError('failed', 'USMP_EXPIRED');
  const closed = new FlowError('closed', 'USMP_OUTBOX_CLOSED');
  const results: [string, Error | undefined, string][] = [
    ['success', undefined, 'done'],
    ['failure', failed, 'failed'],
  ];
  for (const [what, error, word] of results) {
    it(`is told by its node while that lives (${what})`, () => {
      const world = new World();
      const { teller, done } = world.make('first');
      teller.tell({}, done, error);
      assert.deepEqual(world.told, [`first: ${word}`]);
    });

    it(`is told by the next node of the id when a deploy has taken its own away (${what})`, () => {
      const world = new World();
      const { teller, done } = world.make('first');
      world.deploy(
        () => world.close(),
        () => world.make('second'),
      );
      teller.tell({}, done, error);
      assert.deepEqual(world.told, [`second: ${word}`]);
      assert.deepEqual(world.inputs, []);
    });

    it(`waits for the end of a deploy that replaces others, by its own node then (${what})`, () => {
      const world = new World();
      const { teller, done } = world.make('first');
      world.deploy(
        () => teller.tell({}, done, error),
        () => assert.deepEqual(world.told, []),
      );
      assert.deepEqual(world.told, [`first: ${word}`]);
    });

    it(`waits for the end of the deploy (${what})`, () => {
      const world = new World();
      const { teller, done } = world.make('first');
      world.deploy(
        () => {
          world.close();
          teller.tell({}, done, error);
        },
        () => {
          world.make('second');
          assert.deepEqual(world.told, []);
        },
      );
      assert.deepEqual(world.told, [`second: ${word}`]);
    });
  }

  it('is told once, and the same msg is like any other when it comes again', () => {
    const world = new World();
    const { teller, done } = world.make('first');
    const msg = {};
    world.deploy(
      () => world.close(),
      () => world.make('second'),
    );
    teller.tell(msg, done);
    (world.nodes.get('out') as Node).receive(msg);
    assert.deepEqual(world.told, ['second: done']);
    assert.deepEqual(world.inputs, [msg]);
  });

  it('is told apart for two nodes that had the same msg', () => {
    const world = new World();
    const [one, two] = [world.make('one', 'a'), world.make('two', 'b')];
    const msg = {};
    world.deploy(
      () => ['a', 'b'].forEach((id) => world.close(id)),
      () => ['a', 'b'].forEach((id) => world.make(`new ${id}`, id)),
    );
    one.teller.tell(msg, one.done, failed);
    two.teller.tell(msg, two.done);
    assert.deepEqual(world.told, ['new a: failed', 'new b: done']);
  });

  it('is told by the log when the node is gone, equal failures together', async () => {
    const world = new World();
    const { teller, done } = world.make('first');
    world.deploy(() => world.close());
    for (const error of [failed, failed, undefined, new Error('other')]) teller.tell({}, done, error);
    await settle();
    assert.deepEqual(world.told, ['first logs 2 x failed', 'first logs 1 x other']);
    teller.tell({}, done, failed);
    await settle();
    assert.equal(world.told.at(-1), 'first logs 1 x failed');
  });

  it('is not told twice when the log of the gateway tells how many were given up', async () => {
    const world = new World();
    const { teller, done } = world.make('first');
    world.close();
    teller.tell({}, done, closed);
    await settle();
    assert.deepEqual(world.told, []);
  });

  it('is not handed to a node of another kind that has taken over the id', async () => {
    const world = new World();
    const { teller, done } = world.make('first');
    world.deploy(
      () => world.close(),
      () =>
        world.nodes.set('out', {
          receive: () => assert.fail('a function node, say, would take it for a message'),
        }),
    );
    teller.tell({}, done);
    teller.tell({}, done, failed);
    await settle();
    assert.deepEqual(world.told, ['first logs 1 x failed']);
  });
});
