/**
 * Messages that were accepted and are not delivered yet, in order, within bounds. A message leaves in one of four
 * ways, each told once to whoever handed it in: delivered; kept elsewhere, or given up, when the outbox closes; dropped
 * for its age.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { USMPError } from '../errors.js';

/** When a message counts as delivered: handed to the transport (UDP: UTACK), or receipted by a PONG (protocol §3.6). */
export const DELIVERIES = ['confirmed', 'sent'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** How a message left that was not given up: taken by the gateway, or kept to be sent after a restart. */
export type Outcome = 'delivered' | 'kept';

export interface OutboxLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
  /** 0: a message may wait for ever. */
  readonly maxAgeMs: number;
}

/** A message as it is kept over a restart. */
export interface KeptMessage {
  readonly message: Uint8Array;
  readonly delivery: Delivery;
}

/** A message that waits, with whoever is to be told. */
export interface Pending extends KeptMessage {
  readonly acceptedAt: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: USMPError) => void;
}

/** A message that is handed to the session. */
export interface Handed {
  /** Counts what is handed over, again also: a receipt for an earlier number says nothing about this one. */
  readonly no: number;
  readonly message: Uint8Array;
}

interface Entry extends Pending {
  /** As in `Handed`, for as long as it is. */
  no: number;
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #clock: Clock;
  /** Called whenever the content has changed. */
  readonly #onChange: () => void;
  /** Oldest first; the first `#handed` of them are under way on the session. */
  readonly #entries: Entry[] = [];
  #handed = 0;
  #bytes = 0;
  #nextNo = 1;
  #cancelTimer: CancelTimer | undefined;
  #delivered = 0;
  #dropped = 0;

  constructor(limits: OutboxLimits, clock: Clock, onChange: () => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get count(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Messages under way on the session. */
  get handed(): number {
    return this.#handed;
  }

  /** Messages so far that the gateway has. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Messages so far that were refused, expired or given up. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What is not delivered, for keeping. */
  get content(): KeptMessage[] {
    return this.#entries.map(({ message, delivery }) => ({ message, delivery }));
  }

  /**
   * Accepts a message; resolves when it is delivered, or kept.
   * @throws USMPError `USMP_OUTBOX_FULL` at once; `USMP_EXPIRED` or `USMP_OUTBOX_CLOSED` when it was given up.
   */
  add(message: Uint8Array, delivery: Delivery): Promise<Outcome> {
    const { maxCount, maxBytes } = this.#limits;
    if (this.#entries.length >= maxCount || this.#bytes + message.length > maxBytes) {
      this.#dropped += 1;
      const held = `${this.#entries.length} messages (${mebibytes(this.#bytes)})`;
      const limit = `${maxCount} messages or ${mebibytes(maxBytes)}`;
      return Promise.reject(
        new USMPError(`not sent: ${held} are waiting for the gateway already; the limit is ${limit}`, {
          code: 'USMP_OUTBOX_FULL',
          fault: 'local',
        }),
      );
    }
    const outcome = new Promise<Outcome>((resolve, reject) => {
      const acceptedAt = this.#clock.now();
      this.#entries.push({
        no: 0,
        message: Uint8Array.from(message),
        delivery,
        acceptedAt,
        resolve,
        reject,
      });
    });
    this.#bytes += message.length;
    this.#changed();
    return outcome;
  }

  /** Puts messages that were kept over a restart before all that are not under way. Nobody waits for their outcome. */
  restore(kept: readonly KeptMessage[]): void {
    const ignore = (): void => undefined;
    // Never younger than what waits behind them, so that the first is always the oldest.
    const acceptedAt = this.#entries[this.#handed]?.acceptedAt ?? this.#clock.now();
    this.takeOver(kept.map((each) => ({ ...each, acceptedAt, resolve: ignore, reject: ignore })));
  }

  /** Takes out all that is left, with those who wait for it, for another outbox. */
  release(): Pending[] {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    return this.#remove(0, this.#entries.length);
  }

  /** Puts what another outbox has released before all that is not under way, however full this one is. */
  takeOver(pending: readonly Pending[]): void {
    const waiting = this.#entries.splice(this.#handed);
    for (const each of pending) {
      this.#entries.push({ ...each, no: 0 });
      this.#bytes += each.message.length;
    }
    for (const each of waiting) this.#entries.push(each);
    this.#changed();
  }

  /** The next message for the session, which is under way from now on. */
  hand(): Handed | undefined {
    const entry = this.#entries[this.#handed];
    if (!entry) return undefined;
    entry.no = this.#nextNo++;
    this.#handed += 1;
    this.#arm();
    return entry;
  }

  /** The number of the last message under way that wants a receipt; undefined when none does. */
  get lastToConfirm(): number | undefined {
    return this.#entries.findLast(({ delivery }, i) => i < this.#handed && delivery === 'confirmed')?.no;
  }

  /** All that was handed over up to this number has left, in this order. That is all that delivery `sent` asks for. */
  sent(lastNo: number): void {
    const underWay = this.#entries.slice(0, this.#handed);
    const left = underWay.filter(({ no, delivery }) => no <= lastNo && delivery === 'sent');
    for (const entry of left) {
      this.#remove(this.#entries.indexOf(entry), 1);
      this.#delivered += 1;
      entry.resolve('delivered');
    }
    if (left.length > 0) this.#changed();
  }

  /** All that was handed over up to this number has arrived. */
  confirm(lastNo: number): void {
    const count = this.#entries.findIndex((entry, i) => i >= this.#handed || entry.no > lastNo);
    const confirmed = this.#remove(0, count < 0 ? this.#handed : count);
    this.#delivered += confirmed.length;
    for (const entry of confirmed) entry.resolve('delivered');
    if (confirmed.length > 0) this.#changed();
  }

  /** The session died: what was under way has to be sent again, first and in the same order. */
  takeBack(): void {
    this.#handed = 0;
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

  #remove(index: number, count: number): Entry[] {
    const removed = this.#entries.splice(index, count);
    this.#handed = Math.max(0, this.#handed - Math.max(0, Math.min(this.#handed - index, count)));
    for (const { message } of removed) this.#bytes -= message.length;
    return removed;
  }

  #changed(): void {
    this.#arm();
    this.#onChange();
  }

  /** One timer, for the oldest message that waits and is not under way. */
  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const oldest = this.#entries[this.#handed];
    if (!oldest || this.#limits.maxAgeMs === 0) return;
    const due = oldest.acceptedAt + this.#limits.maxAgeMs - this.#clock.now();
    this.#cancelTimer = this.#clock.setTimer(due, () => this.#expire());
  }

  #expire(): void {
    const before = this.#clock.now() - this.#limits.maxAgeMs;
    const fresh = this.#entries.findIndex((entry, i) => i >= this.#handed && entry.acceptedAt > before);
    const expired = this.#remove(this.#handed, (fresh < 0 ? this.#entries.length : fresh) - this.#handed);
    this.#dropped += expired.length;
    for (const entry of expired) {
      const seconds = Math.round(this.#limits.maxAgeMs / 1000);
      const text = `not sent: the message has waited for the gateway for ${seconds} s, which is the limit`;
      entry.reject(new USMPError(text, { code: 'USMP_EXPIRED', fault: 'network' }));
    }
    this.#changed();
  }
}
