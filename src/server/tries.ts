/**
 * Who may try to prove that it is a device, and when. Each CHALLENGE is one try. As long as nobody fails, nobody waits;
 * after a wrong proof the tries for that device id follow each other at an interval, over all addresses, so that a key
 * cannot be guessed. So that this is no way to lock the device out, there are three lanes with an interval each: the
 * address from which the device succeeded last, addresses that have not failed with this id, and those that have. In
 * a lane it is chance that says who is next, and whoever is let through and proves itself gets in, whatever others did.
 * An address is not punished for what it does with another device id.
 */
import type { CancelTimer, Clock } from '../clock.js';
import type { Random } from '../crypto/random.js';
import { viewOf } from '../wire/bytes.js';

export interface TriesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Between two tries in the same lane for a device id that somebody has failed with. */
  readonly intervalMs: number;
}

/** One handshake's try, from its HELLO to its end. */
export interface Try {
  /** Resolves when CHALLENGE may go out; false when the try was over before. */
  readonly mayGoOn: Promise<boolean>;
  readonly isWaiting: boolean;
  /** The proof was wrong. Over UDP another one may follow in the same handshake. */
  wrong(): void;
  /** The proof was right. */
  right(): void;
  /** The handshake is over. */
  end(): void;
}

type Lane = 'home' | 'fresh' | 'failed';

interface Waiter {
  readonly lane: Lane;
  readonly go: (mayGoOn: boolean) => void;
}

/** What is known of a device id. */
interface Entry {
  /** Where it last succeeded. */
  home: string | undefined;
  /** Addresses that failed, the one that did so last at the end. */
  readonly failed: Set<string>;
  lastFailure: number;
  /** When the next one may go, by lane. */
  readonly nextAt: Record<Lane, number>;
  readonly waiting: Set<Waiter>;
  /** Tries let through that are not over. */
  open: number;
  cancelTimer: CancelTimer | undefined;
}

/** A device id with which nobody has failed for so long begins anew. */
const FORGET_MS = 10 * 60_000;
/** As many tries for a device id run at the same time before anybody has failed: more could be one guesser's. */
const MAX_OPEN = 8;
/** Wrong proofs in one handshake put the next try off by an interval each, up to this much. */
const MAX_PUT_OFF_MS = 60_000;
/** Device ids remembered; the one that was of interest longest ago goes first. */
const MAX_REMEMBERED = 10_000;
const MAX_FAILED_ADDRESSES = 100;

export class Tries {
  readonly #options: TriesOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: TriesOptions) {
    this.#options = options;
  }

  /** Device ids of which something is remembered. */
  get remembered(): number {
    return this.#entries.size;
  }

  begin(deviceId: string, address: string): Try {
    const entry = this.#entryOf(deviceId);
    if (this.#options.clock.now() - entry.lastFailure >= FORGET_MS) entry.failed.clear();
    let state: 'waiting' | 'open' | 'over' = 'waiting';
    let wrongs = 0;
    let waiter!: Waiter;
    const lane = laneOf(entry, address);
    const mayGoOn = new Promise<boolean>((resolve) => {
      const go = (may: boolean): void => {
        if (state !== 'waiting') return;
        state = may ? 'open' : 'over';
        if (may) entry.open += 1;
        resolve(may);
      };
      waiter = { lane, go };
    });
    entry.waiting.add(waiter);
    this.#look(entry);
    return {
      mayGoOn,
      get isWaiting() {
        return state === 'waiting';
      },
      wrong: () => {
        if (state !== 'open') return;
        wrongs += 1;
        const now = this.#options.clock.now();
        entry.lastFailure = now;
        entry.failed.delete(address);
        entry.failed.add(address);
        dropOldest(entry.failed, MAX_FAILED_ADDRESSES);
        // The try itself was paid for only when it had to wait its turn.
        const { intervalMs } = this.#options;
        const paidUntil = Math.max(entry.nextAt[lane], now + (wrongs === 1 ? intervalMs : 0));
        entry.nextAt[lane] = Math.min(paidUntil + (wrongs > 1 ? intervalMs : 0), now + MAX_PUT_OFF_MS);
      },
      right: () => {
        entry.home = address;
        entry.failed.delete(address);
      },
      end: () => {
        if (state === 'open') entry.open -= 1;
        else waiter.go(false);
        state = 'over';
        entry.waiting.delete(waiter);
        this.#look(entry);
        if (isEmpty(entry)) this.#forget(deviceId, entry);
      },
    };
  }

  #entryOf(deviceId: string): Entry {
    const known = this.#entries.get(deviceId);
    const entry = known ?? {
      home: undefined,
      failed: new Set(),
      lastFailure: -Infinity,
      nextAt: { home: -Infinity, fresh: -Infinity, failed: -Infinity },
      waiting: new Set(),
      open: 0,
      cancelTimer: undefined,
    };
    this.#entries.delete(deviceId);
    this.#entries.set(deviceId, entry);
    if (this.#entries.size > MAX_REMEMBERED) {
      for (const [id, each] of this.#entries) {
        if (each.open > 0 || each.waiting.size > 0) continue; // bounded by the handshakes
        this.#forget(id, each);
        break;
      }
    }
    return entry;
  }

  #forget(deviceId: string, entry: Entry): void {
    entry.cancelTimer?.();
    if (this.#entries.get(deviceId) === entry) this.#entries.delete(deviceId);
  }

  /** Lets through whose turn it is, and sets the time to look again. */
  #look(entry: Entry): void {
    const { clock, intervalMs } = this.#options;
    const now = clock.now();
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    let nextAt = Infinity;
    for (const lane of ['home', 'fresh', 'failed'] as const) {
      for (;;) {
        const waiters = [...entry.waiting].filter((each) => each.lane === lane);
        if (waiters.length === 0) break;
        const isFree = now - entry.lastFailure >= FORGET_MS && entry.open < MAX_OPEN;
        if (!isFree && now < entry.nextAt[lane]) {
          nextAt = Math.min(nextAt, entry.nextAt[lane]);
          break;
        }
        if (!isFree) entry.nextAt[lane] = now + intervalMs;
        const chosen = waiters[this.#below(waiters.length)];
        if (!chosen) break;
        entry.waiting.delete(chosen);
        chosen.go(true);
      }
    }
    if (nextAt < Infinity) entry.cancelTimer = clock.setTimer(nextAt - now, () => this.#look(entry));
  }

  #below(count: number): number {
    return count === 1 ? 0 : viewOf(this.#options.random(4)).getUint32(0) % count;
  }
}

function laneOf(entry: Entry, address: string): Lane {
  if (entry.home === address) return 'home';
  return entry.failed.has(address) ? 'failed' : 'fresh';
}

const isEmpty = ({ home, lastFailure, waiting, open }: Entry): boolean =>
  home === undefined && lastFailure === -Infinity && waiting.size === 0 && open === 0;

function dropOldest(set: Set<string>, max: number): void {
  const oldest = set.values().next().value;
  if (set.size > max && oldest !== undefined) set.delete(oldest);
}
