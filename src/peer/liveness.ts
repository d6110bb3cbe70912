/** When a session needs a sign of life, and when it is dead (protocol §3.5). Times in milliseconds; 0 turns a rule off. */

export interface LivenessTimes {
  /** Without anything sent, or anything received, for this long: PING. */
  readonly keepaliveMs: number;
  /** After a PING without any frame from the peer for this long: dead. */
  readonly pongTimeoutMs: number;
  /** Without any frame from the peer for this long: dead, ping or not (a server's session timeout). */
  readonly sessionTimeoutMs: number;
}

export class Liveness {
  readonly #times: LivenessTimes;
  #lastSent: number;
  #lastReceived: number;
  #waitingSince: number | undefined;

  constructor(times: LivenessTimes, now: number) {
    this.#times = times;
    this.#lastSent = now;
    this.#lastReceived = now;
  }

  sent(now: number): void {
    this.#lastSent = now;
  }

  /** A PING was asked for or sent. One that cannot leave because the path is blocked counts, too. */
  pinged(now: number): void {
    this.#waitingSince ??= now;
  }

  /** An authenticated frame came. */
  received(now: number): void {
    this.#lastReceived = now;
    this.#waitingSince = undefined;
  }

  get deadline(): number {
    return Math.min(this.#pingAt, this.#deadAt);
  }

  due(now: number): 'ping' | 'dead' | undefined {
    if (now >= this.#deadAt) return 'dead';
    return now >= this.#pingAt ? 'ping' : undefined;
  }

  get #pingAt(): number {
    const { keepaliveMs } = this.#times;
    if (keepaliveMs === 0 || this.#waitingSince !== undefined) return Infinity;
    return Math.min(this.#lastSent, this.#lastReceived) + keepaliveMs;
  }

  get #deadAt(): number {
    const { pongTimeoutMs, sessionTimeoutMs } = this.#times;
    const unanswered =
      pongTimeoutMs > 0 && this.#waitingSince !== undefined ? this.#waitingSince + pongTimeoutMs : Infinity;
    return Math.min(unanswered, sessionTimeoutMs > 0 ? this.#lastReceived + sessionTimeoutMs : Infinity);
  }
}
