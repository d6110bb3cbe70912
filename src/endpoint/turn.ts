/**
 * Shares a few milliseconds of each turn of the event loop among all sessions of the process: whoever has more to do
 * goes on in a later turn, first come, first served, so that timers, other sockets and other programs get theirs.
 */
import type { CancelTimer, Clock } from '../clock.js';

/** Long enough for some hundred frames, short enough that nobody notices a turn of it. */
const BUDGET_MS = 4;
/** Of it, handshakes get so much, and one of their steps at least: a new device may wait, a session's frame may not. */
const HANDSHAKES_MS = 0.5;
/** Of those who wait, so many are looked at in one turn. */
const MAX_AT_ONCE = 64;

type Job = () => void;

export class Turn {
  readonly #clock: Clock;
  /** Work for sessions that there are, and for those that there may be: while both wait, they take turns. */
  readonly #sessions = new Set<Job>();
  readonly #others = new Set<Job>();
  #wasSession = false;
  /** Spent on the others in this turn. */
  #othersMs = 0;
  /** Calls of `#pump` that are due. */
  #pumps = 0;
  #began: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the time of this turn is used up; the first question in a turn starts it. */
  get isSpent(): boolean {
    const now = this.#clock.now();
    if (this.#began === undefined) {
      this.#began = now;
      this.#clock.afterArrivals(() => {
        this.#began = undefined;
        this.#othersMs = 0;
      });
    }
    return now - this.#began >= BUDGET_MS;
  }

  /**
   * Does this in a turn that has time for it.
   * @param isSession for a session that is established: a crowd of handshakes holds it up by no more than its share.
   */
  later(job: Job, isSession = true): CancelTimer {
    const own = (): void => job(); // the same job may wait twice
    const waiting = isSession ? this.#sessions : this.#others;
    waiting.add(own);
    this.#plan();
    return () => void waiting.delete(own);
  }

  /** Resolves at once while there is time left and nobody waits, and otherwise in a turn that has some; in order. */
  async room(): Promise<void> {
    if (this.isSpent || this.#size > 0) await new Promise<void>((resolve) => this.later(resolve));
  }

  get #size(): number {
    return this.#sessions.size + this.#others.size;
  }

  /** One call for each that waits, so that what a job sets off is done before the next one is looked at. */
  #plan(): void {
    while (this.#pumps < Math.min(this.#size, MAX_AT_ONCE)) {
      this.#pumps += 1;
      this.#clock.afterArrivals(() => this.#pump());
    }
  }

  #pump(): void {
    this.#pumps -= 1;
    if (!this.isSpent) this.#next();
    if (this.#pumps === 0) this.#plan();
  }

  #next(): void {
    const mayOthers = this.#others.size > 0 && this.#othersMs < HANDSHAKES_MS;
    const isSession = !mayOthers || (this.#sessions.size > 0 && !this.#wasSession);
    const waiting = isSession ? this.#sessions : this.#others;
    const [job] = waiting;
    if (!job) return;
    this.#wasSession = isSession;
    waiting.delete(job);
    const began = this.#clock.now();
    job();
    if (!isSession) this.#othersMs += this.#clock.now() - began;
  }
}

const turns = new WeakMap<Clock, Turn>();

/** The turn that all who go by this clock share. */
export function turnOf(clock: Clock): Turn {
  let turn = turns.get(clock);
  if (!turn) turns.set(clock, (turn = new Turn(clock)));
  return turn;
}
