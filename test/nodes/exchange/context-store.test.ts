/** The outbox in context stores of every kind of misbehaviour. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Node } from 'node-red';
import { explain, StoreError } from '../../../nodes/shared/words/explain.js';
import { ClientExchange } from '../../../nodes/shared/exchange/client-exchange.js';
import { Lives } from '../../../nodes/shared/exchange/lives.js';
import { Keeper, type Context } from '../../../nodes/shared/exchange/context-store.js';
import { say } from '../../../nodes/shared/words/text.js';
import { USMPConnection, type KeptMessage } from '../../../src/index.js';
import { FakeClock, settle } from '../../support/clock.js';
import { textsOf } from '../../support/texts.js';

type Callback = (error: unknown, value?: unknown) => void;
/** What a store does when it is called for the nth time; `work` reads or writes, and calls back. */
type Behaviour = (work: () => void, callback: Callback, nth: number, clock: FakeClock) => void;

const SECOND = 1000;
const FAILURE = Object.assign(new Error('a text that may quote a SECRET'), { code: 'ENOSPC' });

const works: Behaviour = (work) => work();
const throws: Behaviour = () => {
  throw FAILURE;
};
const fails: Behaviour = (_work, callback) => callback(FAILURE);
const silent: Behaviour = () => undefined;
const after =
  (ms: number): Behaviour =>
  (work, _callback, _nth, clock) =>
    void clock.setTimer(ms, work);
const first =
  (behaviour: Behaviour, then: Behaviour = works): Behaviour =>
  (work, callback, nth, clock) =>
    (nth === 1 ? behaviour : then)(work, callback, nth, clock);

class Store implements Context {
  readonly content = new Map<string, unknown>();
  /** When what was read, and which messages written. */
  readonly reads: number[] = [];
  readonly writes: { at: number; key: string; texts: string[] | undefined }[] = [];

  constructor(
    readonly clock: FakeClock,
    public onGet: Behaviour = works,
    public onSet: Behaviour = works,
  ) {}

  get(key: string, store: string, callback: Callback): void {
    assert.equal(store, 'disk');
    this.reads.push(this.clock.now());
    const work = (): void => callback(null, this.content.get(key));
    this.onGet(work, callback, this.reads.length, this.clock);
  }

  set(key: string, value: unknown, store: string, callback: Callback): void {
    assert.equal(store, 'disk');
    const texts = key === 'outbox' ? textsIn(value) : undefined;
    this.writes.push({ at: this.clock.now(), key, texts });
    const work = (): void => {
      this.content.set(key, value);
      callback(null);
    };
    this.onSet(work, callback, this.writes.length, this.clock);
  }

  get texts(): string[] | undefined {
    return textsIn(this.content.get('outbox'));
  }
}

const stored = (text: string): object => ({
  message: Buffer.from(text).toString('base64'),
  delivery: 'confirmed',
});

function textsIn(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return (value as { message: string }[]).map(({ message }) => Buffer.from(message, 'base64').toString());
}

const lookup = textsOf('en-US');

/** A keeper beside an outbox that is only a list. */
function world({ get = works, set = works }: { get?: Behaviour; set?: Behaviour } = {}) {
  const clock = new FakeClock();
  const store = new Store(clock, get, set);
  const outbox: string[] = [];
  const told: { at: number; key: string; text: string }[] = [];
  const handed: { at: number; texts: string[] }[] = [];
  const keeper = new Keeper({
    context: store,
    store: 'disk',
    limits: { maxCount: 3, maxBytes: 2 ** 20 },
    content: () => outbox.map((text): KeptMessage => ({ message: Buffer.from(text), delivery: 'confirmed' })),
    onKept: (kept) => {
      const texts = kept.map(({ message }) => Buffer.from(message).toString());
      handed.push({ at: clock.now(), texts });
      outbox.unshift(...texts);
      keeper.changed();
    },
    tell: (level, words) => {
      const text = say((key, values) => lookup(`usmp.${key}`, values), words);
      assert.doesNotMatch(text, /__|SECRET|^usmp\./);
      assert.equal(level, words.key.startsWith('log.') ? 'log' : 'error');
      told.push({ at: clock.now(), key: words.key, text });
    },
    clock,
  });
  return {
    clock,
    store,
    outbox,
    told,
    handed,
    keeper,
    /** Loads, and keeps the time at which that was done. */
    load: (): { at: number | undefined } => {
      const loaded: { at: number | undefined } = { at: undefined };
      void keeper.load().then(() => (loaded.at = clock.now()));
      return loaded;
    },
    accept: (text: string): void => {
      outbox.push(text);
      keeper.changed();
    },
  };
}

const toldIn = (told: { at: number; key: string }[]): string[] =>
  told.map(({ at, key }) => `${at / SECOND} s ${key}`);

describe('an outbox in a store that reads badly', () => {
  const table: {
    name: string;
    get: Behaviour;
    /** Seconds. */
    loaded: number;
    handed?: number;
    told?: string[];
    reads?: number[];
  }[] = [
    { name: 'answers at once', get: works, loaded: 0, handed: 0, reads: [0] },
    { name: 'answers after 3 s', get: after(3 * SECOND), loaded: 3, handed: 3, reads: [0] },
    {
      name: 'throws',
      get: throws,
      loaded: 5,
      told: ['0 s error.storeRead'],
      reads: [0, 1, 3, 7, 15, 31, 63, 123, 183, 243],
    },
    {
      name: 'calls back with an error',
      get: fails,
      loaded: 5,
      told: ['0 s error.storeRead'],
      reads: [0, 1, 3, 7, 15, 31, 63, 123, 183, 243],
    },
    {
      name: 'never calls back',
      get: silent,
      loaded: 5,
      told: ['5 s error.storeReadSilent'],
      reads: [0, 6, 13, 22, 35, 56, 93, 158, 223, 288],
    },
    {
      name: 'throws at the first read',
      get: first(throws),
      ...{ loaded: 1, handed: 1, reads: [0, 1], told: ['0 s error.storeRead', '1 s log.storeRead'] },
    },
    {
      name: 'calls back with an error at the first read',
      get: first(fails),
      ...{ loaded: 1, handed: 1, reads: [0, 1], told: ['0 s error.storeRead', '1 s log.storeRead'] },
    },
    {
      name: 'never answers the first read',
      get: first(silent),
      ...{ loaded: 5, handed: 6, reads: [0, 6], told: ['5 s error.storeReadSilent', '6 s log.storeRead'] },
    },
    {
      name: 'answers the first read late, while it is waited for the second',
      get: first(after(8 * SECOND), silent),
      ...{ loaded: 5, handed: 8, reads: [0, 6], told: ['5 s error.storeReadSilent', '8 s log.storeRead'] },
    },
    {
      name: 'answers every read late',
      get: after(20 * SECOND),
      ...{ loaded: 5, handed: 20, told: ['5 s error.storeReadSilent', '20 s log.storeRead'] },
    },
    {
      name: 'calls back late with an error, while it is waited for the second read',
      get: first(
        (_work, callback, _nth, clock) => {
          clock.setTimer(7 * SECOND, () => callback(FAILURE));
        },
        after(2 * SECOND),
      ),
      ...{ loaded: 5, handed: 8, reads: [0, 6], told: ['5 s error.storeReadSilent', '8 s log.storeRead'] },
    },
    {
      name: 'calls back twice, the second time with something else',
      get: (work, callback) => {
        work();
        callback(null, [stored('something else')]);
      },
      ...{ loaded: 0, handed: 0, reads: [0] },
    },
    {
      name: 'calls back with an error after the answer',
      get: (work, callback) => {
        work();
        callback(FAILURE);
      },
      ...{ loaded: 0, handed: 0, reads: [0] },
    },
    {
      name: 'throws after the answer',
      get: (work) => {
        work();
        throw FAILURE;
      },
      ...{ loaded: 0, handed: 0, reads: [0] },
    },
    {
      name: 'calls back with an error and then with the answer',
      get: first((work, callback) => {
        callback(FAILURE);
        work();
      }),
      ...{ loaded: 1, handed: 1, reads: [0, 1], told: ['0 s error.storeRead', '1 s log.storeRead'] },
    },
  ];

  for (const { name, get, loaded, handed, told = [], reads } of table) {
    const when =
      handed === undefined ? 'nothing is written' : 'what was kept is put first, before it is written';
    it(`that ${name}: ${when}`, async () => {
      const world_ = world({ get });
      const { clock, store, keeper } = world_;
      store.content.set('outbox', [stored('kept')]);
      const done = world_.load();
      world_.accept('new');
      await clock.advance(300 * SECOND);
      assert.equal(done.at, loaded * SECOND);
      assert.deepEqual(toldIn(world_.told), told);
      if (reads)
        assert.deepEqual(
          store.reads,
          reads.map((at) => at * SECOND),
        );
      if (handed === undefined) {
        assert.deepEqual([world_.handed, store.writes], [[], []]);
        assert.deepEqual(store.texts, ['kept']);
      } else {
        assert.deepEqual(world_.handed, [{ at: handed * SECOND, texts: ['kept'] }]);
        assert.deepEqual(store.writes, [
          { at: handed * SECOND + 200, key: 'outbox', texts: ['kept', 'new'] },
        ]);
      }
      void keeper.close();
      await clock.advance(60 * SECOND);
      assert.equal(clock.pending, 0);
    });
  }

  it('is loaded once, however often it is asked for', async () => {
    const { clock, store, keeper } = world();
    await Promise.all([keeper.load(), keeper.load()]);
    await clock.advance(SECOND);
    assert.deepEqual(store.reads, [0]);
  });
});

describe('an outbox in a store that writes badly', () => {
  const table: { name: string; set: Behaviour; told?: string[]; writes: number[]; holds?: string[] }[] = [
    { name: 'works', set: works, writes: [0.2], holds: ['new'] },
    { name: 'answers after 9 s', set: after(9 * SECOND), writes: [0.2], holds: ['new'] },
    {
      name: 'throws',
      set: throws,
      told: ['0.2 s error.storeWrite'],
      writes: [0.2, 1.2, 3.2, 7.2, 15.2, 31.2, 63.2, 123.2, 183.2, 243.2],
    },
    {
      name: 'calls back with an error',
      set: fails,
      told: ['0.2 s error.storeWrite'],
      writes: [0.2, 1.2, 3.2, 7.2, 15.2, 31.2, 63.2, 123.2, 183.2, 243.2],
    },
    {
      name: 'never calls back',
      set: silent,
      told: ['10.2 s error.storeWriteSilent'],
      writes: [0.2, 11.2, 23.2, 37.2, 55.2, 81.2, 123.2, 193.2, 263.2],
    },
    {
      name: 'fails three times',
      set: (work, callback, nth) => (nth <= 3 ? callback(FAILURE) : work()),
      told: ['0.2 s error.storeWrite', '7.2 s log.storeWrite'],
      writes: [0.2, 1.2, 3.2, 7.2],
      holds: ['new'],
    },
    {
      name: 'calls back twice',
      set: (work) => {
        work();
        work();
      },
      writes: [0.2],
      holds: ['new'],
    },
    {
      name: 'throws after the answer',
      set: (work) => {
        work();
        throw FAILURE;
      },
      writes: [0.2],
      holds: ['new'],
    },
    {
      name: 'never answers the first write',
      set: first(silent),
      told: ['10.2 s error.storeWriteSilent', '11.2 s log.storeWrite'],
      writes: [0.2, 11.2],
      holds: ['new'],
    },
  ];

  for (const { name, set, told = [], writes, holds } of table) {
    it(`that ${name}: ${holds ? 'it is kept' : 'it is told once'}`, async () => {
      const { clock, store, keeper, ...rest } = world({ set });
      rest.load();
      rest.accept('new');
      await clock.advance(300 * SECOND);
      assert.deepEqual(toldIn(rest.told), told);
      assert.deepEqual(
        store.writes.map(({ at }) => at / SECOND),
        writes,
      );
      assert.deepEqual(store.texts, holds);
      void keeper.close();
      await clock.advance(60 * SECOND);
      assert.equal(clock.pending, 0);
    });
  }

  it('is written once for a burst of changes', async () => {
    const { clock, store, load, accept } = world();
    load();
    await clock.advance(SECOND);
    for (let i = 0; i < 50; i++) accept(`message ${i}`);
    await clock.advance(SECOND);
    assert.deepEqual(
      store.writes.map(({ at }) => at),
      [1200],
    );
    assert.equal(store.texts?.length, 50);
  });

  it('is written when it becomes empty, and not again while what comes is delivered at once', async () => {
    const { clock, store, load, accept, outbox, keeper } = world();
    store.content.set('outbox', [stored('kept')]);
    load();
    for (let i = 0; i < 5; i++) {
      accept('delivered at once');
      outbox.length = 0;
      keeper.changed();
      await clock.advance(SECOND);
    }
    assert.deepEqual(store.writes, [{ at: 200, key: 'outbox', texts: [] }]);
  });

  const lies: Record<string, Behaviour> = {
    'although it says that it failed': (work, callback) => {
      callback(FAILURE);
      work();
    },
    'long after it was given up': after(20 * SECOND),
  };
  for (const [name, lie] of Object.entries(lies)) {
    it(`is emptied when the store has written ${name}`, async () => {
      const { clock, store, load, accept, outbox } = world({ set: first(lie) });
      load();
      accept('delivered by now');
      await clock.advance(SECOND);
      outbox.length = 0;
      await clock.advance(60 * SECOND);
      assert.deepEqual(store.texts, []);
    });
  }

  it('has one write at a time, and the newest content wins', async () => {
    const { clock, store, load, accept } = world({ set: after(3 * SECOND) });
    load();
    for (let i = 0; i < 5; i++) {
      accept(`${i}`);
      await clock.advance(SECOND);
    }
    await clock.advance(10 * SECOND);
    assert.deepEqual(
      store.writes.map(({ at, texts }) => [at, texts?.join()]),
      [
        [200, '0'],
        [3400, '0,1,2,3'],
        [6600, '0,1,2,3,4'],
      ],
    );
  });

  it('has the newest content when it is tried again', async () => {
    const { clock, store, load, accept } = world({ set: first(fails) });
    load();
    accept('old');
    await clock.advance(SECOND);
    accept('new');
    await clock.advance(SECOND);
    assert.deepEqual(store.texts, ['old', 'new']);
  });

  it('is written again behind a write that had been given up and ends after a newer one', async () => {
    const { clock, store, load, accept } = world({ set: first(after(20 * SECOND)) });
    load();
    accept('old');
    await clock.advance(SECOND);
    accept('new');
    await clock.advance(30 * SECOND);
    assert.deepEqual(
      store.writes.map(({ texts }) => texts?.join()),
      ['old', 'old,new', 'old,new'],
    );
    assert.deepEqual(store.texts, ['old', 'new']);
  });

  it('tells of a trouble again when it was over in between', async () => {
    const odd: Behaviour = (work, callback, nth) => (nth % 2 === 1 ? callback(FAILURE) : work());
    const { clock, store, told, load, accept } = world({ set: odd });
    load();
    for (const text of ['a', 'b']) {
      accept(text);
      await clock.advance(10 * SECOND);
    }
    assert.deepEqual(toldIn(told), [
      ...['0.2 s error.storeWrite', '1.2 s log.storeWrite'],
      ...['10.2 s error.storeWrite', '11.2 s log.storeWrite'],
    ]);
    assert.equal(store.writes.length, 4);
  });
});

describe('an outbox in a store that holds something else', () => {
  it('begins empty when that is no list, which is told and set aside before anything is written', async () => {
    const { clock, store, load, told, handed, accept } = world();
    store.content.set('outbox', 'rubbish');
    const loaded = load();
    accept('new');
    await clock.advance(SECOND);
    assert.deepEqual([loaded.at, handed], [0, [{ at: 0, texts: [] }]]);
    assert.deepEqual(toldIn(told), ['0 s error.storeNoOutbox']);
    assert.deepEqual(
      store.writes.map(({ key }) => key),
      ['outbox-unusable', 'outbox'],
    );
    assert.deepEqual([store.content.get('outbox-unusable'), store.texts], ['rubbish', ['new']]);
  });

  it('has the usable messages, and tells how many are left out and set aside', async () => {
    const { clock, store, load, told, handed } = world();
    const tooMany = ['a', 'b', 'c', 'd'].map(stored);
    const rubbish = [{ message: Buffer.alloc(6000).toString('base64'), delivery: 'confirmed' }, 7];
    store.content.set('outbox', [...rubbish, ...tooMany]);
    load();
    await clock.advance(SECOND);
    assert.deepEqual(handed, [{ at: 0, texts: ['a', 'b', 'c'] }]);
    assert.deepEqual(toldIn(told), ['0 s error.storeUnusable']);
    assert.match(
      told[0]!.text,
      /^unusable messages in the context store disk: 3\. .* the key outbox-unusable/,
    );
    assert.deepEqual(store.content.get('outbox-unusable'), [...rubbish, stored('d')]);
    assert.deepEqual(store.texts, ['a', 'b', 'c']);
  });

  it('is not written over it until it is set aside', async () => {
    const { clock, store, load, told, accept } = world({
      set: (work, callback, nth) => (nth <= 2 ? callback(FAILURE) : work()),
    });
    store.content.set('outbox', { of: 'another program' });
    load();
    accept('new');
    await clock.advance(10 * SECOND);
    assert.deepEqual(
      store.writes.map(({ key }) => key),
      ['outbox-unusable', 'outbox-unusable', 'outbox-unusable', 'outbox'],
    );
    assert.deepEqual(toldIn(told), [
      '0 s error.storeNoOutbox',
      '0.2 s error.storeWrite',
      '3.2 s log.storeWrite',
    ]);
  });

  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const trapped = {
    get message(): never {
      throw FAILURE;
    },
  };
  for (const [name, value] of Object.entries({
    'a revoked proxy': revoked,
    'an object that throws': [trapped],
  })) {
    it(`begins empty when that is ${name}`, async () => {
      const { clock, store, load, told, accept } = world();
      store.content.set('outbox', value);
      const loaded = load();
      accept('new');
      await clock.advance(SECOND);
      assert.equal(loaded.at, 0);
      assert.deepEqual(toldIn(told), ['0 s error.storeNoOutbox']);
      assert.deepEqual(
        store.writes.map(({ key }) => key),
        ['outbox-unusable', 'outbox'],
      );
    });
  }
});

describe('what is told of an error', () => {
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const table: [string, unknown, string][] = [
    ['its code', FAILURE, 'ENOSPC'],
    ['its name without a code', new SyntaxError('unexpected "SECRET"'), 'SyntaxError'],
    ['its name beside a code that is a text', Object.assign(new Error(), { code: 'the SECRET' }), 'Error'],
    ['no more than that it is one, of a text', 'the SECRET', 'Error'],
    ['no more than that it is one, of an object', { message: 'the SECRET' }, 'Error'],
    ['no more than that it is one, of what throws when it is looked at', revoked, 'Error'],
    ['no more than that it is one, of a symbol', Symbol('SECRET'), 'Error'],
  ];
  for (const [what, error, reason] of table) {
    it(`is ${what}`, async () => {
      const { clock, load, told } = world({ get: (_work, callback) => callback(error) });
      load();
      await clock.advance(SECOND);
      assert.match(told[0]!.text, new RegExp(`disk cannot be read \\(${reason}\\)\\.`));
    });
  }
});

describe('an outbox whose node closes', () => {
  const table: {
    name: string;
    get?: Behaviour;
    set?: Behaviour;
    /** How long it was open, and what came when. */
    openMs: number;
    accepts?: Record<number, string>;
    outcome: 'kept' | 'unkept';
    tookMs: number;
    holds: string[];
  }[] = [
    { name: 'is kept when nothing has changed', openMs: 5000, outcome: 'kept', tookMs: 0, holds: ['kept'] },
    {
      name: 'is written at once when it has changed',
      ...{ openMs: 1000, accepts: { 950: 'new' }, outcome: 'kept', tookMs: 0, holds: ['kept', 'new'] },
    },
    {
      name: 'is kept when the store takes a second',
      set: after(1000),
      ...{ openMs: 5000, accepts: { 4900: 'new' }, outcome: 'kept', tookMs: 1000, holds: ['kept', 'new'] },
    },
    {
      name: 'is written again when it has changed since the write that is under way',
      set: after(800),
      ...{
        openMs: 2600,
        accepts: { 2000: 'a', 2500: 'b' },
        outcome: 'kept',
        tookMs: 1200,
        holds: ['kept', 'a', 'b'],
      },
    },
    {
      name: 'is written between two tries',
      set: first(fails),
      ...{ openMs: 800, accepts: { 0: 'new' }, outcome: 'kept', tookMs: 0, holds: ['kept', 'new'] },
    },
    {
      name: 'is not kept when the store throws',
      set: throws,
      ...{ openMs: 500, accepts: { 0: 'new' }, outcome: 'unkept', tookMs: 0, holds: ['kept'] },
    },
    {
      name: 'is not kept when the store calls back with an error',
      set: fails,
      ...{ openMs: 500, accepts: { 0: 'new' }, outcome: 'unkept', tookMs: 0, holds: ['kept'] },
    },
    {
      name: 'is not kept when the store does not answer in 2 s',
      set: silent,
      ...{ openMs: 500, accepts: { 0: 'new' }, outcome: 'unkept', tookMs: 2000, holds: ['kept'] },
    },
    {
      name: 'is not kept when the store takes 3 s',
      set: after(3000),
      ...{ openMs: 100, accepts: { 0: 'new' }, outcome: 'unkept', tookMs: 2000, holds: ['kept', 'new'] },
    },
    {
      name: 'leaves the store as it is when that is not read and nothing waits',
      get: silent,
      ...{ openMs: 500, outcome: 'kept', tookMs: 0, holds: ['kept'] },
    },
    {
      name: 'leaves the store as it is when that cannot be read and nothing waits',
      get: throws,
      ...{ openMs: 500, outcome: 'kept', tookMs: 0, holds: ['kept'] },
    },
    {
      name: 'is kept behind what is read a second later',
      get: after(1500),
      ...{ openMs: 500, accepts: { 0: 'new' }, outcome: 'kept', tookMs: 1000, holds: ['kept', 'new'] },
    },
    {
      name: 'is kept behind what is read at last',
      get: first(throws),
      ...{ openMs: 500, accepts: { 0: 'new' }, outcome: 'kept', tookMs: 0, holds: ['kept', 'new'] },
    },
    {
      name: 'is not kept when the store cannot be read',
      get: throws,
      ...{ openMs: 500, accepts: { 0: 'new' }, outcome: 'unkept', tookMs: 0, holds: ['kept'] },
    },
    {
      name: 'is not kept when the store does not answer a read in 2 s',
      get: silent,
      ...{ openMs: 8000, accepts: { 0: 'new' }, outcome: 'unkept', tookMs: 2000, holds: ['kept'] },
    },
  ];

  for (const { name, get, set, openMs, accepts = {}, outcome, tookMs, holds } of table) {
    it(name, async () => {
      const { clock, store, keeper, load, accept } = world({ ...(get && { get }), ...(set && { set }) });
      store.content.set('outbox', [stored('kept')]);
      load();
      for (const [at, text] of Object.entries(accepts)) clock.setTimer(Number(at), () => accept(text));
      await clock.advance(openMs);
      let end: object | undefined;
      void keeper.close().then((result) => (end = { outcome: result, tookMs: clock.now() - openMs }));
      await clock.advance(2000);
      assert.deepEqual(end, { outcome, tookMs });
      accept('too late');
      await clock.advance(100 * SECOND);
      assert.deepEqual([store.texts, clock.pending], [holds, 0]);
      assert.equal(await keeper.close(), outcome);
    });
  }

  it('ends the loading, too', async () => {
    const { clock, keeper, load, handed } = world({ get: after(3 * SECOND) });
    const loaded = load();
    await clock.advance(SECOND);
    await keeper.close();
    await settle();
    assert.equal(loaded.at, SECOND);
    await clock.advance(10 * SECOND);
    assert.deepEqual([handed, clock.pending], [[], 0]);
  });

  it('hears nothing of the store any more', async () => {
    const failsLate: Behaviour = (_work, callback, _nth, clock) => {
      clock.setTimer(3 * SECOND, () => callback(FAILURE));
    };
    const { clock, keeper, load, accept, told } = world({ set: failsLate });
    load();
    accept('new');
    void keeper.close();
    await clock.advance(60 * SECOND);
    assert.deepEqual(told, []);
  });

  it('is not read when it is asked for afterwards', async () => {
    const { store, keeper } = world();
    await keeper.close();
    await keeper.load();
    assert.deepEqual(store.reads, []);
  });

  it('reads what is kept before it writes, also when it was never loaded', async () => {
    const { clock, store, keeper, accept } = world();
    store.content.set('outbox', [stored('kept')]);
    accept('new');
    const closed = keeper.close();
    await clock.advance(0);
    assert.equal(await closed, 'kept');
    assert.deepEqual(store.texts, ['kept', 'new']);
  });
});

describe('a store that keeps nothing over a restart', () => {
  const table = [
    ['USMP_STORE_MEMORY', 'not kept: store ram is in memory only'],
    ['USMP_STORE_UNKNOWN', 'not kept: there is no store ram'],
  ] as const;
  for (const [code, reason] of table) {
    it(`is explained, with its name and what to do (${code})`, () => {
      const error = new StoreError(code, 'ram');
      const text = explain((key, values) => lookup(`usmp.${key}`, values), error, undefined);
      assert.ok(text.startsWith(`${reason}. What waits is lost when Node-RED stops.`), text);
      assert.match(text, /settings\.js/);
    });
  }
});

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

describe('the outbox of a gateway, in a slow store', () => {
  const errors: string[] = [];
  const open = (store: SlowStore): ClientExchange =>
    new ClientExchange({
      node: {
        id: 'gw',
        context: () => store.context,
        error: (text: string) => errors.push(text),
        log: () => undefined,
      } as unknown as Node,
      t: (key) => key,
      lives: new Lives(new EventEmitter()),
      inherited: undefined,
      connection: new USMPConnection({ host: '127.0.0.1', psk: 'a key for the tests, long enough' }),
      autoConnect: false,
      store: 'disk',
      isDeployed: () => true,
    });
  afterEach(() => errors.splice(0));

  it('is left as it was when the node closes before it has been read', async () => {
    const store = new SlowStore([stored('from the last run')]);
    const gateway = open(store);
    const closed = gateway.close(false);
    store.answer();
    await closed;
    assert.deepEqual(store.content, [stored('from the last run')]);
  });

  it('has the old messages before one that came while it was being read', async () => {
    const store = new SlowStore([stored('from the last run')]);
    const gateway = open(store);
    const sent = gateway.send(Buffer.from('new'), { offline: 'queue', delivery: 'confirmed' });
    const closed = gateway.close(false);
    store.answer();
    await closed;
    await sent;
    assert.deepEqual(store.content, [stored('from the last run'), stored('new')]);
  });

  it('is not emptied when the store cannot be read, which is said', async () => {
    const store = new SlowStore([stored('from the last run')]);
    const gateway = open(store);
    store.answer(new Error('no such disk'));
    await gateway.close(false);
    assert.deepEqual([store.content, errors], [[stored('from the last run')], ['error.storeRead']]);
  });
});
