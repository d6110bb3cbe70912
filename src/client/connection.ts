/**
 * The connection that stays up: one session to a gateway at a time, opened again whenever it ends (`Redial`), and a
 * mailbox whose messages outlive sessions and are carried over whichever there is. It knows what it waits for and why,
 * for people to see.
 */
import { EventEmitter } from 'node:events';
import { inspect, isDeepStrictEqual } from 'node:util';
import { NotConnectedError, USMPError } from '../errors.js';
import { guarded } from '../endpoint/guarded.js';
import { patient } from '../endpoint/patience.js';
import {
  checkConnectionOptions,
  type CheckedConnectionOptions,
  type ConnectionOptions,
} from './connection-options.js';
import type { Carrier } from '../delivery/courier.js';
import { Holder } from '../delivery/holder.js';
import { Mailbox, type MailboxStats, type SendOptions } from '../delivery/mailbox.js';
import { systemEnvironment, type ClientEnvironment } from './options.js';
import { type Delivery, type KeptMessage, type Outcome, type OutboxLimits } from '../delivery/outbox.js';
import { GATEWAY_POLICY } from '../delivery/policy.js';
import { Redial, type ConnectionState } from './redial.js';
import { USMPClient } from './usmp-client.js';

/** The session that a message came over. */
export interface MessageOrigin {
  readonly sessionId: string;
}

export interface ConnectionEvents {
  state: [state: ConnectionState, previous: ConnectionState];
  message: [message: Buffer, origin: MessageOrigin];
  /** What waits in the outbox has changed. */
  outbox: [];
  /** A message was refused because the outbox is full; once until there is room again. */
  full: [error: USMPError];
}

export interface ConnectionStats extends MailboxStats {
  readonly state: ConnectionState['at'];
  readonly received: number;
  /** Of these, messages that nobody took. */
  readonly unclaimed: number;
  readonly sessions: number;
}

/** How long `stop` waits for receipts of what is under way, before BYE. */
const DRAIN_MS = 250;

/** What becomes of a message that is handed in. */
type State =
  | { readonly at: 'open' }
  /** One was refused as there is no room for more, which was told. */
  | { readonly at: 'full' }
  /** For good; done when the session is over and what waited has its outcome. */
  | { readonly at: 'closed'; readonly done: Promise<void> };

interface Incoming {
  readonly message: Buffer;
  readonly origin: MessageOrigin;
}

export class USMPConnection extends EventEmitter<ConnectionEvents> {
  readonly #options: CheckedConnectionOptions;
  readonly #client: USMPClient;
  readonly #mailbox: Mailbox;
  readonly #redial: Redial;
  readonly #holder: Holder<Incoming>;
  #state: State = { at: 'open' };

  /** @throws ArgumentError naming the option that is not usable. Nothing is sent before `start`. */
  constructor(options: ConnectionOptions, environment: ClientEnvironment = systemEnvironment) {
    super();
    this.#options = checkConnectionOptions(options);
    const client = (this.#client = new USMPClient(options, environment));
    const { outbox: limits, rekey } = this.#options;
    const { clock } = environment;
    this.#mailbox = new Mailbox({ limits, rekey, clock, policy: GATEWAY_POLICY, other: 'gateway' }, () =>
      this.#outboxChanged(),
    );
    this.#holder = new Holder({
      give: ({ message, origin }) => guarded(() => this.emit('message', message, origin)) ?? true,
      onRoom: (room) => (room ? client.resume() : client.pause()),
    });
    this.#redial = new Redial({
      client,
      backoff: this.#options.backoff,
      environment,
      onState: (state, previous) => this.#onState(state, previous),
      drain: () => this.#mailbox.drain(DRAIN_MS, patient(clock)),
    });
    client.on('message', (message) => {
      this.#holder.put({ message, origin: { sessionId: client.messageSessionId } });
    });
    client.on('rekeyed', (by) => {
      if (by === 'peer' && client.losesAtRekey) this.#mailbox.keysChanged();
    });
  }

  get state(): ConnectionState {
    return this.#redial.state;
  }

  get stats(): ConnectionStats {
    const { received, unclaimed } = this.#holder;
    const { state, sessions } = this.#redial;
    return { state: state.at, ...this.#mailbox.stats, received, unclaimed, sessions };
  }

  get client(): Pick<USMPClient, 'url' | 'host' | 'port' | 'protocol' | 'deviceId'> {
    return this.#client;
  }

  /**
   * Connects, and keeps the session up from now on. Harmless when started already.
   * @throws NotConnectedError when it was closed for good.
   */
  start(): void {
    this.#checkOpen();
    this.#redial.start();
  }

  /**
   * As `start`, but makes an attempt at once, however long the next one was away, and settles with its outcome.
   * @throws NotConnectedError when it is stopped meanwhile or was closed for good; otherwise as `USMPClient.connect`.
   */
  async connect(): Promise<void> {
    this.#checkOpen();
    await this.#redial.connect();
  }

  /** Ends the session with BYE and stays down, within a second. What is in the outbox waits for the next `start`. */
  stop(): Promise<void> {
    return this.#redial.stop();
  }

  /**
   * Stops for good. What is still in the outbox is given up, which whoever sent it is told.
   * @param outcome `kept` when it is kept elsewhere, and will be put back by `restore`.
   */
  close(outcome?: 'kept'): Promise<void> {
    return this.#end(() => this.#mailbox.close(outcome));
  }

  /**
   * Stops for good, and leaves to another connection what is not delivered, with those who wait for it, and what has
   * arrived and was not taken. Nobody but the heir tells of it. To one that is closed itself nothing can be left: then
   * this is `close`.
   */
  handOver(heir: USMPConnection): Promise<void> {
    return this.#end(() => {
      this.#mailbox.handOver(heir.#mailbox);
      if (heir.#state.at !== 'closed') this.#holder.handOver(heir.#holder);
    });
  }

  /** Whether a connection with these options would be the same as this one. */
  isAlike(options: ConnectionOptions): boolean {
    return this.#client.isAlike(options) && isDeepStrictEqual(checkConnectionOptions(options), this.#options);
  }

  /**
   * Accepts a message of at most 1,808 bytes; a string as UTF-8. It waits in the outbox while there is no session, and
   * is sent again when a session dies before it is known to have arrived: at least once, in the order of the calls.
   * @param options as of `USMPServer.send`, or its `delivery` alone: `confirmed` (default) when the gateway has taken the
   * message (protocol §3.6), `sent` when it was handed to the transport (TCP) or acknowledged by UTACK (UDP). Of
   * messages of the same `key` the latest wins. `maxAge`: seconds that it may wait, where that is less than `outboxAge`.
   * @returns `delivered`, `replaced` by a newer message of its key, or `kept` when the connection was closed and the
   * message is kept elsewhere.
   * @throws ArgumentError naming what is unusable, PayloadError when it is too long, USMPError when the outbox is full
   * (`USMP_OUTBOX_FULL`), the message too old (`USMP_EXPIRED`), or the connection closed for good.
   */
  async send(message: string | Uint8Array, options: Delivery | SendOptions = {}): Promise<Outcome> {
    try {
      return await this.#mailbox.send(message, typeof options === 'string' ? { delivery: options } : options);
    } catch (error) {
      if (error instanceof USMPError && error.code === 'USMP_OUTBOX_FULL' && this.#state.at === 'open') {
        this.#state = { at: 'full' };
        guarded(() => this.emit('full', error));
      }
      throw error;
    }
  }

  /** Messages wait from now on, here and then at the gateway, until `release`. */
  hold(): void {
    this.#holder.hold();
  }

  /** Hands out the messages that wait; those that nobody listens for count as unclaimed. */
  release(): void {
    this.#holder.release();
  }

  get outboxLimits(): OutboxLimits {
    return this.#options.outbox;
  }

  /** What is in the outbox, for keeping it over a restart. */
  get undelivered(): KeptMessage[] {
    return this.#mailbox.content;
  }

  /**
   * Puts back what was kept over a restart, before all that is not under way.
   * @throws ArgumentError naming `kept` when it is not what `undelivered` gives, PayloadError for a message that is too
   * long, NotConnectedError when the connection was closed for good.
   */
  restore(kept: readonly KeptMessage[]): void {
    this.#mailbox.restore(kept);
  }

  /** @returns the round-trip time in milliseconds. @throws NotConnectedError saying why there is no session. */
  async ping(): Promise<number> {
    this.#checkRunning();
    return this.#client.ping();
  }

  /**
   * Changes the session's keys as soon as nothing is under way. Over UDP, after more than 63 frames, a new session is
   * opened for that (protocol §3.9). Settles when the new keys are in use. @throws as `ping` and `connect`.
   */
  async rekey(): Promise<void> {
    this.#checkRunning();
    await this.#mailbox.rekey();
  }

  [inspect.custom](): string {
    return `USMPConnection ${this.state.at} ${inspect(this.#client)}`;
  }

  #checkOpen(): void {
    if (this.#state.at === 'closed') throw closedForGood();
  }

  #checkRunning(): void {
    this.#checkOpen();
    const { state } = this;
    if (state.at === 'established') return;
    throw new NotConnectedError(
      state.at === 'waiting' ? `not connected: ${state.reason.message}` : `not connected (${state.at})`,
    );
  }

  #end(settle: () => void): Promise<void> {
    this.#mailbox.shut(closedForGood);
    if (this.#state.at === 'closed') return this.#state.done;
    let isDone!: () => void;
    const done = new Promise<void>((resolve) => (isDone = resolve));
    this.#state = { at: 'closed', done };
    void this.stop().then(settle).then(isDone);
    return done;
  }

  #onState(state: ConnectionState, previous: ConnectionState): void {
    if (state.at === 'established') this.#mailbox.attach(this.#carrier);
    else if (state.at !== 'closing') this.#mailbox.detach();
    guarded(() => this.emit('state', state, previous));
  }

  get #carrier(): Carrier {
    const client = this.#client;
    return {
      send: (message) => client.send(message),
      ping: () => client.ping(),
      withdraw: () => client.withdraw(),
      changeKeys: () => this.#changeKeys(),
    };
  }

  async #changeKeys(): Promise<void> {
    try {
      await this.#client.rekey();
      await this.#client.ping(); // its PONG is the first frame under the new keys
    } catch (error) {
      const code = error instanceof USMPError ? error.code : undefined;
      if (code === 'USMP_REKEY_TOO_LATE') await this.#redial.renew();
      // The gateway did not take to them, and a new session is on its way.
      else if (code === 'USMP_REKEY_UNANSWERED') await this.#redial.outcome();
      else throw error;
    }
  }

  #outboxChanged(): void {
    const hasRoom = this.#mailbox.count < this.#options.outbox.maxCount;
    if (hasRoom && this.#state.at === 'full') this.#state = { at: 'open' };
    guarded(() => this.emit('outbox'));
  }
}

const closedForGood = (): NotConnectedError =>
  new NotConnectedError('not connected: this connection was closed for good');
