/**
 * What a config node is to the flow nodes that use it: one shared connection, opened for the first of them and closed
 * when the last is gone, however they come and go at a deploy.
 */
import type { Node, NodeStatus } from 'node-red';
import {
  NotConnectedError,
  USMPError,
  type ConnectionState,
  type ConnectionStats,
  type Delivery,
  type Protocol,
  type USMPConnection,
} from '../../src/index.js';
import { eventOf, queueFull, type SessionEvent } from './events.js';
import { explain, FlowError, reasonFor } from './explain.js';
import { Keeper } from './keeper.js';
import { statusOf } from './status.js';
import { say, type Translate } from './text.js';

/** What a flow node hears of. */
export interface User {
  onStatus(status: NodeStatus): void;
  onMessage?(message: Buffer): void;
  onEvent?(event: SessionEvent): void;
}

/** `msg.usmp` */
export interface Origin {
  readonly deviceId: string;
  readonly sessionId: string | undefined;
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
}

/** What becomes of a message while there is no session. */
export const OFFLINE = ['queue', 'drop', 'error'] as const;
export type Offline = (typeof OFFLINE)[number];

export interface GatewayOptions {
  readonly node: Node;
  readonly t: Translate;
  /** The connection, or what is wrong with the settings for one. */
  readonly connection: USMPConnection | USMPError;
  /** Connect for the first user, or only for the first message. */
  readonly autoConnect: boolean;
  /** The context store that keeps the outbox; blank for none. */
  readonly store: string;
}

/** A deploy takes the old nodes away before it makes the new ones; the session is kept over this gap. */
const GRACE_MS = 400;
/** How often the number of queued messages is shown at most. */
const STATUS_MS = 250;

export class Gateway {
  readonly #node: Node;
  readonly #t: Translate;
  readonly #connection: USMPConnection | USMPError;
  readonly #autoConnect: boolean;
  readonly #keeper: Keeper | undefined;
  readonly #users = new Set<User>();
  /** `loading`: the outbox of the last run is being read; `held`: a flow has asked to stay disconnected. */
  #wish: 'loading' | 'ready' | 'held' = 'ready';
  #startWhenLoaded = false;
  #stopTimer: NodeJS.Timeout | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  #shown: string | undefined;
  #lastReason = '';
  #hadSession = false;

  constructor({ node, t, connection, autoConnect, store }: GatewayOptions) {
    this.#node = node;
    this.#t = t;
    this.#connection = connection;
    this.#autoConnect = autoConnect;
    if (connection instanceof USMPError) return;
    if (store !== '') {
      const keeper = new Keeper({
        context: node.context(),
        store,
        limits: connection.outboxLimits,
        content: () => connection.undelivered,
        onKept: (kept) => connection.restore(kept),
        tell: (level, words) => node[level](say(t, words)),
      });
      this.#keeper = keeper;
      this.#wish = 'loading';
      connection.on('outbox', () => keeper.changed());
      void keeper.load().then(() => {
        if (this.#wish === 'loading') this.#wish = 'ready';
        if (this.#startWhenLoaded) this.#start();
      });
    }
    connection.on('state', (state) => this.#onState(state));
    connection.on('outbox', () => this.#showStatusSoon());
    connection.on('full', (error) => this.#tell(queueFull(error, this.#t)));
    connection.on('message', (message) => {
      for (const user of this.#users) user.onMessage?.(message);
    });
  }

  get origin(): Origin | undefined {
    if (this.#connection instanceof USMPError) return undefined;
    const { client, state } = this.#connection;
    const sessionId = state.at === 'established' ? state.sessionId : undefined;
    const { deviceId, protocol, host, port } = client;
    return { deviceId, sessionId, protocol, host, port };
  }

  get isConnected(): boolean {
    return !(this.#connection instanceof USMPError) && this.#connection.state.at === 'established';
  }

  /** @throws FlowError when the settings are not usable. */
  get stats(): ConnectionStats {
    return this.#usable().stats;
  }

  /** Adds a user, which hears the status at once. @returns what takes it away again. */
  attach(user: User): () => void {
    clearTimeout(this.#stopTimer);
    this.#users.add(user);
    user.onStatus(this.#status());
    if (this.#autoConnect) this.#start();
    return () => {
      if (!this.#users.delete(user) || this.#users.size > 0) return;
      this.#stopTimer = setTimeout(() => void this.#stop(), GRACE_MS);
    };
  }

  /** @throws FlowError that says why it was not delivered. */
  async send(message: Uint8Array, offline: Offline, delivery: Delivery): Promise<void> {
    const connection = this.#usable();
    this.#start(); // on demand
    if (!this.isConnected) {
      if (offline === 'drop') return;
      if (offline === 'error') throw this.#notConnected();
    }
    await this.#worded(connection.send(message, delivery));
  }

  /** @returns the round-trip time in milliseconds. @throws FlowError */
  async ping(): Promise<number> {
    this.#start();
    return this.#worded(this.#usable().ping());
  }

  /** @throws FlowError */
  async rekey(): Promise<void> {
    await this.#worded(this.#usable().rekey());
  }

  /** A flow asks for the session, after it had asked for none. */
  connect(): void {
    this.#usable();
    if (this.#wish === 'held') this.#wish = 'ready';
    this.#start();
  }

  /** A flow asks for no session, until it asks for one. */
  async disconnect(): Promise<void> {
    this.#usable();
    this.#wish = 'held';
    await this.#stop();
  }

  /** The config node goes: BYE is sent within a second, and what is not delivered is kept or given up. */
  async close(): Promise<void> {
    clearTimeout(this.#stopTimer);
    clearTimeout(this.#statusTimer);
    this.#users.clear();
    this.#wish = 'held';
    if (this.#connection instanceof USMPError) return;
    await this.#stop();
    const outcome = await this.#keeper?.close();
    await this.#connection.close(outcome === 'kept' ? 'kept' : undefined);
  }

  async #stop(): Promise<void> {
    this.#startWhenLoaded = false;
    if (!(this.#connection instanceof USMPError)) await this.#connection.stop();
  }

  #start(): void {
    this.#startWhenLoaded = true;
    if (this.#wish === 'ready' && !(this.#connection instanceof USMPError)) this.#connection.start();
  }

  #usable(): USMPConnection {
    if (this.#connection instanceof USMPError) throw this.#notConnected();
    return this.#connection;
  }

  /** Whatever the engine has against it, in words. */
  async #worded<T>(outcome: Promise<T>): Promise<T> {
    try {
      return await outcome;
    } catch (error) {
      if (error instanceof NotConnectedError && !this.isConnected) throw this.#notConnected();
      if (error instanceof USMPError) throw new FlowError(this.#explain(error), error.code, error);
      throw error;
    }
  }

  #notConnected(): FlowError {
    const because = (reason: string, cause?: USMPError): FlowError =>
      new FlowError(this.#t('error.notConnected', { reason }), 'USMP_NOT_CONNECTED', cause);
    if (this.#connection instanceof USMPError) {
      return because(this.#explain(this.#connection), this.#connection);
    }
    const { state } = this.#connection;
    if (state.at === 'waiting') return because(this.#explain(state.reason), state.reason);
    return because(this.#t(`status.${state.at}`));
  }

  #explain(error: USMPError): string {
    return explain(this.#t, error, this.origin?.protocol);
  }

  #status(): NodeStatus {
    if (this.#connection instanceof USMPError) {
      return {
        fill: 'red',
        shape: 'ring',
        text: say(this.#t, reasonFor(this.#connection)),
      };
    }
    return statusOf(this.#connection.state, this.#connection.stats.queued, this.#t);
  }

  #showStatus(): void {
    clearTimeout(this.#statusTimer);
    this.#statusTimer = undefined;
    const status = this.#status();
    if (status.text === this.#shown) return;
    this.#shown = status.text;
    for (const user of this.#users) user.onStatus(status);
  }

  /** The outbox changes with every message; people need to see it only now and then. */
  #showStatusSoon(): void {
    this.#statusTimer ??= setTimeout(() => this.#showStatus(), STATUS_MS);
  }

  #tell(event: SessionEvent): void {
    for (const user of this.#users) user.onEvent?.(event);
  }

  #onState(state: ConnectionState): void {
    this.#showStatus();
    const event = eventOf(state, this.#hadSession, this.#t);
    if (event) this.#tell(event);
    if (state.at === 'waiting') this.#logFailure(state.reason);
    if (state.at !== 'established') return;
    this.#hadSession = true;
    this.#lastReason = '';
    this.#node.log(this.#t('log.connected', { gateway: this.#name }));
  }

  get #name(): string {
    const { protocol, host, port } = this.origin ?? { protocol: '', host: '', port: 0 };
    return `${protocol}://${host}:${port}`;
  }

  /** Each reason once: a gateway that is away for a week must not fill the log. */
  #logFailure(error: USMPError): void {
    if (error.code === this.#lastReason) return;
    this.#lastReason = error.code;
    this.#node.warn(this.#t('log.disconnected', { gateway: this.#name, reason: this.#explain(error) }));
  }
}
