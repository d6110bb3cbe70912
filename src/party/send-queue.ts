/**
 * What waits to be sent on one session, in order; a PONG goes before all else (protocol §3.4, §3.5). PINGs keep to the
 * pace that the peer allows, and a message may pass one that waits for it.
 */
import { USMPError } from '../errors.js';
import type { Pace } from './pace.js';

/** Names a request until its outcome is reported. */
export type Ticket = number;

export type Unit =
  | { readonly kind: 'message'; readonly ticket: Ticket; readonly data: Uint8Array }
  /** Those who ask while it waits share it: it proves the same to all of them. */
  | { readonly kind: 'ping'; readonly tickets: Ticket[] }
  /** `force`: also where the reference would lose what follows (protocol §3.9). */
  | { readonly kind: 'rekey'; readonly ticket: Ticket; readonly force: boolean }
  /** `isPaced`: counts towards what the peer allows. */
  | { readonly kind: 'pong'; readonly isPaced: boolean }
  | { readonly kind: 'bye' };

const MAX_QUEUED = 1_000;
/** A peer that sends PINGs faster than the PONGs leave is not waited for. */
const MAX_PONGS = 32;

export class SendQueue {
  readonly #pace: Pace;
  #units: Unit[] = [];
  #pongs = 0;
  /** Of these, PONGs that wait for nothing. */
  #receipts = 0;
  /** A PING for the sake of the session waits for nothing but a message under way. */
  #urgentPing = false;
  /** Only control frames are let out. */
  #held = false;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** @throws USMPError when the queue is full. */
  add(unit: Unit): void {
    const last = this.#units.at(-1);
    if (unit.kind === 'ping' && last?.kind === 'ping') {
      last.tickets.push(...unit.tickets);
      return;
    }
    if (this.#units.length >= MAX_QUEUED) {
      throw new USMPError(
        `${MAX_QUEUED} messages are waiting to be sent already: wait for send() before the next one`,
        {
          code: 'USMP_QUEUE_FULL',
          fault: 'local',
        },
      );
    }
    this.#units.push(unit);
  }

  addBye(): void {
    this.#units.push({ kind: 'bye' });
  }

  addUrgentPing(): void {
    this.#urgentPing = true;
  }

  /**
   * @param isReceipt whether the PING stood behind a message, whose receipt it asks for. A peer that asks so faster than
   * the reference can take PONGs is none: it gets them at once (protocol §3.5).
   * @returns false when too many PONGs are waiting.
   */
  addPong(isReceipt: boolean): boolean {
    this.#pongs += 1;
    if (isReceipt) this.#receipts += 1;
    return this.#pongs <= MAX_PONGS;
  }

  /** Puts back what was taken out and has to be sent before all others. */
  putBack(unit: Unit): void {
    this.#units.unshift(unit);
  }

  /** Takes out all messages. @returns their tickets. */
  withdraw(): Ticket[] {
    const messages = this.#units.filter((unit) => unit.kind === 'message');
    this.#units = this.#units.filter((unit) => unit.kind !== 'message');
    return messages.map(({ ticket }) => ticket);
  }

  get isEmpty(): boolean {
    return this.#units.length === 0;
  }

  has(kind: Unit['kind']): boolean {
    return this.#units.some((unit) => unit.kind === kind);
  }

  /** Holds back all but PONGs and urgent PINGs, or lets them out again. */
  setHeld(held: boolean): void {
    this.#held = held;
  }

  /** When something that waits for nothing but the pace may be sent. */
  get dueAt(): number {
    if (this.#receipts > 0) return -Infinity;
    if (this.#pongs > 0 || this.#urgentPing) return this.#pace.pongAt;
    return !this.#held && this.#units[0]?.kind === 'ping' ? this.#pace.pingAt : Infinity;
  }

  next(now: number): Unit | undefined {
    if ((this.#pongs > 0 || this.#urgentPing) && now >= this.#pace.pongAt) return this.#control();
    if (this.#receipts > 0) return this.#pong();
    if (this.#held) return undefined;
    const waits = this.#units[0]?.kind === 'ping' && now < this.#pace.pingAt;
    return waits ? this.#passing() : this.#units.shift();
  }

  /** PONGs first, but for the PING that everything else is held back for. */
  #control(): Unit {
    if (this.#pongs > 0 && !(this.#held && this.#urgentPing)) {
      return this.#pong();
    }
    this.#urgentPing = false;
    return { kind: 'ping', tickets: [] };
  }

  #pong(): Unit {
    const isPaced = this.#receipts === 0;
    if (!isPaced) this.#receipts -= 1;
    this.#pongs -= 1;
    return { kind: 'pong', isPaced };
  }

  /** What may pass a PING that has to wait: the next message, or BYE, which nothing is to hold up. */
  #passing(): Unit | undefined {
    const at = this.#units.findIndex(({ kind }) => kind !== 'ping');
    return at < 0 || this.#units[at]?.kind === 'rekey' ? undefined : this.#units.splice(at, 1)[0];
  }
}
