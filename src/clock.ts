/** Time, as it is passed in everywhere, so that tests decide what time it is. */

/** Calls the timer off; harmless once it has fired. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds that never run backwards. */
  now(): number;
  setTimer(delayMs: number, fire: () => void): CancelTimer;
  /** Fires in the next turn of the event loop, after what has arrived at the sockets by now was handed out. */
  afterArrivals(fire: () => void): CancelTimer;
}

/** What setTimeout takes at most; a later deadline is simply looked at again then. */
const MAX_DELAY_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer(delayMs, fire) {
    const timer = setTimeout(fire, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
    return () => clearTimeout(timer);
  },
  afterArrivals(fire) {
    const immediate = setImmediate(fire);
    return () => clearImmediate(immediate);
  },
};
