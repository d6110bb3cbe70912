/** Which sequence numbers a receiver takes (protocol §3.3). */

/** `repeat`: seen before, or too old to tell; `refused`: out of order where order is kept. */
export type Verdict = 'new' | 'repeat' | 'refused';

export interface ReceiveOrder {
  check(seq: number): Verdict;
  /** To be called only for a frame that was authenticated and `new`. */
  accept(seq: number): void;
}

/** Over a stream: exactly the next number. */
export class StrictOrder implements ReceiveOrder {
  #next = 0;

  check(seq: number): Verdict {
    return seq === this.#next ? 'new' : 'refused';
  }

  accept(seq: number): void {
    this.#next = seq + 1;
  }
}

const WINDOW = 64;

/** Over datagrams: a sliding window of 64 numbers, as in RFC 4303 §3.4.3. */
export class WindowOrder implements ReceiveOrder {
  #highest = -1;
  /** Bit i stands for the number `highest - i`. */
  #seen = 0n;

  check(seq: number): Verdict {
    if (seq > this.#highest) return 'new';
    const age = this.#highest - seq;
    return age >= WINDOW || (this.#seen >> BigInt(age)) & 1n ? 'repeat' : 'new';
  }

  accept(seq: number): void {
    if (seq > this.#highest) {
      const step = Math.min(seq - this.#highest, WINDOW);
      this.#seen = BigInt.asUintN(WINDOW, (this.#seen << BigInt(step)) | 1n);
      this.#highest = seq;
    } else {
      this.#seen |= 1n << BigInt(this.#highest - seq);
    }
  }
}
