/**
 * Keeps one session to a gateway up: opens it again whenever it ends, with backoff (protocol §5, §6.1). What is wanted
 * and what is are two things: a wish that comes during a transition is looked at when that is over.
 */
import type { CancelTimer } from '../clock.js';
import { CLOSE_MS } from '../endpoint/endpoint.js';
import { ConnectionClosedError, isAuthFailure, NotConnectedError, USMPError } from '../errors.js';
import { viewOf } from '../wire/bytes.js';
import { retryDelay, type Backoff } from './backoff.js';
import { isNetworkFailure, neverProven, shortSessions } from './explain.js';
import type { ClientEnvironment } from './options.js';
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

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'connecting' | 'handshaking'; readonly attempt: Attempt }
  | { readonly at: 'established'; readonly sessionId: string; readonly attempt: Attempt }
  | {
      readonly at: 'waiting';
      readonly reason: USMPError;
      readonly retryInMs: number;
      readonly cancel: CancelTimer;
    }
  | { readonly at: 'closing'; readonly down: Promise<void> };

const NEXT: Readonly<Record<State['at'], readonly State['at'][]>> = {
  idle: ['connecting'],
  connecting: ['handshaking', 'waiting', 'closing'],
  handshaking: ['established', 'connecting', 'waiting', 'closing'],
  established: ['connecting', 'waiting', 'closing'],
  waiting: ['connecting', 'idle'],
  closing: ['idle'],
};

/** One attempt and the session that comes of it. */
interface Attempt {
  /** Once the handshake is done: when that was. */
  session?: { readonly id: string; readonly openedAt: number };
  /** A sealed frame of the gateway has come. */
  isProven?: boolean;
}

/** A session this old has proven itself, and the backoff begins anew (protocol §5.2). */
const STABLE_MS = 5_000;
/** A session that ends before this age is short … */
const SHORT_MS = 15_000;
/** … and so many short ones in a row are a pattern. */
const SHORT_IN_A_ROW = 3;

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
  #wish: 'up' | 'down' = 'down';
  #state: State = { at: 'idle' };
  /** Those who wait for the outcome of the running attempt. */
  #waiting: { readonly resolve: () => void; readonly reject: (error: USMPError) => void }[] = [];
  #failures = 0;
  #shortInARow = 0;
  /** Why the last session ended. */
  #lastReason: USMPError | undefined;
  #sessions = 0;

  constructor(options: RedialOptions) {
    this.#options = options;
    const { client, environment } = options;
    client.on('handshaking', () => {
      if (this.#state.at === 'connecting') this.#become({ ...this.#state, at: 'handshaking' });
    });
    client.on('established', (id) => {
      const openedAt = environment.clock.now();
      if (this.#state.at === 'handshaking') this.#state.attempt.session = { id, openedAt };
    });
    client.on('proven', () => {
      if (this.#state.at === 'handshaking') this.#proven(this.#state.attempt);
    });
    client.on('close', (reason) => {
      this.#lastReason = reason;
      // Before that the attempt itself fails.
      if (this.#state.at === 'established') this.#ended(this.#state.attempt, reason);
    });
  }

  get state(): ConnectionState {
    return shown(this.#state);
  }

  /** Sessions so far. */
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
      this.#connect();
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
    this.#connect();
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
      if (state.at === 'idle') {
        this.#failures = 0;
        this.#connect();
      }
      return;
    }
    switch (state.at) {
      case 'waiting':
        state.cancel();
        this.#become({ at: 'idle' });
        break;
      case 'connecting':
      case 'handshaking':
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
    this.#options.onState(shown(state), shown(previous));
  }

  #settle(error?: USMPError): void {
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error) reject(error);
      else resolve();
    }
  }

  #connect(): void {
    const attempt: Attempt = {};
    this.#become({ at: 'connecting', attempt });
    this.#open(attempt).catch(async (error: unknown) => {
      // Once it is proven, the session tells of its end itself.
      if (!attempt.isProven) this.#ended(attempt, await this.#reasonOf(error));
    });
  }

  /** @throws USMPError when the attempt came to nothing. */
  async #open(attempt: Attempt): Promise<void> {
    const { client } = this.#options;
    await client.disconnect(); // what is left of the last session, whose socket may linger
    if (!this.#isCurrent(attempt, 'connecting')) return; // stopped meanwhile
    await client.connect();
    await client.ping(); // has the gateway send its first sealed frame, if it sends nothing by itself
  }

  #proven(attempt: Attempt): void {
    attempt.isProven = true;
    if (!attempt.session) return;
    this.#sessions += 1;
    this.#settle();
    this.#become({ at: 'established', sessionId: attempt.session.id, attempt });
  }

  /** A session that ended before the first PING is known to have ended, but not why, until its socket has closed. */
  async #reasonOf(error: unknown): Promise<unknown> {
    if (!(error instanceof NotConnectedError)) return error;
    await this.#options.client.disconnect();
    return this.#lastReason ?? error;
  }

  #isCurrent(attempt: Attempt, ...at: readonly State['at'][]): boolean {
    return at.includes(this.#state.at) && 'attempt' in this.#state && this.#state.attempt === attempt;
  }

  /** An attempt failed or the session ended. */
  #ended(attempt: Attempt, error: unknown): void {
    if (!this.#isCurrent(attempt, 'connecting', 'handshaking', 'established')) return;
    const ended = error instanceof USMPError ? error : new ConnectionClosedError('the session was closed');
    if (ended.code === 'USMP_REKEY_UNANSWERED') {
      this.#connect(); // a new session is all that it takes
      return;
    }
    const { client, environment } = this.#options;
    const reason = this.#pattern(attempt, ended);
    this.#failures += 1;
    const retryInMs = this.#retryDelay(reason);
    const cancel = environment.clock.setTimer(retryInMs, () => this.#connect());
    if (client.connected) void client.disconnect(); // it did not answer the PING that should prove it
    this.#settle(reason);
    this.#become({ at: 'waiting', reason, retryInMs, cancel });
  }

  /** What the end of this session means beside those of the sessions before. */
  #pattern({ session, isProven }: Attempt, error: USMPError): USMPError {
    if (!session) return error;
    const { client, environment } = this.#options;
    const age = environment.clock.now() - session.openedAt - silenceIn(error);
    if (this.#state.at === 'established' && age >= STABLE_MS) this.#failures = 0;
    this.#shortInARow = age < SHORT_MS ? this.#shortInARow + 1 : 0;
    if (!isProven) return isNetworkFailure(error) ? error : neverProven(error);
    return this.#shortInARow < SHORT_IN_A_ROW ? error : shortSessions(client.deviceId, error);
  }

  #retryDelay(reason: USMPError): number {
    const { backoff, environment } = this.#options;
    // The gateway would refuse again at once, and lock this address out (protocol §5.1).
    const failures = isAuthFailure(reason) ? Infinity : this.#failures;
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
    case 'established':
      return { at: state.at, sessionId: state.sessionId };
    case 'waiting':
      return { at: state.at, reason: state.reason, retryInMs: state.retryInMs };
    default:
      return { at: state.at };
  }
}
