/** Who waits for what becomes of a request to a session. Each is told once. */
import type { CancelTimer } from '../clock.js';
import type { USMPError } from '../errors.js';
import type { Timers } from './patience.js';
import type { Ticket } from '../party/send-queue.js';

export interface Waiter {
  readonly resolve: (value: number) => void;
  readonly reject: (error: USMPError) => void;
}

/** After this time it is rejected with this error. */
export interface Limit {
  readonly ms: number;
  readonly error: () => USMPError;
}

export class Requests {
  readonly #timers: Timers;
  /** Made when somebody asks: a session that only receives has none. */
  #waiters: Map<Ticket, Waiter & { readonly cancelTimer: CancelTimer }> | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  add(ticket: Ticket, { resolve, reject }: Waiter, limit: Limit | undefined): void {
    const cancelTimer = limit
      ? this.#timers.setTimer(limit.ms, () => this.settle(ticket)?.reject(limit.error()))
      : (): void => undefined;
    this.#waiters ??= new Map();
    this.#waiters.set(ticket, { resolve, reject, cancelTimer });
  }

  /** @returns whom to tell now, if somebody still waits. */
  settle(ticket: Ticket): Waiter | undefined {
    const waiter = this.#waiters?.get(ticket);
    this.#waiters?.delete(ticket);
    waiter?.cancelTimer();
    return waiter;
  }

  rejectAll(reason: USMPError): void {
    for (const ticket of [...(this.#waiters?.keys() ?? [])]) this.settle(ticket)?.reject(reason);
  }
}
