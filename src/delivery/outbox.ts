/**
 * Messages that were accepted and are not delivered yet, in order, within bounds. A message leaves in one of five ways,
 * each told once to whoever handed it in: delivered; replaced by a newer one of the same key; kept elsewhere, or given
 * up, when the outbox closes; dropped for its age. What one message costs does not depend on how many wait.
 */
import type { Clock } from '../clock.js';
import { USMPError } from '../errors.js';
import { Budget } from './budget.js';
import { Chain } from './chain.js';
import { Deadlines } from './deadlines.js';
import type { BudgetLimits } from './limits.js';
import {
  Entry,
  type Delivery,
  type Extras,
  type Handed,
  type KeptMessage,
  type Outcome,
  type Pending,
} from './message.js';

export { DELIVERIES, type Delivery, type KeptMessage, type Outcome } from './message.js';

export interface OutboxLimits extends BudgetLimits {
  /** 0: a message may wait for ever. */
  readonly maxAgeMs: number;
}

export interface OutboxSettings {
  readonly limits: OutboxLimits;
  readonly clock: Clock;
  /** What to call the other side in words for people. */
  readonly other: 'gateway' | 'device';
  /** What this outbox and others may hold together. */
  readonly budget?: Budget | undefined;
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const ignore = (): void => undefined;

export class Outbox {
  readonly #settings: OutboxSettings;
  /** Called whenever the content has changed. */
  readonly #onChange: () => void;
  /** Oldest first: those under way on the session, then those that wait. */
  readonly #entries = new Chain<Entry>();
  /** The first that waits. */
  #waiting: Entry | undefined;
  readonly #held: Budget;
  /** Those that wait and have a key; made when there is one. */
  #byKey: Map<string, Entry> | undefined;
  /** Of those that wait; made when there is one. */
  #deadlines: Deadlines<Entry> | undefined;
  #handed = 0;
  /** Under way, of delivery `sent`. */
  #leaving = 0;
  #lastToConfirm: number | undefined;
  #nextNo = 1;
  #delivered = 0;
  #dropped = 0;
  #replaced = 0;

  constructor(settings: OutboxSettings, onChange: () => void) {
    this.#settings = settings;
    this.#onChange = onChange;
    this.#held = new Budget(settings.limits);
  }

  get count(): number {
    return this.#held.count;
  }

  get bytes(): number {
    return this.#held.bytes;
  }

  /** Messages under way on the session. */
  get handed(): number {
    return this.#handed;
  }

  /** Messages so far that the other side has. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Messages so far that were refused, expired or given up. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Messages so far whose place a newer one took. */
  get replaced(): number {
    return this.#replaced;
  }

  /** What is not delivered, for keeping. */
  get content(): KeptMessage[] {
    return Array.from(this.#entries, ({ message, delivery, key, maxAgeMs }) => ({
      message,
      delivery,
      ...(key !== undefined && { key }),
      ...(maxAgeMs > 0 && { maxAgeMs }),
    }));
  }

  /**
   * Accepts a message; resolves when it is delivered, replaced, or kept.
   * @throws USMPError `USMP_OUTBOX_FULL` at once; `USMP_EXPIRED` or `USMP_OUTBOX_CLOSED` when it was given up.
   */
  add(message: Uint8Array, delivery: Delivery, { key, maxAgeMs }: Extras = {}): Promise<Outcome> {
    const older = key === undefined ? undefined : this.#byKey?.get(key);
    const full = older
      ? this.#fullFor(0, message.length - older.message.length)
      : this.#fullFor(1, message.length);
    if (full) {
      this.#dropped += 1;
      return Promise.reject(full);
    }
    return new Promise<Outcome>((resolve, reject) => {
      const acceptedAt = this.#settings.clock.now();
      const copy = new Uint8Array(message);
      const entry = new Entry({ message: copy, delivery, key, maxAgeMs, acceptedAt, resolve, reject });
      this.#count(entry, 1);
      if (older) this.#takePlace(entry, older);
      else this.#wait(entry, undefined);
      this.#limit(entry);
      this.#changed();
    });
  }

  /** Puts messages that were kept over a restart before all that are not under way. Nobody waits for their outcome. */
  restore(kept: readonly KeptMessage[]): void {
    const acceptedAt = this.#settings.clock.now();
    this.takeOver(kept.map((each) => ({ ...each, acceptedAt, resolve: ignore, reject: ignore })));
  }

  /** Takes out all that is left, with those who wait for it, for another outbox. */
  release(): Pending[] {
    const released = [...this.#entries];
    for (const entry of released) this.#remove(entry);
    return released;
  }

  /** Puts what another outbox has released before all that is not under way, however full this one is. */
  takeOver(pending: readonly Pending[]): void {
    const entries = pending.map((each) => new Entry(each));
    for (const entry of entries) this.#count(entry, 1);
    this.#putBefore(entries);
    this.#changed();
  }

  /** The next message for the session, which is under way from now on. */
  hand(): Handed | undefined {
    for (let entry = this.#waiting; entry; entry = this.#waiting) {
      if (entry.deadline && entry.deadline.at <= this.#settings.clock.now()) {
        this.#expire([entry]);
        continue;
      }
      this.#waiting = entry.after;
      this.#unwait(entry);
      entry.no = this.#nextNo++;
      this.#handed += 1;
      if (entry.delivery === 'confirmed') this.#lastToConfirm = entry.no;
      else this.#leaving += 1;
      return entry;
    }
    return undefined;
  }

  /** The number of the last message under way that wants a receipt; undefined when none does. */
  get lastToConfirm(): number | undefined {
    return this.#lastToConfirm;
  }

  /** All that was handed over up to this number has left, in this order. That is all that delivery `sent` asks for. */
  sent(lastNo: number): void {
    if (this.#leaving === 0) return;
    this.#arrived(lastNo, ({ delivery }) => delivery === 'sent');
  }

  /** All that was handed over up to this number has arrived. */
  confirm(lastNo: number): void {
    this.#arrived(lastNo, () => true);
  }

  /** The session died: what was under way has to be sent again, first and in the same order. */
  takeBack(): void {
    const underWay: Entry[] = [];
    for (let entry = this.#entries.first; entry && entry !== this.#waiting; entry = this.#entries.first) {
      this.#leave(entry);
      underWay.push(entry);
    }
    this.#lastToConfirm = undefined;
    this.#putBefore(underWay);
    this.#changed();
  }

  /** Gives up all that is left, with this outcome. */
  close(outcome: USMPError | 'kept'): void {
    const left = this.release();
    if (outcome !== 'kept') this.#dropped += left.length;
    for (const entry of left) {
      if (outcome === 'kept') entry.resolve('kept');
      else entry.reject(outcome);
    }
  }

  #arrived(lastNo: number, isConcerned: (entry: Entry) => boolean): void {
    const arrived: Entry[] = [];
    for (const entry of this.#entries) {
      if (entry === this.#waiting || entry.no > lastNo) break;
      if (isConcerned(entry)) arrived.push(entry);
    }
    if (arrived.length === 0) return;
    for (const entry of arrived) {
      this.#remove(entry);
      this.#delivered += 1;
      entry.resolve('delivered');
    }
    this.#changed();
  }

  #remove(entry: Entry): void {
    this.#leave(entry);
    this.#count(entry, -1);
  }

  /** Takes it out of its place, wherever that is. */
  #leave(entry: Entry): void {
    if (entry.no === 0) this.#unwait(entry);
    else this.#land(entry);
    if (entry === this.#waiting) this.#waiting = entry.after;
    this.#entries.remove(entry);
  }

  /** It is under way no longer. */
  #land(entry: Entry): void {
    this.#handed -= 1;
    if (entry.delivery === 'sent') this.#leaving -= 1;
    if (this.#lastToConfirm === entry.no) this.#lastToConfirm = undefined;
    entry.no = 0;
  }

  /** It waits no longer. */
  #unwait(entry: Entry): void {
    if (entry.deadline) this.#deadlines?.remove(entry.deadline);
    entry.deadline = undefined;
    if (entry.key !== undefined) this.#byKey?.delete(entry.key);
  }

  /** Has an entry that is in no place wait before another one that does, or at the end. */
  #wait(entry: Entry, after: Entry | undefined): void {
    this.#entries.insert(entry, after);
    if (this.#waiting === after) this.#waiting = entry;
    if (entry.key !== undefined) (this.#byKey ??= new Map<string, Entry>()).set(entry.key, entry);
  }

  /** Has it wait no longer than it may. */
  #limit(entry: Entry): void {
    const ageMs = this.#ageMs(entry);
    if (ageMs === 0) return;
    this.#deadlines ??= new Deadlines(this.#settings.clock, (due) => this.#expire(due));
    entry.deadline = this.#deadlines.add(entry.acceptedAt + ageMs, entry);
  }

  /** Has a newer entry, which is in no place, wait in that of an older one of its key, which waits. */
  #takePlace(newer: Entry, older: Entry): void {
    const { after } = older;
    this.#remove(older);
    this.#wait(newer, after);
    this.#tellReplaced(older);
  }

  #tellReplaced(older: Entry): void {
    this.#replaced += 1;
    older.resolve('replaced');
  }

  /** Has entries that are in no place wait before all that do; of those with the same key the last one has the first place. */
  #putBefore(entries: readonly Entry[]): void {
    let after = this.#waiting;
    const placed: Entry[] = [];
    for (const entry of entries.toReversed()) {
      const newer = entry.key === undefined ? undefined : this.#byKey?.get(entry.key);
      if (!newer) {
        this.#wait(entry, after);
        placed.push(entry);
      } else {
        if (newer !== after) this.#move(newer, after);
        this.#count(entry, -1);
        this.#tellReplaced(entry);
      }
      after = newer ?? entry;
    }
    for (const entry of placed.reverse()) this.#limit(entry);
  }

  /** Of those that wait, moves one to the place before another. */
  #move(entry: Entry, after: Entry | undefined): void {
    this.#entries.remove(entry);
    this.#entries.insert(entry, after);
    if (this.#waiting === after) this.#waiting = entry;
  }

  #count({ message }: Entry, sign: 1 | -1): void {
    this.#held.add(sign, sign * message.length);
    this.#settings.budget?.add(sign, sign * message.length);
  }

  /** Why so much more cannot be taken, if it cannot. */
  #fullFor(count: number, bytes: number): USMPError | undefined {
    const { budget, other } = this.#settings;
    const full = [this.#held, budget].find((each) => each && !each.hasRoom(count, bytes));
    if (!full) return undefined;
    const held = `${full.count} messages (${mebibytes(full.bytes)})`;
    const limit = `${full.limits.maxCount} messages or ${mebibytes(full.limits.maxBytes)}`;
    const whom = full === budget ? `all ${other}s together` : `the ${other}`;
    return new USMPError(`not sent: ${held} are waiting for ${whom} already; the limit is ${limit}`, {
      code: 'USMP_OUTBOX_FULL',
      fault: 'local',
    });
  }

  /** How long it may wait; 0 for ever. */
  #ageMs({ maxAgeMs }: Entry): number {
    const all = this.#settings.limits.maxAgeMs;
    return maxAgeMs > 0 && all > 0 ? Math.min(maxAgeMs, all) : maxAgeMs || all;
  }

  #expire(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#remove(entry);
      this.#dropped += 1;
      const seconds = Math.round(this.#ageMs(entry) / 100) / 10;
      const whom = `the ${this.#settings.other}`;
      const text = `not sent: the message has waited for ${whom} for ${seconds} s, which is the limit`;
      entry.reject(new USMPError(text, { code: 'USMP_EXPIRED', fault: 'network' }));
    }
    this.#changed();
  }

  #changed(): void {
    this.#onChange();
  }
}
