/**
 * Who may try to prove that it is a device, and when. Each CHALLENGE is one try, of which there are fewer than one a
 * second for a device id in the long run, over all addresses, so that a key cannot be guessed; a try that ends without
 * a wrong proof is given back, so as long as nobody fails, nobody waits.
 *
 * So that this is no way to lock the device out there are three lanes with a share each (try-budget.ts): where the
 * device succeeded last, origins that have not failed with this id, and those that have. In a lane chance says which
 * origin is next, and then which of its handshakes, so that many of one origin are no more than one of another.
 * Whoever is let through and proves itself gets in, whatever others did. An origin is not punished for what it does
 * with another device id.
 *
 * A right proof may not be let in past its turn: a guesser learns from nothing else than being let in, so what limits
 * guesses is how many proofs are looked at. Who guesses at the device's own origin looks just like the device until
 * then; beside n of them at the same time the device waits for n + 1 tries on average, and no order could do better.
 */
import type { CancelTimer, Clock } from '../clock.js';
import type { Random } from '../crypto/random.js';
import { viewOf } from '../wire/bytes.js';
import { LANES, TryBudget, type Lane } from './try-budget.js';

export interface TriesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Between two tries for a device id in the same lane, when all lanes are in use; 0 for no limit. */
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

type Go = (mayGoOn: boolean) => void;

/** What is known of a device id. */
interface Entry {
  /** The origin where it last succeeded. */
  home: string | undefined;
  /** Origins that failed, the one that did so last at the end. */
  readonly failed: Set<string>;
  lastFailure: number;
  /** Undefined: there is no limit. */
  readonly budget: TryBudget | undefined;
  /** Those that wait, by lane and origin. */
  readonly waiting: Readonly<Record<Lane, Map<string, Set<Go>>>>;
  /** Tries that wait or were let through, and are not over. */
  under: number;
  cancelTimer: CancelTimer | undefined;
}

/** What an origin failed with is forgotten so long after the last failure of anybody with this device id. */
const FORGET_MS = 10 * 60_000;
/** Device ids remembered; the one that was of interest longest ago goes first. */
const MAX_REMEMBERED = 10_000;
const MAX_FAILED_ORIGINS = 100;

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

  /** @param origin where it comes from, as far as that tells one from another. */
  begin(deviceId: string, origin: string): Try {
    const { clock } = this.#options;
    const entry = this.#entryOf(deviceId);
    if (clock.now() - entry.lastFailure >= FORGET_MS) entry.failed.clear();
    const lane = laneOf(entry, origin);
    let state: 'waiting' | 'open' | 'wrong' | 'over' = 'waiting';
    let go!: Go;
    const mayGoOn = new Promise<boolean>((resolve) => {
      go = (may) => {
        state = may ? 'open' : 'over';
        resolve(may);
      };
    });
    entry.under += 1;
    add(entry.waiting[lane], origin, go);
    this.#look(entry);
    return {
      mayGoOn,
      get isWaiting() {
        return state === 'waiting';
      },
      wrong: () => {
        if (state === 'wrong')
          entry.budget?.take(lane, clock.now()); // the first one is paid for
        else if (state === 'open') state = 'wrong';
        else return;
        entry.lastFailure = clock.now();
        entry.failed.delete(origin);
        entry.failed.add(origin);
        dropOldest(entry.failed, MAX_FAILED_ORIGINS);
      },
      right: () => {
        entry.home = origin;
        entry.failed.delete(origin);
      },
      end: () => {
        if (state === 'over') return;
        if (state === 'open') entry.budget?.giveBack(lane, clock.now());
        if (state === 'waiting') {
          remove(entry.waiting[lane], origin, go);
          go(false);
        }
        state = 'over';
        entry.under -= 1;
        this.#look(entry);
        if (isEmpty(entry)) this.#forget(deviceId, entry);
      },
    };
  }

  #entryOf(deviceId: string): Entry {
    const { clock, intervalMs } = this.#options;
    const entry = this.#entries.get(deviceId) ?? {
      home: undefined,
      failed: new Set(),
      lastFailure: -Infinity,
      budget: intervalMs > 0 ? new TryBudget(intervalMs, clock.now()) : undefined,
      waiting: { home: new Map(), fresh: new Map(), failed: new Map() },
      under: 0,
      cancelTimer: undefined,
    };
    this.#entries.delete(deviceId);
    this.#entries.set(deviceId, entry);
    if (this.#entries.size > MAX_REMEMBERED) {
      for (const [id, each] of this.#entries) {
        if (each.under > 0 || each === entry) continue; // bounded by the handshakes
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
    const { clock } = this.#options;
    const { budget, waiting } = entry;
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    const now = clock.now();
    let waitMs = Infinity;
    for (const lane of LANES) {
      while (waiting[lane].size > 0) {
        const laneMs = budget?.waitMs(lane, now) ?? 0;
        if (laneMs > 0) {
          waitMs = Math.min(waitMs, laneMs);
          break;
        }
        budget?.take(lane, now);
        this.#next(waiting[lane])(true);
      }
    }
    if (waitMs < Infinity) entry.cancelTimer = clock.setTimer(waitMs, () => this.#look(entry));
  }

  /** Takes one out of those that wait. */
  #next(waiting: Map<string, Set<Go>>): Go {
    const [origin, ofOrigin] = this.#anyOf([...waiting]);
    const go = this.#anyOf([...ofOrigin]);
    remove(waiting, origin, go);
    return go;
  }

  #anyOf<T>(all: readonly T[]): T {
    const at = all.length === 1 ? 0 : viewOf(this.#options.random(4)).getUint32(0) % all.length;
    return all[at] as T;
  }
}

function laneOf(entry: Entry, origin: string): Lane {
  if (entry.home === origin) return 'home';
  return entry.failed.has(origin) ? 'failed' : 'fresh';
}

const isEmpty = ({ home, lastFailure, under }: Entry): boolean =>
  home === undefined && lastFailure === -Infinity && under === 0;

function add(waiting: Map<string, Set<Go>>, origin: string, go: Go): void {
  const ofOrigin = waiting.get(origin);
  if (ofOrigin) ofOrigin.add(go);
  else waiting.set(origin, new Set([go]));
}

function remove(waiting: Map<string, Set<Go>>, origin: string, go: Go): void {
  const ofOrigin = waiting.get(origin);
  ofOrigin?.delete(go);
  if (ofOrigin?.size === 0) waiting.delete(origin);
}

function dropOldest(set: Set<string>, max: number): void {
  const oldest = set.values().next().value;
  if (set.size > max && oldest !== undefined) set.delete(oldest);
}
