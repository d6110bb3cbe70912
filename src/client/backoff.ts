/** How long to wait before the next attempt to connect: a pure function of how often it failed. */

export interface Backoff {
  /** After the first failure. */
  readonly firstMs: number;
  /** Never longer than this. */
  readonly maxMs: number;
  /** Share of the delay by which it varies either way, 0 to 1, so that many devices do not come back as one. */
  readonly jitter: number;
}

/**
 * @param failures consecutive failures, 1 after the first.
 * @param chance a number from 0 up to 1.
 * @returns milliseconds, within `jitter` of first · 2^(failures − 1) as long as that stays below the limit.
 */
export function retryDelay(failures: number, { firstMs, maxMs, jitter }: Backoff, chance: number): number {
  const delay = Math.min(maxMs / (1 + jitter), firstMs * 2 ** Math.min(failures - 1, 32));
  return delay * (1 + jitter * (2 * chance - 1));
}
