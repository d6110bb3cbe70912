/**
 * How much may wait: of one outbox, or of many together, which all draw on it. What is taken over from elsewhere is never
 * refused, so it may be overdrawn; then nothing new is taken until it is not.
 */
import type { BudgetLimits } from './limits.js';

export class Budget {
  readonly limits: BudgetLimits;
  #count = 0;
  #bytes = 0;

  constructor(limits: BudgetLimits) {
    this.limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether so much more may wait. What takes no more than the one whose place it takes always may. */
  hasRoom(count: number, bytes: number): boolean {
    const { maxCount, maxBytes } = this.limits;
    return (count <= 0 || this.#count + count <= maxCount) && (bytes <= 0 || this.#bytes + bytes <= maxBytes);
  }

  /** So much more waits; less where it is negative. */
  add(count: number, bytes: number): void {
    this.#count += count;
    this.#bytes += bytes;
  }
}
