/** The flow nodes that use a gateway: each hears what it asks for, and no more often than people can read. */
import type { NodeStatus } from 'node-red';
import type { SessionEvent } from './events.js';

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
  #timer: NodeJS.Timeout | undefined;
  #shown: string | undefined;

  /** @param status what there is to show now. */
  constructor(status: () => NodeStatus) {
    this.#status = status;
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

  /** @returns whether it was there. */
  remove(user: User<Origin>): boolean {
    return this.#users.delete(user);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#users.clear();
  }

  message(message: Buffer, origin: Origin): void {
    for (const user of this.#users) user.onMessage?.(message, origin);
  }

  tell(event: SessionEvent, origin: Origin): void {
    for (const user of this.#users) user.onEvent?.(event, origin);
  }

  showStatus(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const status = this.#status();
    if (status.text === this.#shown) return;
    this.#shown = status.text;
    for (const user of this.#users) user.onStatus(status);
  }

  showStatusSoon(): void {
    this.#timer ??= setTimeout(() => this.showStatus(), STATUS_MS);
  }
}
