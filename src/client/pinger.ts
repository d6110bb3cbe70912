/**
 * PINGs of a running session: one at a time, shared by all who ask meanwhile, and never more than four a second
 * without a message between them, which leaves the gateway's limit of eight (protocol §3.5) untouched.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { ConnectionClosedError, type USMPError } from '../errors.js';

const MAX_PINGS = 4;
const WITHIN_MS = 1_000;

export class Pinger {
  readonly #clock: Clock;
  readonly #send: () => Promise<number>;
  /** When PINGs were sent since the last message, oldest first. */
  #recent: number[] = [];
  #current: Promise<number> | undefined;
  #waiting: { readonly cancelTimer: CancelTimer; readonly reject: (error: USMPError) => void } | undefined;

  /** @param send sends one PING and resolves with its round trip in milliseconds. */
  constructor(clock: Clock, send: () => Promise<number>) {
    this.#clock = clock;
    this.#send = send;
  }

  /** The PING that is under way; whether it comes back or not does not matter here. */
  async idle(): Promise<void> {
    while (this.#current) await this.#current.catch(() => undefined);
  }

  /** @returns the round trip of the PING under way, or of a new one, in milliseconds. */
  ping(): Promise<number> {
    if (this.#current) return this.#current;
    const current = this.#allowed().then(() => {
      this.#recent.push(this.#clock.now());
      return this.#send();
    });
    this.#current = current;
    const over = (): void => {
      if (this.#current === current) this.#current = undefined;
    };
    current.then(over, over);
    return current;
  }

  /** A message was sent, after which the gateway counts anew. */
  messageSent(): void {
    this.#recent = [];
  }

  /** The session is over: a PING that waits for its turn is not sent any more. */
  end(reason: USMPError): void {
    this.#waiting?.cancelTimer();
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  #allowed(): Promise<void> {
    const now = this.#clock.now();
    this.#recent = this.#recent.filter((at) => now - at < WITHIN_MS);
    const [oldest] = this.#recent;
    if (this.#recent.length < MAX_PINGS || oldest === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.setTimer(oldest + WITHIN_MS - now, () => {
        this.#waiting = undefined;
        resolve();
      });
      this.#waiting = { cancelTimer, reject };
    });
  }
}

export const sessionOver = (): USMPError =>
  new ConnectionClosedError('the session was closed', { fault: 'local' });
