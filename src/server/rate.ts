/** How many messages a device may send: a bucket of tokens, one for each message, that fills at an even rate. */
export interface MessageRate {
  /** Messages a second; 0 for no limit. */
  readonly perSecond: number;
  /** Messages at once, after a time of silence. */
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: MessageRate;
  #tokens: number;
  #filledAt: number;

  /** Full at first. @param now milliseconds. */
  constructor(rate: MessageRate, now: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = now;
  }

  /** A message came. What was under way already may overdraw it. */
  take(now: number): void {
    this.#fill(now);
    this.#tokens -= 1;
  }

  /** Milliseconds until another message may come; 0 when it may now. */
  waitMs(now: number): number {
    this.#fill(now);
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#rate.perSecond);
  }

  #fill(now: number): void {
    const filled = this.#tokens + ((now - this.#filledAt) * this.#rate.perSecond) / 1000;
    this.#tokens = Math.min(this.#rate.burst, filled);
    this.#filledAt = now;
  }
}
