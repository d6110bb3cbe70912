/** The outbox in a context store that takes its time. */
import assert from 'node:assert/strict';
import type { Node } from 'node-red';
import { Gateway } from '../../nodes/shared/gateway.js';
import { USMPConnection } from '../../src/index.js';

type Callback = (error: unknown, value?: unknown) => void;

/** A store that answers a read only when it is told to. */
class SlowStore {
  readonly #reads: Callback[] = [];

  constructor(public content: unknown) {}

  readonly context = {
    get: (_key: string, _store: string, callback: Callback) => void this.#reads.push(callback),
    set: (_key: string, value: unknown, _store: string, callback: Callback) => {
      this.content = value;
      callback(null);
    },
  };

  answer(error?: Error): void {
    for (const callback of this.#reads.splice(0)) callback(error, this.content);
  }
}

const kept = (text: string): object => ({
  message: Buffer.from(text).toString('base64'),
  delivery: 'confirmed',
});

describe('an outbox that is kept in a slow store', () => {
  const errors: string[] = [];
  const open = (store: SlowStore): Gateway =>
    new Gateway({
      node: {
        context: () => store.context,
        error: (text: string) => errors.push(text),
      } as unknown as Node,
      t: (key) => key,
      connection: new USMPConnection({ host: '127.0.0.1', psk: 'a key for the tests, long enough' }),
      autoConnect: false,
      store: 'disk',
    });
  afterEach(() => errors.splice(0));

  it('is left as it was when the node closes before it has been read', async () => {
    const store = new SlowStore([kept('from the last run')]);
    const gateway = open(store);
    const closed = gateway.close();
    store.answer();
    await closed;
    assert.deepEqual(store.content, [kept('from the last run')]);
  });

  it('has the old messages before one that came while it was being read', async () => {
    const store = new SlowStore([kept('from the last run')]);
    const gateway = open(store);
    const sent = gateway.send(Buffer.from('new'), 'queue', 'confirmed');
    const closed = gateway.close();
    store.answer();
    await closed;
    await sent;
    assert.deepEqual(store.content, [kept('from the last run'), kept('new')]);
  });

  it('is not emptied when the store cannot be read, which is said', async () => {
    const store = new SlowStore([kept('from the last run')]);
    const gateway = open(store);
    store.answer(new Error('no such disk'));
    await gateway.close();
    assert.deepEqual([store.content, errors], [[kept('from the last run')], ['error.store']]);
  });
});
