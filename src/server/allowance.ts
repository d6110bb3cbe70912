/**
 * How much may be done for strangers in a window of time, so that they never keep the rest waiting: so much in all, and
 * half of it at most for one address. What is over is passed over.
 */

/** Short against a session's patience, and long enough for a few dozen of anything. */
const WINDOW_MS = 100;

export class Allowance {
  readonly #max: number;
  readonly #maxPerAddress: number;
  #windowFrom = -Infinity;
  #spent = 0;
  /** Within the window, so it never holds more than the window allows. */
  readonly #byAddress = new Map<string, number>();

  constructor(perSecond: number) {
    this.#max = Math.max(1, Math.ceil((perSecond * WINDOW_MS) / 1_000));
    this.#maxPerAddress = Math.ceil(this.#max / 2);
  }

  take(address: string, now: number): boolean {
    if (now - this.#windowFrom >= WINDOW_MS) {
      this.#windowFrom = now;
      this.#spent = 0;
      this.#byAddress.clear();
    }
    const own = this.#byAddress.get(address) ?? 0;
    if (this.#spent >= this.#max || own >= this.#maxPerAddress) return false;
    this.#spent += 1;
    this.#byAddress.set(address, own + 1);
    return true;
  }
}
