/**
 * Keeps one session to a gateway up: opens it again whenever it ends, with backoff (protocol §5, §6.1). What is wanted
 * and what is are two things: a wish that comes during a transition is looked at when that is over.
 */
import type { CancelTimer } from '../clock.js';
import { CLOSE_MS } from '../endpoint/endpoint.js';
import { ConnectionClosedError, isAuthFailure, NotConnectedError, USMPError } from '../errors.js';
import { viewOf } from '../wire/bytes.js';
import { retryDelay, type Backoff } from './backoff.js';
import type { ClientEnvironment } from './options.js';
import { Patterns } from './patterns.js';
import type { USMPClient } from './usmp-client.js';

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

/** An attempt, with what comes of it. */
interface Attempt {
  /** Those in a row before it. */
  readonly failures: number;
}

/** A session whose handshake is done. */
interface Session {
  readonly id: string;
  readonly openedAt: number;
  /** Settles when it is over: with the reason, where it was not closed from here. */
  readonly over: Promise<USMPError | undefined>;
}

/** There is an attempt, or what came of it. */
type Running =
  | { readonly at: 'connecting' | 'handshaking'; readonly attempt: Attempt }
  /** No sealed frame of the gateway has come yet; the second half of what is shown as `handshaking`. */
  | { readonly at: 'unproven'; readonly attempt: Attempt; readonly session: Session }
  | { readonly at: 'established'; readonly attempt: Attempt; readonly session: Session };

type State =
  | { readonly at: 'idle' }
  | Running
  | {
      readonly at: 'waiting';
      readonly reason: USMPError;
      readonly retryInMs: number;
      readonly failures: number;
      readonly cancel: CancelTimer;
    }
  | { readonly at: 'closing'; readonly down: Promise<void> };

const NEXT: Readonly<Record<State['at'], readonly State['at'][]>> = {
  idle: ['connecting'],
  connecting: ['handshaking', 'waiting', 'closing'],
  handshaking: ['unproven', 'waiting', 'closing'],
  unproven: ['established', 'connecting', 'waiting', 'closing'],
  established: ['connecting', 'waiting', 'closing'],
  waiting: ['connecting', 'idle'],
  closing: ['idle'],
};

/** A session this old has proven itself, and the backoff begins anew (protocol §5.2). */
const STABLE_MS = 5_000;
export interface RedialOptions {
  readonly client: USMPClient;
  readonly backoff: Backoff;
  readonly environment: ClientEnvironment;
  readonly onState: (state: ConnectionState, previous: ConnectionState) => void;
  /** Lets what is under way arrive, for a moment, before BYE. */
  readonly drain: () => Promise<void>;
}

export class Redial {
  readonly #options: RedialOptions;
  readonly #patterns: Patterns;
  #wish: 'up' | 'down' = 'down';
  #state: State = { at: 'idle' };
  /** Those who wait for the outcome of the running attempt. */
  #waiting: { readonly resolve: () => void; readonly reject: (error: USMPError) => void }[] = [];
  /** Sessions so far. */
  #sessions = 0;

  constructor(options: RedialOptions) {
    this.#options = options;
    const { client, environment } = options;
    this.#patterns = new Patterns(client.deviceId);
    client.on('handshaking', () => {
      if (this.#state.at === 'connecting') this.#become({ ...this.#state, at: 'handshaking' });
    });
    client.on('established', (id) => {
      if (this.#state.at !== 'handshaking') return;
      const over = new Promise<USMPError | undefined>((resolve) => client.once('close', resolve));
      const session = { id, openedAt: environment.clock.now(), over };
      this.#become({ at: 'unproven', attempt: this.#state.attempt, session });
    });
    client.on('proven', () => {
      if (this.#state.at === 'unproven') this.#proven(this.#state);
    });
    client.on('close', (reason) => {
      // Before that the attempt itself fails.
      if (this.#state.at === 'established') this.#ended(this.#state, reason);
    });
  }

  get state(): ConnectionState {
    return shown(this.#state);
  }

  get sessions(): number {
    return this.#sessions;
  }

  /** The session is wanted from now on. */
  start(): void {
    this.#wish = 'up';
    this.#look();
  }

  /** The session is wanted now: an attempt is made at once. Settles with its outcome. */
  connect(): Promise<void> {
    const { client } = this.#options;
    this.#wish = 'up';
    if (this.#state.at === 'established') {
      // When its transport is closed, it has ended here, too.
      return client.connected ? Promise.resolve() : client.disconnect().then(() => this.#connectAgain());
    }
    const outcome = this.outcome();
    if (this.#state.at === 'waiting') {
      this.#state.cancel();
      this.#connect(this.#state.failures);
    } else {
      this.#look();
    }
    return outcome;
  }

  #connectAgain(): Promise<void> {
    return this.#wish === 'up' ? this.connect() : Promise.reject(onRequest());
  }

  /** No session is wanted. Resolves when it is down, which is within a second. */
  async stop(): Promise<void> {
    this.#wish = 'down';
    this.#settle(onRequest());
    this.#look();
    if (this.#state.at === 'closing') await this.#state.down;
  }

  /** Ends the session, which has nothing under way, and opens a new one at once. Settles with the outcome. */
  renew(): Promise<void> {
    if (this.#state.at !== 'established') return Promise.reject(onRequest());
    const outcome = this.outcome();
    this.#connect(this.#state.attempt.failures);
    return outcome;
  }

  /** Settles with the outcome of the running attempt, or of the next one. */
  outcome(): Promise<void> {
    if (this.#wish === 'down') return Promise.reject(onRequest());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Brings what is closer to what is wanted. */
  #look(): void {
    const state = this.#state;
    if (this.#wish === 'up') {
      if (state.at === 'idle') this.#connect(0);
      return;
    }
    switch (state.at) {
      case 'waiting':
        state.cancel();
        this.#become({ at: 'idle' });
        break;
      case 'connecting':
      case 'handshaking':
      case 'unproven':
      case 'established':
        this.#close();
        break;
      default:
    }
  }

  #close(): void {
    let isDown!: () => void;
    this.#become({ at: 'closing', down: new Promise((resolve) => (isDown = resolve)) });
    const { client, drain, environment } = this.#options;
    const { clock } = environment;
    const closeBy = clock.now() + CLOSE_MS;
    void drain()
      .then(() => client.disconnect(closeBy - clock.now()))
      .then(() => {
        this.#become({ at: 'idle' });
        isDown();
        this.#look();
      });
  }

  #become(state: State): void {
    const previous = this.#state;
    if (!NEXT[previous.at].includes(state.at)) throw new Error(`no way from ${previous.at} to ${state.at}`);
    this.#state = state;
    const [now, before] = [shown(state), shown(previous)];
    if (now.at !== before.at) this.#options.onState(now, before);
  }

  #settle(error?: USMPError): void {
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error) reject(error);
      else resolve();
    }
  }

  /** @param failures those in a row so far. */
  #connect(failures: number): void {
    const attempt: Attempt = { failures };
    this.#become({ at: 'connecting', attempt });
    this.#open(attempt).catch(async (error: unknown) => {
      const failed = this.#stateOf(attempt);
      // Once it is proven, the session tells of its end itself.
      if (!failed || failed.at === 'established') return;
      const reason = await this.#reasonOf(failed, error);
      const state = this.#stateOf(attempt);
      if (state) this.#ended(state, reason);
    });
  }

  /** @throws USMPError when the attempt came to nothing. */
  async #open(attempt: Attempt): Promise<void> {
    const { client } = this.#options;
    await client.disconnect(); // what is left of the last session, whose socket may linger
    if (!this.#stateOf(attempt)) return; // stopped meanwhile
    await client.connect();
    await client.ping(); // has the gateway send its first sealed frame, if it sends nothing by itself
  }

  #proven({ attempt, session }: Extract<Running, { at: 'unproven' }>): void {
    this.#sessions += 1;
    this.#settle();
    this.#become({ at: 'established', attempt, session });
  }

  /** A session that ended before the first PING is known to have ended, but not why, until its socket has closed. */
  async #reasonOf(failed: Running, error: unknown): Promise<unknown> {
    if (!(error instanceof NotConnectedError) || failed.at !== 'unproven') return error;
    await this.#options.client.disconnect();
    return (await failed.session.over) ?? error;
  }

  /** Where this attempt is; undefined when there is another one, or none. */
  #stateOf(attempt: Attempt): Running | undefined {
    const state = this.#state;
    return 'attempt' in state && state.attempt === attempt ? state : undefined;
  }

  /** An attempt failed or the session ended. */
  #ended(state: Running, error: unknown): void {
    const ended = error instanceof USMPError ? error : new ConnectionClosedError('the session was closed');
    if (ended.code === 'USMP_REKEY_UNANSWERED') {
      this.#connect(state.attempt.failures); // a new session is all that it takes
      return;
    }
    const { client, environment } = this.#options;
    const { clock } = environment;
    let { failures } = state.attempt;
    let reason = ended;
    if ('session' in state) {
      const ageMs = clock.now() - state.session.openedAt - silenceIn(ended);
      const isProven = state.at === 'established';
      reason = this.#patterns.ended({ error: ended, ageMs, isProven });
      if (isProven && ageMs >= STABLE_MS) failures = 0;
    }
    failures += 1;
    const retryInMs = this.#retryDelay(reason, failures);
    const cancel = clock.setTimer(retryInMs, () => this.#connect(failures));
    if (client.connected) void client.disconnect(); // it did not answer the PING that should prove it
    this.#settle(reason);
    this.#become({ at: 'waiting', reason, retryInMs, failures, cancel });
  }

  #retryDelay(reason: USMPError, failed: number): number {
    const { backoff, environment } = this.#options;
    // The gateway would refuse again at once, and lock this address out (protocol §5.1).
    const failures = isAuthFailure(reason) ? Infinity : failed;
    return retryDelay(failures, backoff, viewOf(environment.random(4)).getUint32(0, true) / 2 ** 32);
  }
}

const onRequest = (): NotConnectedError => new NotConnectedError('not connected: disconnected on request');

/** How long the session had been dead already when that was noticed, in milliseconds. */
const silenceIn = ({ values: { silentMs } }: USMPError): number =>
  typeof silentMs === 'number' ? silentMs : 0;

/** A state without what only this file needs of it. */
function shown(state: State): ConnectionState {
  switch (state.at) {
    case 'unproven':
      return { at: 'handshaking' };
    case 'established':
      return { at: state.at, sessionId: state.session.id };
    case 'waiting':
      return { at: state.at, reason: state.reason, retryInMs: state.retryInMs };
    default:
      return { at: state.at };
  }
}
