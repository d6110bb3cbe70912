/** Lets only so many tests of a connection through: they open connections wherever whoever asks for one wants. */
import type { Words } from '../words/text.js';

/** For all together: a test takes up to 12 s, and a socket. */
const MAX_AT_ONCE = 3;
/** For each who asks. */
const MAX_PER_MINUTE = 20;
const MINUTE_MS = 60_000;
/** Those who are remembered; the one who asked longest ago is forgotten first. */
const MAX_ASKERS = 1_000;

export class Turnstile {
  readonly #now: () => number;
  /** The gateways that are being tested. */
  readonly #inside = new Set<string>();
  /** When each asker's tests began, in the last minute. Whoever asked last stands last. */
  readonly #entries = new Map<string, number[]>();

  /** @param now milliseconds. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /**
   * @param gateway the id of the node that is tested; `leave` frees it again.
   * @param asker who asks, and from where.
   * @returns why not.
   */
  enter(gateway: string, asker: string): Words | undefined {
    if (this.#inside.has(gateway)) return { key: 'test.running' };
    const now = this.#now();
    const recent = (this.#entries.get(asker) ?? []).filter((entry) => now - entry < MINUTE_MS);
    if (this.#inside.size >= MAX_AT_ONCE || recent.length >= MAX_PER_MINUTE) return { key: 'test.tooMany' };
    this.#inside.add(gateway);
    this.#entries.delete(asker);
    this.#entries.set(asker, [...recent, now]);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > MAX_ASKERS && oldest !== undefined) this.#entries.delete(oldest);
    return undefined;
  }

  leave(gateway: string): void {
    this.#inside.delete(gateway);
  }
}
