/**
 * What a config node is to the flow nodes that use it: one shared connection, opened for the first of them and closed
 * when the last is gone, however they come and go at a deploy.
 */
import type { Node, NodeStatus } from 'node-red';
import { NotConnectedError, USMPError, type ConnectionState, type USMPConnection } from '../../src/index.js';
import { statusOf } from './status.js';
import { reasonText, type Translate } from './text.js';

/** What a flow node hears of. */
export interface User {
  onStatus(status: NodeStatus): void;
  onMessage?(message: Buffer): void;
}

/** `msg.usmp` */
export interface Origin {
  readonly deviceId: string;
  readonly sessionId: string | undefined;
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

/** A deploy takes the old nodes away before it makes the new ones; the session is kept over this gap. */
const GRACE_MS = 400;

export class Gateway {
  readonly #node: Node;
  readonly #t: Translate;
  readonly #connection: USMPConnection | USMPError;
  readonly #autoConnect: boolean;
  readonly #users = new Set<User>();
  #stopTimer: NodeJS.Timeout | undefined;
  #lastReason = '';

  /** @param connection the connection, or what is wrong with the settings for one. */
  constructor(node: Node, t: Translate, connection: USMPConnection | USMPError, autoConnect: boolean) {
    this.#node = node;
    this.#t = t;
    this.#connection = connection;
    this.#autoConnect = autoConnect;
    if (connection instanceof USMPError) return;
    connection.on('state', (state) => this.#onState(state));
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

  /** Adds a user, which hears the status at once. @returns what takes it away again. */
  attach(user: User): () => void {
    clearTimeout(this.#stopTimer);
    this.#users.add(user);
    user.onStatus(this.#status());
    if (this.#autoConnect) this.#start();
    return () => {
      if (!this.#users.delete(user) || this.#users.size > 0) return;
      this.#stopTimer = setTimeout(() => void this.close(), GRACE_MS);
    };
  }

  async send(message: Uint8Array): Promise<void> {
    await this.#usable().send(message);
  }

  ping(): Promise<number> {
    return this.#usable().ping();
  }

  /** Ends the session with BYE, within a second. */
  async close(): Promise<void> {
    clearTimeout(this.#stopTimer);
    if (!(this.#connection instanceof USMPError)) await this.#connection.stop();
  }

  #start(): void {
    if (!(this.#connection instanceof USMPError)) this.#connection.start();
  }

  #usable(): USMPConnection {
    if (this.#connection instanceof USMPError) {
      throw new NotConnectedError(this.#t('error.notConnected', { reason: this.#connection.message }));
    }
    this.#connection.start(); // on demand
    return this.#connection;
  }

  #status(): NodeStatus {
    if (this.#connection instanceof USMPError) {
      return {
        fill: 'red',
        shape: 'ring',
        text: this.#t('status.misconfigured', { reason: this.#connection.message }),
      };
    }
    return statusOf(this.#connection.state, this.#t);
  }

  #onState(state: ConnectionState): void {
    const status = this.#status();
    for (const user of this.#users) user.onStatus(status);
    this.#log(state);
  }

  /** Each change once: a gateway that is away for a week must not fill the log. */
  #log(state: ConnectionState): void {
    if (this.#connection instanceof USMPError) return;
    const { protocol, host, port } = this.#connection.client;
    const gateway = `${protocol}://${host}:${port}`;
    if (state.at === 'established') {
      this.#node.log(this.#t('log.connected', { gateway }));
      this.#lastReason = '';
    } else if (state.at === 'waiting' && state.reason.code !== this.#lastReason) {
      this.#lastReason = state.reason.code;
      const reason = `${reasonText(this.#t, state.reason)} – ${state.reason.message}`;
      this.#node.warn(this.#t('log.disconnected', { gateway, reason }));
    }
  }
}
