/**
 * Keeps the outbox over a restart of Node-RED, in the context store that the user chose: `localfilesystem`, say, writes
 * it to a file in the user folder. A store may throw, answer with an error, twice, late or never, and hold what nobody
 * here has written. Whatever it does: nothing is thrown from here, nothing is written before it is known what the store
 * holds, nothing that it holds is thrown away unread, and each trouble is told once until it is over.
 */
import { systemClock, type CancelTimer, type Clock, type KeptMessage } from '../../../src/index.js';
import { fromStored, toStored, type StoredLimits } from './stored.js';
import type { Words } from '../words/text.js';

type Callback = (error: unknown, value?: unknown) => void;

/** The part of a node's context that is used here. */
export interface Context {
  get(key: string, store: string, callback: Callback): void;
  set(key: string, value: unknown, store: string, callback: Callback): void;
}

export interface KeeperOptions {
  readonly context: Context;
  /** The name of the context store. */
  readonly store: string;
  readonly limits: StoredLimits;
  /** What there is to be kept now. */
  readonly content: () => readonly KeptMessage[];
  /** What the last run has kept, to be put before all that waits now. Called once: while loading, or later. */
  readonly onKept: (kept: readonly KeptMessage[]) => void;
  /** What people should know, and at which level of the log. */
  readonly tell: (level: 'error' | 'log', words: Words) => void;
  readonly clock?: Clock;
}

/** `kept`: what waited when the keeper closed lies in the store, or nothing waited. `unkept`: it may not. */
export type Outcome = 'kept' | 'unkept';

const KEY = 'outbox';
/** Where what was found under `KEY` and is of no use here is set aside, in place of what was there. */
const UNUSABLE_KEY = 'outbox-unusable';

/** Changes come in bursts; the store is written this much later. */
const WRITE_DELAY_MS = 200;
/** How long a read may take, and how long a session waits for what was kept. */
const READ_MS = 5_000;
const WRITE_MS = 10_000;
/** What failed is tried again after this long, which doubles with each failure in a row. */
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** A deploy waits for its nodes to close. */
const CLOSE_MS = 2_000;

/**
 * `unread`, `reading`: what the store holds is not known, and nothing is written. `current`: it has what there is.
 * `due`: it will be written. `writing`; `stale`: what is being written is not the newest any more.
 */
type State = 'unread' | 'reading' | 'current' | 'due' | 'writing' | 'stale' | 'closed';

type Failure = { readonly error: unknown } | { readonly silentMs: number };
type Answer = { readonly value: unknown } | Failure;

const TROUBLE = {
  read: { error: { key: 'error.storeRead' }, silence: { key: 'error.storeReadSilent' } },
  write: { error: { key: 'error.storeWrite' }, silence: { key: 'error.storeWriteSilent' } },
} as const;
type Trouble = keyof typeof TROUBLE;

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #clock: Clock;
  #state: State = 'unread';
  /** The one timer of a state: for an answer, the next try, or the write that is due. */
  #cancelTimer: CancelTimer = () => undefined;
  /** Reads or writes that failed in a row. */
  #failures = 0;
  /** What was told and is not over. */
  readonly #troubles = new Set<Trouble>();
  /** What is still to be set aside. */
  #unusable: { readonly value: unknown } | undefined;
  /** The store has no messages, so that writing none is no use. */
  #isEmpty = false;
  #loaded: Promise<void> | undefined;
  #endLoading: (() => void) | undefined;
  #closed: Promise<Outcome> | undefined;
  #endClosing: ((outcome: Outcome) => void) | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Reads what the last run has kept, again and again until it succeeds; nothing is written before.
   * Resolves when that was handed to `onKept`, or after 5 s without it.
   */
  load(): Promise<void> {
    return (this.#loaded ??= new Promise((resolve) => {
      const cancel = this.#clock.setTimer(READ_MS, () => this.#endLoading?.());
      this.#endLoading = () => {
        cancel();
        resolve();
      };
      if (this.#state === 'unread') this.#read();
      else if (this.#state !== 'reading') this.#endLoading();
    }));
  }

  /** The content has changed. */
  changed(): void {
    if (this.#state === 'current') this.#plan();
    else if (this.#state === 'writing') this.#state = 'stale';
  }

  /** Has what waits now written, if it is not yet, and stops for good. Settles within 2 s. */
  close(): Promise<Outcome> {
    return (this.#closed ??= new Promise((resolve) => {
      const cancel = this.#clock.setTimer(CLOSE_MS, () => this.#end('unkept'));
      this.#endClosing = (outcome) => {
        cancel();
        resolve(outcome);
      };
      const isUnread = this.#state === 'unread' || this.#state === 'reading';
      // What is not read stays in the store as it is.
      if (this.#state === 'current' || (isUnread && this.#options.content().length === 0)) this.#end('kept');
      else if (this.#state === 'unread') this.#read();
      else if (this.#state === 'due') this.#write();
    }));
  }

  #read(): void {
    this.#become('reading');
    const { context, store } = this.#options;
    this.#ask(
      READ_MS,
      (callback) => context.get(KEY, store, callback),
      (answer) => {
        if (this.#state !== 'reading') return; // an earlier try has had its answer
        if ('value' in answer) this.#found(answer.value);
        else this.#failed('read', answer, () => this.#read());
      },
      (late) => {
        // As good as one in time: nothing has been written since.
        const isAwaited = this.#state === 'reading' || this.#state === 'unread';
        if (isAwaited && 'value' in late) this.#found(late.value);
      },
    );
  }

  #found(value: unknown): void {
    const { store, limits, onKept, tell } = this.#options;
    const restored = fromStored(value, limits);
    const kept = restored?.kept ?? [];
    this.#over('read', { key: 'log.storeRead', values: { store, count: kept.length } });
    const aside = { store, key: UNUSABLE_KEY };
    if (!restored) {
      this.#unusable = { value };
      tell('error', { key: 'error.storeNoOutbox', values: aside });
    } else if (restored.unusable.length > 0) {
      this.#unusable = { value: restored.unusable };
      tell('error', { key: 'error.storeUnusable', values: { ...aside, count: restored.unusable.length } });
    }
    this.#isEmpty = kept.length === 0;
    this.#plan();
    onKept(kept);
    this.#endLoading?.();
  }

  /** What is of no use goes first, so that it is set aside when the outbox is written over it. */
  #write(): void {
    const { store, content } = this.#options;
    const unusable = this.#unusable;
    const value = toStored(content());
    if (unusable) {
      this.#put(UNUSABLE_KEY, unusable.value, () => {
        this.#unusable = undefined;
        this.#write();
      });
    } else if (value.length > 0 || !this.#isEmpty) {
      this.#put(KEY, value, () => {
        this.#isEmpty = value.length === 0;
        this.#over('write', { key: 'log.storeWrite', values: { store } });
        this.#written();
      });
    } else {
      this.#written();
    }
  }

  #put(key: string, value: unknown, done: () => void): void {
    const { context, store } = this.#options;
    this.#become('writing');
    this.#isEmpty = false;
    this.#ask(
      WRITE_MS,
      (callback) => context.set(key, value, store, callback),
      (answer) => {
        if (this.#state === 'closed') return;
        if ('value' in answer) done();
        else this.#failed('write', answer, () => this.#write());
      },
      () => {
        // It may have ended behind a newer one, and undone it.
        this.#isEmpty = false;
        this.changed();
      },
    );
  }

  #written(): void {
    if (this.#state === 'stale') this.#plan();
    else if (this.#endClosing) this.#end('kept');
    else this.#become('current');
  }

  #plan(): void {
    this.#become('due');
    this.#setTimer(this.#endClosing ? 0 : WRITE_DELAY_MS, () => this.#write());
  }

  #failed(trouble: Trouble, failure: Failure, retry: () => void): void {
    const { store, tell } = this.#options;
    if (!this.#troubles.has(trouble)) {
      this.#troubles.add(trouble);
      const { error, silence } = TROUBLE[trouble];
      if ('error' in failure) tell('error', { ...error, values: { store, reason: nameOf(failure.error) } });
      else tell('error', { ...silence, values: { store, seconds: failure.silentMs / 1000 } });
    }
    if (this.#endClosing) {
      this.#end('unkept');
    } else {
      this.#become(trouble === 'read' ? 'unread' : 'due');
      this.#setTimer(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures), retry);
      this.#failures += 1;
    }
  }

  #over(trouble: Trouble, words: Words): void {
    this.#failures = 0;
    if (this.#troubles.delete(trouble)) this.#options.tell('log', words);
  }

  #end(outcome: Outcome): void {
    this.#become('closed');
    this.#endLoading?.();
    this.#endClosing?.(outcome);
  }

  #become(state: State): void {
    this.#cancelTimer();
    this.#state = state;
  }

  #setTimer(delayMs: number, fire: () => void): void {
    this.#cancelTimer = this.#clock.setTimer(delayMs, fire);
  }

  /**
   * Calls the store. `answered` is called once: with its answer, with what it throws, or when it has been silent for so
   * long; `late` once with what comes after that. All further answers count for nothing.
   */
  #ask(
    limitMs: number,
    call: (callback: Callback) => void,
    answered: (answer: Answer) => void,
    late: (answer: Answer) => void,
  ): void {
    let next: ((answer: Answer) => void) | undefined = answered;
    const settle = (answer: Answer, after?: (answer: Answer) => void): void => {
      const current = next;
      next = after;
      current?.(answer);
    };
    this.#setTimer(limitMs, () => settle({ silentMs: limitMs }, late));
    try {
      call((error, value) => settle(error ? { error } : { value }));
    } catch (error) {
      settle({ error });
    }
  }
}

/** What kind of error it is. Its text is not for the log: that of a JSON parser, say, quotes what it has read. */
function nameOf(error: unknown): string {
  try {
    const { code, name } = Object(error) as Partial<Record<'code' | 'name', unknown>>;
    for (const each of [code, name]) if (typeof each === 'string' && /^\w{1,40}$/.test(each)) return each;
  } catch {
    // as an error that has no name
  }
  return 'Error';
}
