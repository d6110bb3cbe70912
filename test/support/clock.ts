/** A clock that only moves when it is told to. */
import type { CancelTimer, Clock } from '../../src/clock.js';

const STEP_MS = 50;
/** Longer than any timer of the engine whose end a test waits for. */
const HOUR_MS = 3_600_000;

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #now = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  setTimer(delayMs: number, fire: () => void): CancelTimer {
    const timer = { at: this.#now + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  afterArrivals(fire: () => void): CancelTimer {
    const immediate = setImmediate(fire);
    return () => clearImmediate(immediate);
  }

  /** Timers that are set: a test that ends with some has leaked them. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The process is busy for so long: timers that are due by then fire late, once `advance` lets them. */
  work(ms: number): void {
    this.#now += ms;
  }

  /** Moves time on, firing timers in their order and letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fire();
      await settle();
    }
    this.#now = until;
  }

  /** Moves time on in steps until the promise settles, or an hour has passed. @returns its outcome. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const settle = (): void => void (settled = true);
    promise.then(settle, settle);
    const limit = this.#now + HOUR_MS;
    while (!settled) {
      if (this.#now >= limit) throw new Error('nothing came of it within an hour');
      await this.advance(STEP_MS);
    }
    return promise;
  }
}

/** Lets every promise that can settle do so; nothing here waits for real time. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock whose turns of the event loop are taken by hand. */
export class TurnClock extends FakeClock {
  readonly #arrivals = new Set<() => void>();

  override afterArrivals(fire: () => void): CancelTimer {
    const own = (): void => fire();
    this.#arrivals.add(own);
    return () => void this.#arrivals.delete(own);
  }

  /** The next turn of the event loop, with all that it sets off. */
  async turn(): Promise<void> {
    for (const fire of [...this.#arrivals]) {
      if (!this.#arrivals.delete(fire)) continue;
      fire();
      await settle();
    }
  }

  /** Turns, until nobody waits for one. @returns how many. */
  async turns(limit = 10_000): Promise<number> {
    let count = 0;
    for (; this.#arrivals.size > 0 && count < limit; count++) await this.turn();
    return count;
  }
}
