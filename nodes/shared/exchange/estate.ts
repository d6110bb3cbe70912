/**
 * What belongs to the id of a gateway's node and outlives the object: the connection with its session and outbox, the
 * keeper of the outbox, and what people were told of the session so far. Whichever life the node is in hears of it.
 */
import type { Node } from 'node-red';
import {
  type ConnectionState,
  type MessageOrigin,
  type USMPConnection,
  type USMPError,
} from '../../../src/index.js';
import { Outages, queueFull, type SessionEvent } from '../words/events.js';
import { explain } from '../words/explain.js';
import { Keeper, type Context } from './context-store.js';
import { say, type Translate, type Words } from '../words/text.js';

/** The life that the node is in. */
export interface Life {
  readonly node: Node;
  readonly t: Translate;
  /** The node is not in the flows any more: it has had its last life. */
  readonly isGone: boolean;
  onState(): void;
  onOutbox(): void;
  /** There are events to be told. */
  onEvent(): void;
  onMessage(message: Buffer, origin: MessageOrigin): void;
}

export class Estate {
  /** What the flows have asked for: a session, or none until they ask for one. */
  wish: 'up' | 'down' | undefined;
  #connection: USMPConnection;
  #life: Life;
  #keeper: { readonly store: string; readonly context: Context; readonly keeper: Keeper } | undefined;
  /** Settles when what an older connection had is here, and its session out of the way. */
  #takenOver: Promise<unknown> = Promise.resolve();
  readonly #outages = new Outages();
  /** Told to the flows when there are some: nodes that a deploy replaces hear nothing. */
  readonly #untold: SessionEvent[] = [];
  #nextTryAt: Date | undefined;
  /** The code of the reason that was logged last. */
  #loggedReason = '';
  #isRead = false;
  readonly #onMessage = (message: Buffer, origin: MessageOrigin): void =>
    this.#life.onMessage(message, origin);

  constructor(connection: USMPConnection, life: Life) {
    this.#connection = connection;
    this.#life = life;
    this.#listen();
  }

  get connection(): USMPConnection {
    return this.#connection;
  }

  /** Settles when the session may be opened. */
  get ready(): Promise<unknown> {
    return Promise.all([this.#takenOver, this.#keeper?.keeper.load()]);
  }

  get nextTryAt(): Date | undefined {
    return this.#nextTryAt;
  }

  get #t(): Translate {
    return this.#life.t;
  }

  get #node(): Node {
    return this.#life.node;
  }

  /** What has happened and was not told yet. */
  takeEvents(): SessionEvent[] {
    return this.#untold.splice(0);
  }

  /** Another life has begun, which hears of everything from now on. */
  passTo(life: Life): void {
    this.#life = life;
  }

  /** Another connection takes the place of this one, and takes its messages over. */
  replace(connection: USMPConnection): void {
    const old = this.#connection;
    old.removeAllListeners();
    this.#isRead = false;
    this.#connection = connection;
    this.#nextTryAt = undefined;
    this.#loggedReason = '';
    this.#outages.interrupt(performance.now());
    this.#listen();
    void old.stop();
    // The old one may be taking over itself.
    this.#takenOver = this.#takenOver.then(() => old.handOver(connection));
  }

  /** Keeps the outbox in this context store from now on; nowhere when it is blank. */
  keepIn(store: string): void {
    const old = this.#keeper;
    // A node that was moved to another flow has another context.
    if (old?.store === store && old.context === this.#node.context()) return;
    this.#keeper = undefined;
    if (old) void this.#empty(old.keeper);
    if (store === '') return;
    const context = this.#node.context() as Context;
    const keeper: Keeper = new Keeper({
      context,
      store,
      limits: this.#connection.outboxLimits,
      // What is kept elsewhere by now has no place here any more.
      content: () => (this.#keeper?.keeper === keeper ? this.#connection.undelivered : []),
      onKept: (kept) => this.#connection.restore(kept),
      tell: (level, words) => this.#log(level, words),
    });
    this.#keeper = { store, context, keeper };
    void keeper.load();
  }

  /** Somebody takes messages, or nobody does. */
  read(isRead: boolean): void {
    if (isRead === this.#isRead) return;
    this.#isRead = isRead;
    if (isRead) this.#connection.on('message', this.#onMessage);
    else this.#connection.off('message', this.#onMessage);
  }

  /** The end: BYE is said within a second; what is not delivered is kept or given up, which the log says. */
  async windUp(): Promise<void> {
    await Promise.all([this.#connection.stop(), this.#takenOver]);
    const { store, keeper } = this.#keeper ?? {};
    const { isGone } = this.#life;
    // Node-RED throws away what a node that is gone has kept.
    if (isGone) this.#keeper = undefined;
    const outcome = isGone ? await (keeper && this.#empty(keeper)) : await keeper?.close();
    const isKept = !isGone && outcome === 'kept';
    const { queued: count } = this.#connection.stats;
    await this.#connection.close(isKept ? 'kept' : undefined);
    if (count === 0) return;
    if (isKept && store !== undefined) this.#log('log', { key: 'log.kept', values: { count, store } });
    else this.#log('warn', { key: 'log.givenUp', values: { count } });
  }

  /** The process ends before a life has come for it: there is only time to say what is given up. */
  abandon(): void {
    const { queued: count } = this.#connection.stats;
    if (count > 0 && !this.#keeper) this.#log('warn', { key: 'log.givenUp', values: { count } });
  }

  #empty(keeper: Keeper): Promise<unknown> {
    keeper.changed();
    return keeper.close();
  }

  #listen(): void {
    const connection = this.#connection;
    connection.on('state', (state) => this.#onState(state));
    connection.on('full', (error) => this.#happened(queueFull(error, this.#t)));
    connection.on('outbox', () => {
      this.#keeper?.keeper.changed();
      this.#life.onOutbox();
    });
  }

  #onState(state: ConnectionState): void {
    this.#nextTryAt = state.at === 'waiting' ? new Date(Date.now() + state.retryInMs) : undefined;
    this.#life.onState();
    const event = this.#outages.next(state, performance.now(), this.#t);
    if (event) this.#happened(event);
    if (state.at === 'waiting') this.#logFailure(state.reason);
    if (state.at !== 'established') return;
    this.#loggedReason = '';
    this.#log('log', { key: 'log.connected', values: { gateway: this.#name } });
  }

  #happened(event: SessionEvent): void {
    this.#untold.push(event);
    this.#life.onEvent();
  }

  get #name(): string {
    return this.#connection.client.url;
  }

  /** Each reason once: a gateway that is away for a week must not fill the log. */
  #logFailure(error: USMPError): void {
    if (error.code === this.#loggedReason) return;
    this.#loggedReason = error.code;
    const reason = explain(this.#t, error, this.#connection.client.protocol);
    this.#log('warn', { key: 'log.disconnected', values: { gateway: this.#name, reason } });
  }

  #log(level: 'log' | 'warn' | 'error', words: Words): void {
    this.#node[level](say(this.#t, words));
  }
}
