/**
 * What strangers cause, told not too often: once in an interval for each thing, with how often it came. Its memory is
 * bounded, and so is what it tells, whoever comes from however many addresses: when it is full of things told within the
 * interval, new ones are passed over.
 */
const MAX_THINGS = 1_000;

interface Told {
  readonly at: number;
  /** Since then. */
  count: number;
}

export class Notices {
  readonly #intervalMs: number;
  /** The one told longest ago first. */
  readonly #things = new Map<string, Told>();

  /** @param intervalMs 0: everything is told. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** It happened. @returns how often since it was told last, now included; undefined when it is not to be told now. */
  note(thing: string, now: number): number | undefined {
    if (this.#intervalMs === 0) return 1;
    const known = this.#things.get(thing);
    if (known) {
      known.count += 1;
      if (now - known.at < this.#intervalMs) return undefined;
      this.#things.delete(thing);
    } else if (this.#things.size >= MAX_THINGS) {
      const [[oldest, told] = []] = this.#things;
      if (oldest === undefined || !told || now - told.at < this.#intervalMs) return undefined;
      this.#things.delete(oldest);
    }
    this.#things.set(thing, { at: now, count: 0 });
    return known?.count ?? 1;
  }
}
