/**
 * Messages that were accepted and are not delivered yet, in order, within bounds. A message leaves in one of three
 * ways, each told once to whoever handed it in: delivered, dropped for its age, or given up when the outbox closes.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { USMPError } from '../errors.js';

/** When a message counts as delivered: handed to the transport (UDP: UTACK), or receipted by a PONG (protocol §3.6). */
export const DELIVERIES = ['confirmed', 'sent'] as const;
export type Delivery = (typeof DELIVERIES)[number];

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

export interface Entry extends KeptMessage {
  readonly id: number;
  readonly acceptedAt: number;
  readonly resolve: () => void;
  readonly reject: (error: USMPError) => void;
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
  #nextId = 1;
  #cancelTimer: CancelTimer | undefined;

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

  /** What is not delivered, for keeping. */
  get content(): KeptMessage[] {
    return this.#entries.map(({ message, delivery }) => ({ message, delivery }));
  }

  /**
   * Accepts a message; resolves when it is delivered.
   * @throws USMPError `USMP_OUTBOX_FULL` at once; `USMP_EXPIRED` or `USMP_OUTBOX_CLOSED` when it was given up.
   */
  add(message: Uint8Array, delivery: Delivery): Promise<void> {
    const { maxCount, maxBytes } = this.#limits;
    if (this.#entries.length >= maxCount || this.#bytes + message.length > maxBytes) {
      const held = `${this.#entries.length} messages (${mebibytes(this.#bytes)})`;
      const limit = `${maxCount} messages or ${mebibytes(maxBytes)}`;
      return Promise.reject(
        new USMPError(`not sent: ${held} are waiting for the gateway already; the limit is ${limit}`, {
          code: 'USMP_OUTBOX_FULL',
          fault: 'local',
        }),
      );
    }
    const delivered = new Promise<void>((resolve, reject) => {
      const acceptedAt = this.#clock.now();
      this.#entries.push({
        id: this.#nextId++,
        message: Uint8Array.from(message),
        delivery,
        acceptedAt,
        resolve,
        reject,
      });
    });
    this.#bytes += message.length;
    this.#changed();
    return delivered;
  }

  /** Puts messages that were kept over a restart before all that are not under way. Nobody waits for their outcome. */
  restore(kept: readonly KeptMessage[]): void {
    const ignore = (): void => undefined;
    const waiting = this.#entries.splice(this.#handed);
    // As old as the oldest that waits: `#expire` relies on the order.
    const acceptedAt = waiting[0]?.acceptedAt ?? this.#clock.now();
    for (const each of kept) {
      this.#entries.push({ ...each, id: this.#nextId++, acceptedAt, resolve: ignore, reject: ignore });
      this.#bytes += each.message.length;
    }
    for (const each of waiting) this.#entries.push(each);
    this.#changed();
  }

  /** The next message for the session, which is under way from now on. */
  hand(): Entry | undefined {
    const entry = this.#entries[this.#handed];
    if (entry) {
      this.#handed += 1;
      this.#arm();
    }
    return entry;
  }

  /** The id of the last message under way that wants a receipt; undefined when none does. */
  get lastToConfirm(): number | undefined {
    return this.#entries.findLast(({ delivery }, i) => i < this.#handed && delivery === 'confirmed')?.id;
  }

  /** A message under way left. That is all that delivery `sent` asks for. */
  sent(entry: Entry): void {
    const index = entry.delivery === 'sent' ? this.#entries.indexOf(entry) : -1;
    if (index < 0 || index >= this.#handed) return;
    this.#remove(index, 1);
    entry.resolve();
    this.#changed();
  }

  /** All that was under way up to this message has arrived. */
  confirm(lastId: number): void {
    const last = this.#entries.findIndex(({ id }, i) => id === lastId && i < this.#handed);
    const confirmed = this.#remove(0, last + 1);
    for (const entry of confirmed) entry.resolve();
    if (confirmed.length > 0) this.#changed();
  }

  /** The session died: what was under way has to be sent again, first and in the same order. */
  takeBack(): void {
    this.#handed = 0;
    this.#changed();
  }

  /** Gives up all that is left, with this outcome. */
  close(outcome: USMPError | 'kept'): void {
    for (const entry of this.#remove(0, this.#entries.length)) {
      if (outcome === 'kept') entry.resolve();
      else entry.reject(outcome);
    }
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
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
    for (const entry of expired) {
      const seconds = Math.round(this.#limits.maxAgeMs / 1000);
      const text = `not sent: the message has waited for the gateway for ${seconds} s, which is the limit`;
      entry.reject(new USMPError(text, { code: 'USMP_EXPIRED', fault: 'network' }));
    }
    this.#changed();
  }
}
