/**
 * Who may open a session (protocol §5): limits on handshakes and sessions, and a lockout for addresses whose
 * handshakes keep failing. Its memory is bounded: an address is forgotten once its lockout is long over.
 */

export interface AdmissionLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
}

const MAX_HANDSHAKES = 10;
const FAILURES_TO_LOCK_OUT = 5;
const LOCKOUT_MIN_MS = 1_000;
const LOCKOUT_MAX_MS = 60_000;
/** An address without a failure for this long begins anew. */
const FORGET_MS = 10 * 60_000;
const MAX_REMEMBERED = 10_000;

interface Record {
  failures: number;
  lockedUntil: number;
  lastFailure: number;
}

export type Refusal = 'locked out after failed handshakes' | 'too many handshakes at once';

/** A place taken: first for the handshake, then for the session. */
export interface Place {
  /**
   * Asked only now, when the device is known and its old session, if any, has given its place back.
   * @returns false when there is no room for the session.
   */
  established(): boolean;
  /** The handshake failed. */
  failed(now: number): void;
  /** Gives the place back; harmless when repeated. */
  release(): void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #records = new Map<string, Record>();
  readonly #perAddress = new Map<string, number>();
  #handshakes = 0;
  #sessions = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Why this address may not begin a handshake now, if so. */
  refusal(address: string, now: number): Refusal | undefined {
    const record = this.#records.get(address);
    if (record && now < record.lockedUntil) return 'locked out after failed handshakes';
    return this.#handshakes >= MAX_HANDSHAKES ? 'too many handshakes at once' : undefined;
  }

  take(address: string): Place {
    let holds: 'handshake' | 'session' | 'nothing' = 'handshake';
    this.#handshakes += 1;
    return {
      established: () => {
        const room =
          this.#sessions < this.#limits.maxSessions &&
          (this.#perAddress.get(address) ?? 0) < this.#limits.maxSessionsPerAddress;
        if (holds !== 'handshake' || !room) return false;
        holds = 'session';
        this.#handshakes -= 1;
        this.#sessions += 1;
        this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
        this.#records.delete(address);
        return true;
      },
      failed: (now) => this.#failed(address, now),
      release: () => {
        if (holds === 'handshake') this.#handshakes -= 1;
        if (holds === 'session') {
          this.#sessions -= 1;
          const left = (this.#perAddress.get(address) ?? 1) - 1;
          if (left > 0) this.#perAddress.set(address, left);
          else this.#perAddress.delete(address);
        }
        holds = 'nothing';
      },
    };
  }

  #failed(address: string, now: number): void {
    const known = this.#records.get(address);
    const record =
      known && now - known.lastFailure < FORGET_MS
        ? known
        : { failures: 0, lockedUntil: 0, lastFailure: now };
    record.failures += 1;
    record.lastFailure = now;
    const over = record.failures - FAILURES_TO_LOCK_OUT;
    if (over >= 0) record.lockedUntil = now + Math.min(LOCKOUT_MAX_MS, LOCKOUT_MIN_MS * 2 ** over);
    // Insertion order is age: the address that failed longest ago goes first when memory is full.
    this.#records.delete(address);
    this.#records.set(address, record);
    const oldest = this.#records.keys().next().value;
    if (this.#records.size > MAX_REMEMBERED && oldest !== undefined) this.#records.delete(oldest);
  }
}
