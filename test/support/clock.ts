/** A clock that only moves when it is told to. */
import type { CancelTimer, Clock } from '../../src/clock.js';

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
}

/** Lets every promise that can settle do so; nothing here waits for real time. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
