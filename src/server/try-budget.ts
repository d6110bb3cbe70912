/**
 * How many tries there are for one device id: each of three lanes earns one an interval, and what a lane does not use
 * is there for all of them, up to a few. So no more than three an interval are made in the long run, one lane alone
 * may have them all, and none can take from another what that one earns. Pure numbers.
 */

/** In the order in which they are served where there is not enough for all. */
export const LANES = ['home', 'fresh', 'failed'] as const;
export type Lane = (typeof LANES)[number];

/** What a lane may put by for itself. */
const OWN = 1;
/** What all of them may put by together: with that, eight tries at once, and fewer than one a second after a minute. */
const SHARED = 5;
/** What came too much in a lane, such as many wrong proofs in one handshake, puts it off by so much at the most. */
const MAX_PUT_OFF_MS = 60_000;
/** Shares of a try are sums of fractions, which are off by less than this. */
const ROUNDING = 1e-6;

export class TryBudget {
  readonly #intervalMs: number;
  readonly #own: Record<Lane, number> = { home: OWN, fresh: OWN, failed: OWN };
  #shared = SHARED;
  #at: number;

  /** @param intervalMs more than 0. */
  constructor(intervalMs: number, now: number) {
    this.#intervalMs = intervalMs;
    this.#at = now;
  }

  /** Milliseconds until there is a try for this lane, as long as no other one takes it. */
  waitMs(lane: Lane, now: number): number {
    this.#earn(now);
    const missing = 1 - this.#own[lane] - this.#shared;
    if (missing <= ROUNDING) return 0;
    // The others fill up first, and only then is what they earn there for this one.
    const filling = LANES.filter((each) => each !== lane).map((each) => OWN - this.#own[each]);
    let [sum, least] = [missing, missing];
    for (const [index, share] of filling.sort((a, b) => a - b).entries()) {
      sum += share;
      least = Math.min(least, sum / (index + 2));
    }
    return Math.ceil((least - ROUNDING) * this.#intervalMs);
  }

  /** One try in this lane, whether or not there is one for it. */
  take(lane: Lane, now: number): void {
    this.#earn(now);
    const left = this.#own[lane] + this.#shared - 1;
    // Its own first; what is too much is owed by the lane alone.
    this.#shared = Math.min(this.#shared, Math.max(0, left));
    this.#own[lane] = Math.max(left - this.#shared, -MAX_PUT_OFF_MS / this.#intervalMs);
  }

  /** A try was none. */
  giveBack(lane: Lane, now: number): void {
    this.#earn(now);
    this.#add(lane, 1);
  }

  #earn(now: number): void {
    const earned = (now - this.#at) / this.#intervalMs;
    this.#at = now;
    for (const lane of LANES) this.#add(lane, earned);
  }

  #add(lane: Lane, count: number): void {
    const own = this.#own[lane] + count;
    this.#own[lane] = Math.min(OWN, own);
    this.#shared = Math.min(SHARED, this.#shared + Math.max(0, own - OWN));
  }
}
