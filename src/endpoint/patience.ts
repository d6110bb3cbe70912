/**
 * Timers for answers that do not come in time. A process that was busy finds the time over and the answer in the socket:
 * what has arrived comes first.
 */
import type { CancelTimer, Clock } from '../clock.js';

export type Timers = Pick<Clock, 'setTimer'>;

export interface Arrivals {
  /** How much has arrived so far. */
  readonly count: number;
  /** Whether some of it is not worked off yet. */
  readonly isBehind: boolean;
}

/** While something arrives in every turn of the event loop, time is over this much later. */
const MAX_CATCH_UP_MS = 5_000;

/** @param arrivals where it can be told what arrives; otherwise one turn of the event loop has to do. */
export function patient(clock: Clock, arrivals?: Arrivals): Timers {
  return {
    setTimer(delayMs, fire): CancelTimer {
      let cancel = clock.setTimer(delayMs, () => wait(clock.now() + MAX_CATCH_UP_MS));
      return () => cancel();

      function wait(until: number): void {
        const before = arrivals?.count;
        cancel = clock.afterArrivals(() => {
          const isCatchingUp = arrivals && (arrivals.isBehind || arrivals.count !== before);
          if (isCatchingUp && clock.now() < until) wait(until);
          else fire();
        });
      }
    },
  };
}
