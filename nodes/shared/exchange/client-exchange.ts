/**
 * What the config node `usmp-client` is to the flow nodes that use it, for one of its lives: one shared session, opened
 * for the first of them and closed when the last is gone. What lasts longer than a life is the estate.
 */
import type { Node, NodeStatus } from 'node-red';
import {
  NotConnectedError,
  USMPError,
  type MessageOrigin,
  type Outcome,
  type USMPConnection,
} from '../../../src/index.js';
import { Estate, type Life } from './estate.js';
import type { Action, Exchange, Origin, Pong, Sending } from './exchange.js';
import { explain, FlowError, reasonFor, type StoreError } from '../words/explain.js';
import type { Lives } from './lives.js';
import { statusOf, unusableStatus } from '../words/status.js';
import { say, type Translate } from '../words/text.js';
import { Users, type User } from './users.js';

interface ClientOrigin extends Origin {
  readonly host: string;
  readonly port: number;
}

interface Usable {
  readonly at: 'usable';
  readonly estate: Estate;
  /** Why the outbox is not kept over a restart, where it was to be. */
  readonly storeError: StoreError | undefined;
}

interface Unusable {
  readonly at: 'unusable';
  readonly settingsError: USMPError;
  /** What an earlier life has left for a later one. */
  readonly estate: Estate | undefined;
}

type State =
  | Usable
  | Unusable
  /** The config node is closed. Flow nodes that close after it still ask. */
  | { readonly at: 'over'; readonly was: Usable | Unusable };

export interface ClientExchangeOptions {
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

export class ClientExchange implements Exchange, Life {
  readonly node: Node;
  readonly t: Translate;
  readonly actions = new Map<string, Action>([
    ['connect', () => this.#connect()],
    ['disconnect', () => this.#disconnect()],
    ['rekey', () => this.#rekey()],
    ['stats', (msg) => void (msg.stats = this.#usable().connection.stats)],
  ]);
  readonly #lives: Lives<Estate>;
  readonly #autoConnect: boolean;
  readonly #isDeployed: () => boolean;
  readonly #users = new Users<ClientOrigin | undefined>(() => this.#status());
  readonly #unwatch: () => void;
  #state: State;

  constructor(options: ClientExchangeOptions) {
    const { node, t, lives, inherited, connection, autoConnect, store, isDeployed } = options;
    this.node = node;
    this.t = t;
    this.#lives = lives;
    this.#autoConnect = autoConnect;
    this.#isDeployed = isDeployed;
    if (connection instanceof USMPError) {
      this.#state = { at: 'unusable', settingsError: connection, estate: inherited };
      void inherited?.connection.stop();
    } else {
      const estate = inherited ?? new Estate(connection, this);
      this.#state = { at: 'usable', estate, storeError: typeof store === 'string' ? undefined : store };
      if (estate.connection !== connection) estate.replace(connection);
    }
    const { estate } = this.#state;
    estate?.passTo(this);
    estate?.keepIn(typeof store === 'string' ? store : '');
    this.#unwatch = lives.watch({ onDeploy: () => this.#hold(), onDeployed: () => this.#onDeployed() });
    if (lives.isDeploying) this.#hold();
    this.#look();
  }

  get isGone(): boolean {
    return !this.#isDeployed();
  }

  get isConnected(): boolean {
    return this.#connection?.state.at === 'established';
  }

  attach(user: User<ClientOrigin | undefined>): () => void {
    this.#users.add(user);
    this.#look();
    return () => {
      this.#users.remove(user);
      this.#look();
    };
  }

  async send(message: Uint8Array, { offline, delivery }: Sending): Promise<Outcome | 'dropped'> {
    const { connection } = this.#demand();
    if (!this.isConnected) {
      if (offline === 'drop') return 'dropped';
      if (offline === 'error') throw this.#notConnected();
    }
    return this.#worded(connection.send(message, delivery));
  }

  async ping(): Promise<Pong> {
    const rtt = await this.#worded(this.#demand().connection.ping());
    return { rtt, origin: this.#origin };
  }

  /** The config node goes. What it has is left for its next life when there may be one; otherwise it is wound up. */
  async close(isRemoved: boolean): Promise<void> {
    const was = this.#was;
    this.#state = { at: 'over', was };
    this.#unwatch();
    this.#users.clear();
    const { estate } = was;
    if (!estate) return;
    estate.read(false);
    if (!isRemoved && this.#lives.isDeploying) this.#lives.park(this.node.id, estate);
    else await estate.windUp();
  }

  onState(): void {
    this.#users.showStatus();
  }

  onOutbox(): void {
    if (this.#state.at === 'over') return;
    this.#users.showStatusSoon();
    if (this.#users.size === 0) this.#look();
  }

  onEvent(): void {
    if (this.#state.at === 'over' || this.#lives.isDeploying) return;
    for (const event of this.#state.estate?.takeEvents() ?? []) this.#users.tell(event, this.#origin);
  }

  onMessage(message: Buffer, { sessionId }: MessageOrigin): void {
    this.#users.message(message, this.#originOf(sessionId));
  }

  get #was(): Usable | Unusable {
    return this.#state.at === 'over' ? this.#state.was : this.#state;
  }

  get #connection(): USMPConnection | undefined {
    const was = this.#was;
    return was.at === 'usable' ? was.estate.connection : undefined;
  }

  get #origin(): ClientOrigin | undefined {
    const { state } = this.#connection ?? {};
    return this.#originOf(state?.at === 'established' ? state.sessionId : undefined);
  }

  #originOf(sessionId: string | undefined): ClientOrigin | undefined {
    if (!this.#connection) return undefined;
    const { deviceId, protocol, host, port } = this.#connection.client;
    return { deviceId, sessionId, protocol, host, port };
  }

  /** @throws FlowError when the settings are not usable. */
  #usable(): Estate {
    const was = this.#was;
    if (was.at === 'unusable') throw this.#notConnected();
    return was.estate;
  }

  /** A flow has something for the session. @throws FlowError when the settings are not usable. */
  #demand(): Estate {
    const estate = this.#usable();
    estate.wish ??= 'up';
    this.#look();
    return estate;
  }

  async #rekey(): Promise<void> {
    await this.#worded(this.#usable().connection.rekey());
  }

  /** A flow asks for the session, now, and waits for it. */
  async #connect(): Promise<void> {
    const estate = this.#usable();
    estate.wish = 'up';
    await estate.ready;
    // It may have asked for none meanwhile.
    if (this.#usable().wish === 'down') throw this.#notConnected();
    await this.#worded(estate.connection.connect());
  }

  /** A flow asks for no session, until it asks for one. */
  async #disconnect(): Promise<void> {
    const estate = this.#usable();
    estate.wish = 'down';
    await estate.connection.stop();
  }

  /** A deploy takes away nodes that messages are for, those behind `usmp in` too. */
  #hold(): void {
    this.#was.estate?.connection.hold();
  }

  #onDeployed(): void {
    this.onEvent();
    this.#look();
  }

  /** Whether there is to be a session: for its users, and for what is still to be delivered. */
  get #isWanted(): boolean {
    if (this.#state.at !== 'usable') return false;
    const { wish, connection } = this.#state.estate;
    if (wish === 'down') return false;
    const isUsed = this.#users.size > 0 && (this.#autoConnect || wish === 'up');
    return isUsed || connection.stats.queued > 0;
  }

  /** Does what follows from who is there, which is not known before a deploy is over. */
  #look(): void {
    if (this.#state.at !== 'usable' || this.#lives.isDeploying) return;
    const { estate } = this.#state;
    estate.read(this.#users.hasReaders);
    estate.connection.release();
    if (this.#isWanted) {
      void estate.ready.then(() => {
        if (this.#isWanted) estate.connection.start();
      });
    } else {
      void estate.connection.stop();
    }
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
    const was = this.#was;
    if (was.at === 'unusable') return because(this.#explain(was.settingsError), was.settingsError);
    const { wish, connection } = was.estate;
    if (wish === 'down') return because(this.t('reason.USMP_STOPPED'));
    const { state } = connection;
    if (state.at === 'waiting') return because(this.#explain(state.reason), state.reason);
    return because(this.t(`status.${state.at}`));
  }

  #explain(error: USMPError): string {
    return explain(this.t, error, this.#connection?.client.protocol);
  }

  #status(): NodeStatus {
    const was = this.#was;
    if (was.at === 'unusable') return unusableStatus(was.settingsError, this.t);
    const { estate, storeError } = was;
    const { state, stats } = estate.connection;
    const waiting = stats.queued - stats.underWay;
    const trouble = storeError && say(this.t, reasonFor(storeError));
    return statusOf({ state, nextTryAt: estate.nextTryAt, waiting, trouble }, this.t);
  }
}
