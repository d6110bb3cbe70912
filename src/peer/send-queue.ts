/** What waits to be sent on one session, in order; a PONG goes before all else (protocol §3.4, §3.5). */
import { USMPError } from '../errors.js';

/** Names a request until its outcome is reported. */
export type Ticket = number;

export type Unit =
  | { readonly kind: 'message'; readonly ticket: Ticket; readonly data: Uint8Array }
  | { readonly kind: 'ping'; readonly ticket?: Ticket }
  | { readonly kind: 'rekey'; readonly ticket: Ticket }
  | { readonly kind: 'pong' | 'bye' };

const MAX_QUEUED = 1_000;
/** A peer that sends PINGs faster than the PONGs leave is not waited for. */
const MAX_PONGS = 32;

export class SendQueue {
  #units: Unit[] = [];
  #pongs = 0;
  /** A PING for the sake of liveness waits for nothing but a message under way. */
  #urgentPing = false;

  /** @throws USMPError when the queue is full. */
  add(unit: Unit): void {
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

  /** @returns false when too many PONGs are waiting. */
  addPong(): boolean {
    this.#pongs += 1;
    return this.#pongs <= MAX_PONGS;
  }

  has(kind: Unit['kind']): boolean {
    return this.#units.some((unit) => unit.kind === kind);
  }

  next(): Unit | undefined {
    if (this.#pongs > 0) {
      this.#pongs -= 1;
      return { kind: 'pong' };
    }
    if (this.#urgentPing) {
      this.#urgentPing = false;
      return { kind: 'ping' };
    }
    return this.#units.shift();
  }
}
