/**
 * Messages that were accepted and are not delivered yet, in order, within bounds. A message leaves in one of five ways,
 * each told once to whoever handed it in: delivered; replaced by a newer one of the same key; kept elsewhere, or given
 * up, when the outbox closes; dropped for its age. What one message costs does not depend on how many wait.
 */
import type { Clock } from '../clock.js';
import { USMPError } from '../errors.js';
import { Budget } from './budget.js';
import { Chain } from './chain.js';
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
import { Waiting } from './waiting.js';

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

/** A message that a session has had may have arrived, without a receipt. */
function givenUp(wasHanded: boolean, code: 'USMP_EXPIRED' | 'USMP_OUTBOX_CLOSED', why: string): USMPError {
  const what = wasHanded ? 'not confirmed, though it may have arrived' : 'not sent';
  return new USMPError(`${what}: ${why}`, { code });
}

export class Outbox {
  readonly #settings: OutboxSettings;
  /** Called whenever the content has changed. */
  readonly #onChange: () => void;
  /** On the session, oldest first; all of them before those that wait. */
  readonly #underWay = new Chain<Entry>();
  readonly #waiting: Waiting;
  readonly #held: Budget;
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
    const { clock, limits } = settings;
    this.#waiting = new Waiting({
      clock,
      maxAgeMs: limits.maxAgeMs,
      onDue: (entries) => this.#expire(entries),
    });
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
    return Array.from(this.#all(), ({ message, delivery, key, maxAgeMs }) => ({
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
    const older = this.#waiting.withKey(key);
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
      this.#waiting.add(entry, older);
      if (older) this.#replace(older);
      this.#onChange();
    });
  }

  /** Puts messages that were kept over a restart before all that are not under way. Nobody waits for their outcome. */
  restore(kept: readonly KeptMessage[]): void {
    const acceptedAt = this.#settings.clock.now();
    this.takeOver(kept.map((each) => ({ ...each, acceptedAt, resolve: ignore, reject: ignore })));
  }

  /** Takes out all that is left, with those who wait for it, for another outbox. */
  release(): Pending[] {
    const released = [...this.#all()];
    for (const entry of released) this.#remove(entry);
    return released;
  }

  /** Puts what another outbox has released before all that is not under way, however full this one is. */
  takeOver(pending: readonly Pending[]): void {
    const entries = pending.map((each) => new Entry(each));
    for (const entry of entries) this.#count(entry, 1);
    this.#putBefore(entries);
    this.#onChange();
  }

  /** The next message for the session, which is under way from now on. */
  hand(): Handed | undefined {
    for (let entry = this.#waiting.first; entry; entry = this.#waiting.first) {
      if (this.#waiting.isDue(entry)) {
        this.#expire([entry]);
        continue;
      }
      this.#waiting.remove(entry);
      this.#underWay.insert(entry, undefined);
      entry.wasHanded = true;
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
    const underWay = [...this.#underWay];
    for (const entry of underWay) this.#land(entry);
    this.#lastToConfirm = undefined;
    this.#putBefore(underWay);
    this.#onChange();
  }

  /** All that is left is given up; or kept elsewhere, from where it is put back by `restore`. */
  close(outcome?: 'kept'): void {
    const why = `closed here before the ${this.#settings.other} was known to have the message`;
    // One error for a million of them.
    const waits = givenUp(false, 'USMP_OUTBOX_CLOSED', why);
    const hasLeft = givenUp(true, 'USMP_OUTBOX_CLOSED', why);
    for (const entry of this.release()) {
      if (outcome === 'kept') entry.resolve('kept');
      else this.#drop(entry, entry.wasHanded ? hasLeft : waits);
    }
  }

  #arrived(lastNo: number, isConcerned: (entry: Entry) => boolean): void {
    const arrived: Entry[] = [];
    for (const entry of this.#underWay) {
      if (entry.no > lastNo) break;
      if (isConcerned(entry)) arrived.push(entry);
    }
    if (arrived.length === 0) return;
    for (const entry of arrived) {
      this.#remove(entry);
      this.#delivered += 1;
      entry.resolve('delivered');
    }
    this.#onChange();
  }

  *#all(): Generator<Entry, void> {
    yield* this.#underWay;
    yield* this.#waiting;
  }

  /** Takes it out of its place, wherever that is. */
  #remove(entry: Entry): void {
    if (entry.no === 0) this.#waiting.remove(entry);
    else this.#land(entry);
    this.#count(entry, -1);
  }

  /** It is under way no longer, and in no place. */
  #land(entry: Entry): void {
    this.#underWay.remove(entry);
    this.#handed -= 1;
    if (entry.delivery === 'sent') this.#leaving -= 1;
    if (this.#lastToConfirm === entry.no) this.#lastToConfirm = undefined;
    entry.no = 0;
  }

  #putBefore(entries: readonly Entry[]): void {
    for (const entry of this.#waiting.putBefore(entries)) this.#replace(entry);
  }

  /** A newer one has its place. */
  #replace(older: Entry): void {
    this.#count(older, -1);
    this.#replaced += 1;
    older.resolve('replaced');
  }

  #expire(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#remove(entry);
      const seconds = Math.round(this.#waiting.ageMs(entry) / 100) / 10;
      const why = `the message has waited for the ${this.#settings.other} for ${seconds} s, which is the limit`;
      this.#drop(entry, givenUp(entry.wasHanded, 'USMP_EXPIRED', why));
    }
    this.#onChange();
  }

  #drop({ reject }: Pending, error: USMPError): void {
    this.#dropped += 1;
    reject(error);
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
}
