/**
 * What a config node is to the flow nodes that use it, for one of its lives: one shared session, opened for the first of
 * them and closed when the last is gone. What lasts longer than a life is the estate.
 */
import type { Node, NodeStatus } from 'node-red';
import {
  NotConnectedError,
  USMPError,
  type ConnectionStats,
  type Delivery,
  type MessageOrigin,
  type Outcome,
  type Protocol,
  type USMPConnection,
} from '../../../src/index.js';
import { Estate, type Life } from './estate.js';
import { explain, FlowError, reasonFor, type StoreError } from '../words/explain.js';
import type { Lives } from './lives.js';
import { statusOf, unusableStatus } from '../words/status.js';
import { say, type Translate } from '../words/text.js';
import { Users, type User } from './users.js';

/** `msg.usmp` */
export interface Origin {
  readonly deviceId: string;
  readonly sessionId: string | undefined;
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
}

export type GatewayUser = User<Origin | undefined>;

/** What becomes of a message while there is no session. */
export const OFFLINE = ['queue', 'drop', 'error'] as const;
export type Offline = (typeof OFFLINE)[number];

export interface GatewayOptions {
  readonly node: Node;
  readonly t: Translate;
  readonly lives: Lives<Estate>;
  /** What the last life of the node has left. */
  readonly inherited: Estate | undefined;
  /** The connection, which may be the inherited one; or what is wrong with the settings for one. */
  readonly connection: USMPConnection | USMPError;
  /** Connect for the first user, or only for the first message. */
  readonly autoConnect: boolean;
  /** The context store that keeps the outbox, blank for none; or why it cannot. */
  readonly store: string | StoreError;
  /** Whether the node is in the flows that are deployed, if not in those that run. */
  readonly isDeployed: () => boolean;
}

export class Gateway implements Life {
  readonly node: Node;
  readonly t: Translate;
  readonly #lives: Lives<Estate>;
  readonly #autoConnect: boolean;
  /** Where the settings are not usable, what an earlier life has left for a later one. */
  readonly #estate: Estate | undefined;
  readonly #settingsError: USMPError | undefined;
  readonly #storeError: StoreError | undefined;
  readonly #isDeployed: () => boolean;
  readonly #users = new Users<Origin | undefined>(() => this.#status());
  readonly #unwatch: () => void;
  #isOver = false;

  constructor(options: GatewayOptions) {
    const { node, t, lives, inherited, connection, autoConnect, store, isDeployed } = options;
    this.node = node;
    this.t = t;
    this.#lives = lives;
    this.#autoConnect = autoConnect;
    this.#isDeployed = isDeployed;
    if (connection instanceof USMPError) {
      this.#settingsError = connection;
      this.#estate = inherited;
      void inherited?.connection.stop();
    } else {
      this.#estate = inherited ?? new Estate(connection, this);
      if (this.#estate.connection !== connection) this.#estate.replace(connection);
    }
    this.#estate?.passTo(this);
    this.#storeError = typeof store === 'string' ? undefined : store;
    this.#estate?.keepIn(typeof store === 'string' ? store : '');
    this.#unwatch = lives.watch({ onDeploy: () => this.#hold(), onDeployed: () => this.#onDeployed() });
    if (lives.isDeploying) this.#hold();
    this.#look();
  }

  get isGone(): boolean {
    return !this.#isDeployed();
  }

  get origin(): Origin | undefined {
    const { state } = this.#connection ?? {};
    return this.#originOf(state?.at === 'established' ? state.sessionId : undefined);
  }

  get isConnected(): boolean {
    return this.#connection?.state.at === 'established';
  }

  /** @throws FlowError when the settings are not usable. */
  get stats(): ConnectionStats {
    return this.#usable().connection.stats;
  }

  /** Adds a user, which hears the status at once. @returns what takes it away again. */
  attach(user: GatewayUser): () => void {
    this.#users.add(user);
    this.#look();
    return () => {
      this.#users.remove(user);
      this.#look();
    };
  }

  /**
   * @returns how it left: `dropped` when there was no session and it was not to wait.
   * @throws FlowError that says why it was not delivered.
   */
  async send(message: Uint8Array, offline: Offline, delivery: Delivery): Promise<Outcome | 'dropped'> {
    const { connection } = this.#usable();
    this.#demand();
    if (!this.isConnected) {
      if (offline === 'drop') return 'dropped';
      if (offline === 'error') throw this.#notConnected();
    }
    return this.#worded(connection.send(message, delivery));
  }

  /** @returns the round-trip time in milliseconds. @throws FlowError */
  async ping(): Promise<number> {
    const { connection } = this.#usable();
    this.#demand();
    return this.#worded(connection.ping());
  }

  /** @throws FlowError */
  async rekey(): Promise<void> {
    await this.#worded(this.#usable().connection.rekey());
  }

  /** A flow asks for the session, now, and waits for it. @throws FlowError that says why there is none. */
  async connect(): Promise<void> {
    const estate = this.#usable();
    estate.wish = 'up';
    await estate.ready;
    // It may have asked for none meanwhile.
    if (this.#estate?.wish === 'down') throw this.#notConnected();
    await this.#worded(estate.connection.connect());
  }

  /** A flow asks for no session, until it asks for one. */
  async disconnect(): Promise<void> {
    const estate = this.#usable();
    estate.wish = 'down';
    await estate.connection.stop();
  }

  /** The config node goes. What it has is left for its next life when there may be one; otherwise it is wound up. */
  async close(isRemoved: boolean): Promise<void> {
    this.#isOver = true;
    this.#unwatch();
    this.#users.clear();
    const estate = this.#estate;
    if (!estate) return;
    estate.read(false);
    if (!isRemoved && this.#lives.isDeploying) this.#lives.park(this.node.id, estate);
    else await estate.windUp();
  }

  onState(): void {
    this.#users.showStatus();
  }

  onOutbox(): void {
    if (this.#isOver) return;
    this.#users.showStatusSoon();
    if (this.#users.size === 0) this.#look();
  }

  onEvent(): void {
    if (this.#isOver || this.#lives.isDeploying) return;
    for (const event of this.#estate?.takeEvents() ?? []) this.#users.tell(event, this.origin);
  }

  onMessage(message: Buffer, { sessionId }: MessageOrigin): void {
    this.#users.message(message, this.#originOf(sessionId));
  }

  get #connection(): USMPConnection | undefined {
    return this.#settingsError ? undefined : this.#estate?.connection;
  }

  #originOf(sessionId: string | undefined): Origin | undefined {
    if (!this.#connection) return undefined;
    const { deviceId, protocol, host, port } = this.#connection.client;
    return { deviceId, sessionId, protocol, host, port };
  }

  #demand(): void {
    this.#usable().wish ??= 'up';
    this.#look();
  }

  /** A deploy takes away nodes that messages are for, those behind `usmp in` too. */
  #hold(): void {
    this.#estate?.connection.hold();
  }

  #onDeployed(): void {
    this.onEvent();
    this.#look();
  }

  /** Whether there is to be a session: for its users, and for what is still to be delivered. */
  get #isWanted(): boolean {
    const connection = this.#connection;
    const wish = this.#estate?.wish;
    if (!connection || this.#isOver || wish === 'down') return false;
    const isUsed = this.#users.size > 0 && (this.#autoConnect || wish === 'up');
    return isUsed || connection.stats.queued > 0;
  }

  /** Does what follows from who is there, which is not known before a deploy is over. */
  #look(): void {
    const connection = this.#connection;
    if (!connection || this.#isOver || this.#lives.isDeploying) return;
    this.#estate?.read(this.#users.hasReaders);
    connection.release();
    if (this.#isWanted) {
      void this.#estate?.ready.then(() => {
        if (this.#isWanted) this.#connection?.start();
      });
    } else {
      void connection.stop();
    }
  }

  #usable(): Estate {
    if (this.#settingsError || !this.#estate) throw this.#notConnected();
    return this.#estate;
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
      new FlowError(this.t('error.notConnected', { reason }), 'USMP_NOT_CONNECTED', cause);
    const error = this.#settingsError;
    if (error) return because(this.#explain(error), error);
    if (this.#estate?.wish === 'down') return because(this.t('reason.USMP_STOPPED'));
    const state = this.#connection?.state ?? ({ at: 'idle' } as const);
    if (state.at === 'waiting') return because(this.#explain(state.reason), state.reason);
    return because(this.t(`status.${state.at}`));
  }

  #explain(error: USMPError): string {
    return explain(this.t, error, this.origin?.protocol);
  }

  #status(): NodeStatus {
    if (this.#settingsError) return unusableStatus(this.#settingsError, this.t);
    const { connection, nextTryAt } = this.#usable();
    const { queued, underWay } = connection.stats;
    const trouble = this.#storeError && say(this.t, reasonFor(this.#storeError));
    return statusOf({ state: connection.state, nextTryAt, waiting: queued - underWay, trouble }, this.t);
  }
}
