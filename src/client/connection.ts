/**
 * The connection that stays up: one session to a gateway at a time, opened again whenever it ends, with backoff
 * (protocol §5, §6.1). It knows what it waits for and why, for people to see.
 */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { checkInteger, checkSeconds } from '../check.js';
import type { CancelTimer } from '../clock.js';
import { AuthError, ConnectionClosedError, NotConnectedError, USMPError } from '../errors.js';
import { viewOf } from '../wire/bytes.js';
import { retryDelay, type Backoff } from './backoff.js';
import { systemEnvironment, type ClientEnvironment, type ClientOptions } from './options.js';
import { USMPClient } from './usmp-client.js';

export interface ConnectionOptions extends ClientOptions {
  /** Seconds before the first retry; default 2. */
  retryMin?: number | undefined;
  /** Seconds between retries at most; default 60. */
  retryMax?: number | undefined;
  /** Percent by which the delays vary either way; default 20. */
  retryJitter?: number | undefined;
}

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
}

/** A session this old has proven itself, and the backoff begins anew (protocol §5.2). */
const STABLE_MS = 5_000;

/** With these the gateway would refuse again at once, and lock this address out (protocol §5.1). */
const WAIT_LONG = new Set(['USMP_PSK_REJECTED']);

export class USMPConnection extends EventEmitter<ConnectionEvents> {
  readonly #client: USMPClient;
  readonly #environment: ClientEnvironment;
  readonly #backoff: Backoff;
  #state: ConnectionState = { at: 'idle' };
  #failures = 0;
  #establishedAt = 0;
  #cancelRetry: CancelTimer = () => undefined;
  #stopped: Promise<void> = Promise.resolve();

  /** @throws ArgumentError naming the option that is not usable. Nothing is sent before `start`. */
  constructor(options: ConnectionOptions, environment: ClientEnvironment = systemEnvironment) {
    super();
    this.#client = new USMPClient(options, environment);
    this.#environment = environment;
    const firstMs = checkSeconds('retryMin', options.retryMin ?? 2);
    this.#backoff = {
      firstMs,
      maxMs: Math.max(firstMs, checkSeconds('retryMax', options.retryMax ?? 60)),
      jitter: checkInteger('retryJitter', options.retryJitter ?? 20, 0, 100) / 100,
    };
    this.#client.on('message', (message) => this.emit('message', message));
    this.#client.on('handshaking', () => {
      if (this.#state.at === 'connecting') this.#become({ at: 'handshaking' });
    });
    this.#client.on('close', (reason) => this.#ended(reason));
  }

  get state(): ConnectionState {
    return this.#state;
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

  /** Ends the session with BYE and stays down; within a second. */
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
        this.#stopped = this.#client.disconnect().then(() => this.#become({ at: 'idle' }));
        return this.#stopped;
    }
  }

  /**
   * Sends one message on the session there is.
   * @throws NotConnectedError saying why there is none, or what ended the session before the message left.
   */
  async send(message: string | Uint8Array): Promise<void> {
    this.#requireSession();
    await this.#client.send(message);
  }

  /** @returns the round-trip time in milliseconds. @throws as `send`. */
  async ping(): Promise<number> {
    this.#requireSession();
    return this.#client.ping();
  }

  /** Changes the session's keys. @throws as `send`. */
  async rekey(): Promise<void> {
    this.#requireSession();
    await this.#client.rekey();
  }

  [inspect.custom](): string {
    return `USMPConnection ${this.#state.at} ${inspect(this.#client)}`;
  }

  #requireSession(): void {
    switch (this.#state.at) {
      case 'established':
        return;
      case 'waiting':
        throw new NotConnectedError(`not connected: ${this.#state.reason.message}`);
      default:
        throw new NotConnectedError(`not connected (${this.#state.at})`);
    }
  }

  #become(state: ConnectionState): void {
    const previous = this.#state;
    if (!NEXT[previous.at].includes(state.at)) throw new Error(`no way from ${previous.at} to ${state.at}`);
    this.#state = state;
    this.emit('state', state, previous);
  }

  #connect(): void {
    this.#become({ at: 'connecting' });
    this.#open().catch((error: unknown) => this.#ended(error));
  }

  async #open(): Promise<void> {
    await this.#client.connect();
    await this.#client.ping();
    const { sessionId } = this.#client;
    // It may have ended or been stopped meanwhile, which has been dealt with.
    if (sessionId === undefined || this.#state.at !== 'handshaking') return;
    this.#establishedAt = this.#environment.clock.now();
    this.#become({ at: 'established', sessionId });
  }

  /** An attempt failed or a session ended; both are told once, by whichever comes first. */
  #ended(error: unknown): void {
    const { at } = this.#state;
    if (at === 'idle' || at === 'waiting' || at === 'closing') return;
    const reason = error instanceof USMPError ? error : new ConnectionClosedError('the session was closed');
    const { clock } = this.#environment;
    if (at === 'established' && clock.now() - this.#establishedAt >= STABLE_MS) this.#failures = 0;
    this.#failures += 1;
    const retryInMs = this.#retryDelay(reason);
    this.#cancelRetry = clock.setTimer(retryInMs, () => this.#connect());
    this.#become({ at: 'waiting', reason, retryInMs });
  }

  #retryDelay(reason: USMPError): number {
    const long = reason instanceof AuthError || WAIT_LONG.has(reason.code);
    const chance = viewOf(this.#environment.random(4)).getUint32(0, true) / 2 ** 32;
    return retryDelay(long ? Infinity : this.#failures, this.#backoff, chance);
  }
}
