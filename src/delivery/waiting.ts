/**
 * The messages of an outbox that wait, in order: of each key at most one, and none longer than it may. What they count
 * for and whom they are told to is the outbox's.
 */
import type { Clock } from '../clock.js';
import { Chain } from './chain.js';
import { Deadlines } from './deadlines.js';
import type { Entry } from './message.js';

export interface WaitingOptions {
  readonly clock: Clock;
  /** How long any of them may wait; 0 for ever. */
  readonly maxAgeMs: number;
  /** Called with those whose time is over, to be removed. */
  readonly onDue: (entries: readonly Entry[]) => void;
}

export class Waiting {
  readonly #options: WaitingOptions;
  readonly #line = new Chain<Entry>();
  /** Those that have a key; made when there is one. */
  #byKey: Map<string, Entry> | undefined;
  /** Made when one may not wait for ever. */
  #deadlines: Deadlines<Entry> | undefined;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  get first(): Entry | undefined {
    return this.#line.first;
  }

  /** The one that has this key. */
  withKey(key: string | undefined): Entry | undefined {
    return key === undefined ? undefined : this.#byKey?.get(key);
  }

  /** Has an entry wait in the place of another one, which leaves, or at the end. */
  add(entry: Entry, older: Entry | undefined): void {
    const after = older?.after;
    if (older) this.remove(older);
    this.#insert(entry, after);
    this.#limit(entry);
  }

  /**
   * Has entries wait before all that do. Of those with the same key the last one has the first place.
   * @returns those that do not, as a newer one of their key does.
   */
  putBefore(entries: readonly Entry[]): Entry[] {
    let after = this.#line.first;
    const placed: Entry[] = [];
    const replaced: Entry[] = [];
    for (const entry of entries.toReversed()) {
      const newer = this.withKey(entry.key);
      if (!newer) {
        this.#insert(entry, after);
        placed.push(entry);
      } else {
        if (newer !== after) this.#move(newer, after);
        replaced.push(entry);
      }
      after = newer ?? entry;
    }
    for (const entry of placed.reverse()) this.#limit(entry);
    return replaced;
  }

  remove(entry: Entry): void {
    if (entry.deadline) this.#deadlines?.remove(entry.deadline);
    entry.deadline = undefined;
    if (entry.key !== undefined) this.#byKey?.delete(entry.key);
    this.#line.remove(entry);
  }

  isDue({ deadline }: Entry): boolean {
    return deadline !== undefined && deadline.at <= this.#options.clock.now();
  }

  /** How long it may wait; 0 for ever. */
  ageMs({ maxAgeMs }: Entry): number {
    const all = this.#options.maxAgeMs;
    return maxAgeMs > 0 && all > 0 ? Math.min(maxAgeMs, all) : maxAgeMs || all;
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#line[Symbol.iterator]();
  }

  #insert(entry: Entry, after: Entry | undefined): void {
    this.#line.insert(entry, after);
    if (entry.key !== undefined) (this.#byKey ??= new Map<string, Entry>()).set(entry.key, entry);
  }

  #move(entry: Entry, after: Entry | undefined): void {
    this.#line.remove(entry);
    this.#line.insert(entry, after);
  }

  /** Has it wait no longer than it may. */
  #limit(entry: Entry): void {
    const ageMs = this.ageMs(entry);
    if (ageMs === 0) return;
    const { clock, onDue } = this.#options;
    this.#deadlines ??= new Deadlines(clock, onDue);
    entry.deadline = this.#deadlines.add(entry.acceptedAt + ageMs, entry);
  }
}
