/** When a session needs a sign of life, and when it is dead (protocol §3.5). Times in milliseconds; 0 turns a rule off. */

export interface LivenessTimes {
  /** Without anything sent, or anything received, for this long: PING. */
  readonly keepaliveMs: number;
  /** A PING without its PONG for this long: dead, whatever else came. */
  readonly pongTimeoutMs: number;
  /** Without any frame from the peer for this long: dead, ping or not (a server's session timeout). */
  readonly sessionTimeoutMs: number;
}

export class Liveness {
  readonly #times: LivenessTimes;
  #lastSent: number;
  #lastReceived: number;
  /** Since when the oldest PING has waited for its PONG. */
  #waitingSince: number | undefined;
  /** Since when this side listens; undefined while it takes nothing, which is no silence of the peer's. */
  #listeningSince: number | undefined;

  constructor(times: LivenessTimes, now: number) {
    this.#times = times;
    this.#lastSent = now;
    this.#lastReceived = now;
    this.#listeningSince = now;
  }

  sent(now: number): void {
    this.#lastSent = now;
  }

  /** A PING was asked for or sent. One that cannot leave because the path is blocked counts, too. */
  pinged(now: number): void {
    this.#waitingSince ??= now;
  }

  /** An authenticated frame came: the session is not idle, but a PING is answered by its PONG only. */
  received(now: number): void {
    this.#lastReceived = now;
  }

  /** A PONG came. @param oldest when the oldest PING that is still unanswered was sent, if there is one. */
  ponged(oldest: number | undefined): void {
    this.#waitingSince = oldest === undefined ? undefined : Math.max(oldest, this.#listeningSince ?? oldest);
  }

  /** Whether this side takes what the peer sends. */
  setListening(listening: boolean, now: number): void {
    if (listening === (this.#listeningSince !== undefined)) return;
    this.#listeningSince = listening ? now : undefined;
    if (!listening) return;
    this.#lastReceived = now;
    if (this.#waitingSince !== undefined) this.#waitingSince = now;
  }

  get deadline(): number {
    return Math.min(this.#pingAt, this.#unansweredAt, this.#silentAt);
  }

  /** `unanswered`: a PING did not get its PONG; `silent`: nothing came at all. Both mean dead. */
  due(now: number): 'ping' | 'unanswered' | 'silent' | undefined {
    if (now >= this.#unansweredAt) return 'unanswered';
    if (now >= this.#silentAt) return 'silent';
    return now >= this.#pingAt ? 'ping' : undefined;
  }

  get #pingAt(): number {
    const { keepaliveMs } = this.#times;
    if (keepaliveMs === 0) return Infinity;
    // No answer can be seen while this side does not listen, but the peer wants to hear of it.
    if (this.#listeningSince === undefined) return this.#lastSent + keepaliveMs;
    if (this.#waitingSince !== undefined) return Infinity;
    return Math.min(this.#lastSent, this.#lastReceived) + keepaliveMs;
  }

  get #unansweredAt(): number {
    const { pongTimeoutMs } = this.#times;
    const counts = pongTimeoutMs > 0 && this.#listeningSince !== undefined;
    return counts && this.#waitingSince !== undefined ? this.#waitingSince + pongTimeoutMs : Infinity;
  }

  get #silentAt(): number {
    const { sessionTimeoutMs } = this.#times;
    const counts = sessionTimeoutMs > 0 && this.#listeningSince !== undefined;
    return counts ? this.#lastReceived + sessionTimeoutMs : Infinity;
  }
}
