/**
 * The connection that stays up: one session to a gateway at a time, opened again whenever it ends, with backoff
 * (protocol §5, §6.1), and an outbox whose messages outlive sessions. It knows what it waits for and why, for people
 * to see.
 */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { checkChoice, toBytes } from '../check.js';
import type { CancelTimer } from '../clock.js';
import { ConnectionClosedError, isAuthFailure, NotConnectedError, USMPError } from '../errors.js';
import { viewOf } from '../wire/bytes.js';
import { fragment } from '../wire/fragments.js';
import { retryDelay } from './backoff.js';
import {
  checkConnectionOptions,
  type CheckedConnectionOptions,
  type ConnectionOptions,
} from './connection-options.js';
import { Courier } from './courier.js';
import { systemEnvironment, type ClientEnvironment } from './options.js';
import { DELIVERIES, Outbox, type Delivery, type KeptMessage, type OutboxLimits } from './outbox.js';
import { USMPClient } from './usmp-client.js';

export type ConnectionState =
  /** Not started, or stopped. */
  | { readonly at: 'idle' }
  | { readonly at: 'connecting' }
  /** From the open connection to the gateway's first authenticated frame, which shows that the session lives. */
  | { readonly at: 'handshaking' }
  | { readonly at: 'established'; readonly sessionId: string }
  /** Between attempts: why, and how long from the failure to the next one. */
  | { readonly at: 'waiting'; readonly reason: USMPError; readonly retryInMs: number }
  /** Saying BYE. */
  | { readonly at: 'closing' };

const NEXT: Readonly<Record<ConnectionState['at'], readonly ConnectionState['at'][]>> = {
  idle: ['connecting'],
  connecting: ['handshaking', 'waiting', 'closing'],
  handshaking: ['established', 'waiting', 'closing'],
  established: ['waiting', 'closing'],
  waiting: ['connecting', 'idle'],
  closing: ['idle'],
};

export interface ConnectionEvents {
  state: [state: ConnectionState, previous: ConnectionState];
  message: [message: Buffer];
  /** What waits in the outbox has changed. */
  outbox: [];
  /** A message was refused because the outbox is full; once until there is room again. */
  full: [error: USMPError];
}

export interface ConnectionStats {
  readonly state: ConnectionState['at'];
  /** Messages that are not delivered yet, and their bytes. */
  readonly queued: number;
  readonly queuedBytes: number;
  /** Of these, messages on their way in the session. */
  readonly underWay: number;
  readonly delivered: number;
  readonly dropped: number;
  readonly received: number;
  readonly sessions: number;
}

/** A session this old has proven itself, and the backoff begins anew (protocol §5.2). */
const STABLE_MS = 5_000;

/** How long `stop` waits for receipts of what is under way, before BYE. */
const DRAIN_MS = 300;

export class USMPConnection extends EventEmitter<ConnectionEvents> {
  readonly #options: CheckedConnectionOptions;
  readonly #client: USMPClient;
  readonly #environment: ClientEnvironment;
  readonly #outbox: Outbox;
  #state: ConnectionState = { at: 'idle' };
  #courier: Courier | undefined;
  /** Counts the attempts, so that a late failure is not taken for that of a newer one. */
  #attempt = 0;
  #failures = 0;
  #lastReason: USMPError | undefined;
  #establishedAt = 0;
  #cancelRetry: CancelTimer = () => undefined;
  #stopped: Promise<void> = Promise.resolve();
  #drained: (() => void) | undefined;
  #isFull = false;
  readonly #counts = { delivered: 0, dropped: 0, received: 0, sessions: 0 };

  /** @throws ArgumentError naming the option that is not usable. Nothing is sent before `start`. */
  constructor(options: ConnectionOptions, environment: ClientEnvironment = systemEnvironment) {
    super();
    this.#options = checkConnectionOptions(options);
    this.#client = new USMPClient(options, environment);
    this.#environment = environment;
    this.#outbox = new Outbox(this.#options.outbox, environment.clock, () => this.#outboxChanged());
    this.#client.on('message', (message) => {
      this.#counts.received += 1;
      this.emit('message', message);
    });
    this.#client.on('handshaking', () => {
      if (this.#state.at === 'connecting') this.#become({ at: 'handshaking' });
    });
    this.#client.on('close', (reason) => {
      this.#lastReason = reason;
      // Before that the attempt itself fails.
      if (this.#state.at === 'established') this.#ended(reason);
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get stats(): ConnectionStats {
    const { count: queued, bytes: queuedBytes, handed: underWay } = this.#outbox;
    return { state: this.#state.at, queued, queuedBytes, underWay, ...this.#counts };
  }

  get client(): Pick<USMPClient, 'host' | 'port' | 'protocol' | 'deviceId'> {
    return this.#client;
  }

  /** Connects, and keeps the session up from now on. Harmless when started already. */
  start(): void {
    if (this.#state.at !== 'idle') return;
    this.#failures = 0;
    this.#connect();
  }

  /** Ends the session with BYE and stays down, within a second. What is in the outbox waits for the next `start`. */
  stop(): Promise<void> {
    switch (this.#state.at) {
      case 'idle':
        return Promise.resolve();
      case 'waiting':
        this.#cancelRetry();
        this.#become({ at: 'idle' });
        return Promise.resolve();
      case 'closing':
        return this.#stopped;
      default:
        this.#become({ at: 'closing' });
        this.#stopped = this.#sayBye();
        return this.#stopped;
    }
  }

  /**
   * Stops for good. What is still in the outbox is given up, which whoever sent it is told.
   * @param outcome `kept` when it is kept elsewhere, and will be put back by `restore`.
   */
  async close(outcome?: 'kept'): Promise<void> {
    await this.stop();
    const text = 'not sent: the connection was closed before the gateway had taken the message';
    this.#outbox.close(outcome ?? new USMPError(text, { code: 'USMP_OUTBOX_CLOSED', fault: 'local' }));
  }

  /**
   * Accepts a message of at most 1,808 bytes; a string as UTF-8. It waits in the outbox while there is no session, and
   * is sent again when a session dies before it is known to have arrived: at least once, in the order of the calls.
   * @param delivery `confirmed` (default) resolves when the gateway has taken the message (protocol §3.6), `sent` when
   * it was handed to the transport (TCP) or acknowledged by UTACK (UDP).
   * @throws PayloadError when it is too long, USMPError when the outbox is full, the message too old, or the connection
   * closed for good.
   */
  async send(message: string | Uint8Array, delivery: Delivery = 'confirmed'): Promise<void> {
    const bytes = toBytes('message', message);
    checkChoice('delivery', delivery, DELIVERIES);
    fragment(bytes); // refuses a message that is too long before it is accepted
    const delivered = this.#outbox.add(bytes, delivery);
    this.#courier?.pump();
    try {
      await delivered;
      this.#counts.delivered += 1;
    } catch (error) {
      this.#counts.dropped += 1;
      if (error instanceof USMPError && error.code === 'USMP_OUTBOX_FULL' && !this.#isFull) {
        this.#isFull = true;
        this.emit('full', error);
      }
      throw error;
    }
  }

  get outboxLimits(): OutboxLimits {
    return this.#options.outbox;
  }

  /** What is in the outbox, for keeping it over a restart. */
  get undelivered(): KeptMessage[] {
    return this.#outbox.content;
  }

  /** Puts back what was kept over a restart, before all else that is not under way. */
  restore(kept: readonly KeptMessage[]): void {
    this.#outbox.restore(kept);
    this.#courier?.pump();
  }

  /** @returns the round-trip time in milliseconds. @throws NotConnectedError saying why there is no session. */
  async ping(): Promise<number> {
    return this.#running().pinger.ping();
  }

  /** Changes the session's keys as soon as nothing is under way. @throws as `ping`. */
  async rekey(): Promise<void> {
    await this.#running().rekey();
  }

  [inspect.custom](): string {
    return `USMPConnection ${this.#state.at} ${inspect(this.#client)}`;
  }

  #running(): Courier {
    if (this.#courier && this.#state.at === 'established') return this.#courier;
    throw new NotConnectedError(
      this.#state.at === 'waiting'
        ? `not connected: ${this.#state.reason.message}`
        : `not connected (${this.#state.at})`,
    );
  }

  #become(state: ConnectionState): void {
    const previous = this.#state;
    if (!NEXT[previous.at].includes(state.at)) throw new Error(`no way from ${previous.at} to ${state.at}`);
    this.#state = state;
    this.emit('state', state, previous);
  }

  #connect(): void {
    this.#become({ at: 'connecting' });
    const attempt = ++this.#attempt;
    this.#open().catch(async (error: unknown) => {
      const reason = await this.#reasonOf(error);
      if (attempt === this.#attempt) this.#ended(reason);
    });
  }

  async #open(): Promise<void> {
    await this.#client.disconnect(); // what is left of the last session, whose socket may linger
    await this.#client.connect();
    await this.#client.ping();
    const { sessionId } = this.#client;
    // It may have ended or been stopped meanwhile, which has been dealt with.
    if (sessionId === undefined || this.#state.at !== 'handshaking') return;
    this.#establishedAt = this.#environment.clock.now();
    this.#counts.sessions += 1;
    this.#courier = new Courier(this.#outbox, this.#client, this.#environment.clock, this.#options.rekey);
    this.#become({ at: 'established', sessionId });
  }

  /** A session that ended before the first PING is known to have ended, but not why, until its socket has closed. */
  async #reasonOf(error: unknown): Promise<unknown> {
    if (!(error instanceof NotConnectedError)) return error;
    await this.#client.disconnect();
    return this.#lastReason ?? error;
  }

  /** An attempt failed or the session ended. */
  #ended(error: unknown): void {
    this.#endCourier();
    const { at } = this.#state;
    if (at === 'idle' || at === 'closing') return;
    const reason = error instanceof USMPError ? error : new ConnectionClosedError('the session was closed');
    const { clock } = this.#environment;
    if (at === 'established' && clock.now() - this.#establishedAt >= STABLE_MS) this.#failures = 0;
    this.#failures += 1;
    const retryInMs = this.#retryDelay(reason);
    this.#cancelRetry = clock.setTimer(retryInMs, () => this.#connect());
    this.#become({ at: 'waiting', reason, retryInMs });
  }

  #endCourier(): void {
    this.#courier?.end();
    this.#courier = undefined;
    this.#drained?.();
  }

  async #sayBye(): Promise<void> {
    await this.#drain();
    await this.#client.disconnect();
    this.#endCourier();
    this.#become({ at: 'idle' });
  }

  /** Lets what is under way arrive, for a moment. */
  async #drain(): Promise<void> {
    if (!this.#courier || this.#outbox.count === 0) return;
    const drained = new Promise<void>((resolve) => (this.#drained = resolve));
    const cancel = this.#environment.clock.setTimer(DRAIN_MS, () => this.#drained?.());
    this.#courier.hurry();
    await drained;
    this.#drained = undefined;
    cancel();
  }

  #outboxChanged(): void {
    if (this.#outbox.count === 0) this.#drained?.();
    if (this.#outbox.count < this.#options.outbox.maxCount) this.#isFull = false;
    this.emit('outbox');
  }

  #retryDelay(reason: USMPError): number {
    // The gateway would refuse again at once, and lock this address out (protocol §5.1).
    const long = isAuthFailure(reason);
    const chance = viewOf(this.#environment.random(4)).getUint32(0, true) / 2 ** 32;
    return retryDelay(long ? Infinity : this.#failures, this.#options.backoff, chance);
  }
}
