/** The flow nodes that use a gateway: each hears what it asks for, and no more often than people can read. */
import type { NodeStatus } from 'node-red';
import { systemClock, type CancelTimer, type Clock } from '../../../src/index.js';
import type { SessionEvent } from '../words/events.js';

/** What a flow node hears of. */
export interface User<Origin> {
  onStatus(status: NodeStatus): void;
  onMessage?(message: Buffer, origin: Origin): void;
  onEvent?(event: SessionEvent, origin: Origin): void;
}

/** How often a status that changes with every message is shown at most. */
const STATUS_MS = 250;

export class Users<Origin> {
  readonly #users = new Set<User<Origin>>();
  readonly #status: () => NodeStatus;
  readonly #clock: Clock;
  #cancelTimer: CancelTimer | undefined;
  #shown: string | undefined;

  /** @param status what there is to show now. */
  constructor(status: () => NodeStatus, clock: Clock = systemClock) {
    this.#status = status;
    this.#clock = clock;
  }

  get size(): number {
    return this.#users.size;
  }

  get hasReaders(): boolean {
    return [...this.#users].some((user) => user.onMessage !== undefined);
  }

  /** Adds one, which is shown the status at once. */
  add(user: User<Origin>): void {
    this.#users.add(user);
    user.onStatus(this.#status());
  }

  remove(user: User<Origin>): void {
    this.#users.delete(user);
  }

  clear(): void {
    this.#cancel();
    this.#users.clear();
  }

  message(message: Buffer, origin: Origin): void {
    for (const user of this.#users) user.onMessage?.(message, origin);
  }

  tell(event: SessionEvent, origin: Origin): void {
    for (const user of this.#users) user.onEvent?.(event, origin);
  }

  showStatus(): void {
    this.#cancel();
    const status = this.#status();
    if (status.text === this.#shown) return;
    this.#shown = status.text;
    for (const user of this.#users) user.onStatus(status);
  }

  showStatusSoon(): void {
    this.#cancelTimer ??= this.#clock.setTimer(STATUS_MS, () => this.showStatus());
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
