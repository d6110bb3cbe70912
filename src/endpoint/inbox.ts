/** Messages that arrived and wait for `recv`. */
import { USMPTimeoutError, type USMPError } from '../errors.js';
import type { CancelTimer } from '../clock.js';
import type { Timers } from './patience.js';

/** Above the first, nothing more is read from the peer; below the second, reading goes on. */
const FULL = 256;
const ROOM_AGAIN = 128;

interface Waiter {
  resolve(message: Buffer): void;
  reject(error: USMPError): void;
  readonly cancelTimer: CancelTimer;
}

export class Inbox {
  readonly #timers: Timers;
  readonly #onRoom: (room: boolean) => void;
  readonly #messages: Buffer[] = [];
  readonly #waiters: Waiter[] = [];
  #room = true;
  #ended: USMPError | undefined;

  /** @param onRoom called when the inbox fills up (false) and when it has room again (true). */
  constructor(timers: Timers, onRoom: (room: boolean) => void) {
    this.#timers = timers;
    this.#onRoom = onRoom;
  }

  put(message: Buffer): void {
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.cancelTimer();
      waiter.resolve(message);
      return;
    }
    this.#messages.push(message);
    this.#checkRoom();
  }

  /** Takes a message without waiting. */
  poll(): Buffer | undefined {
    const message = this.#messages.shift();
    if (message) this.#checkRoom();
    return message;
  }

  /**
   * The next message. What arrived before the session ended is still handed out.
   * @param timeoutMs 0 waits without limit.
   */
  async take(timeoutMs: number): Promise<Buffer> {
    const message = this.poll();
    if (message) return message;
    if (this.#ended) throw this.#ended;
    return new Promise((resolve, reject) => {
      const cancelTimer =
        timeoutMs > 0
          ? this.#timers.setTimer(timeoutMs, () => {
              this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
              reject(
                new USMPTimeoutError(`no message within ${timeoutMs} ms`, { code: 'USMP_RECV_TIMEOUT' }),
              );
            })
          : () => undefined;
      const waiter: Waiter = { resolve, reject, cancelTimer };
      this.#waiters.push(waiter);
    });
  }

  end(reason: USMPError): void {
    this.#ended = reason;
    for (const waiter of this.#waiters.splice(0)) {
      waiter.cancelTimer();
      waiter.reject(reason);
    }
  }

  #checkRoom(): void {
    const room = this.#messages.length < (this.#room ? FULL : ROOM_AGAIN);
    if (room !== this.#room) this.#onRoom((this.#room = room));
  }
}
