/** The repeat timeout, from measured round trips as in RFC 6298, with the bounds of protocol §4.2. */

const MIN_MS = 50;
const MAX_MS = 5_000;
/** Repeats double up to this many timeouts apart … */
const SPREAD = 4;
/** … but this far is always allowed, so that a fast path is not flooded and a lossy one gets many tries. */
const SPREAD_MIN_MS = 400;

export class RoundTrip {
  #timeoutMs: number;
  #smoothed: number | undefined;
  #variation = 0;

  constructor(initialTimeoutMs: number) {
    this.#timeoutMs = initialTimeoutMs;
  }

  /** RFC 6298 §2. Not to be called for a frame that was repeated (Karn's rule). */
  sample(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#variation = ms / 2;
    } else {
      this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - ms);
      this.#smoothed = 0.875 * this.#smoothed + 0.125 * ms;
    }
    this.#timeoutMs = Math.min(MAX_MS, Math.max(MIN_MS, this.#smoothed + 4 * this.#variation));
  }

  /** How long to wait after the n-th sending of a frame (1 is the first). */
  timeoutAfter(sends: number): number {
    const longest = Math.min(MAX_MS, Math.max(SPREAD_MIN_MS, SPREAD * this.#timeoutMs));
    return Math.min(longest, this.#timeoutMs * 2 ** (sends - 1));
  }
}
