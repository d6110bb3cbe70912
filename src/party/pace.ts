/**
 * How fast control frames may follow each other: the reference drops a session in which more than eight PINGs and PONGs
 * come within a second without a DATA frame between them (protocol §3.5). One a session, whoever asks for the PINGs.
 */

const WITHIN_MS = 1_000;
/** PINGs leave room for the PONGs that the peer may ask for … */
const MAX_WITH_PING = 4;
/** … and all together stay below the limit, as what left evenly may arrive in a bunch. */
const MAX_WITH_PONG = 7;

export class Pace {
  /** When PINGs and PONGs were sent since the last message, within the last second, oldest first. */
  #recent: number[] = [];

  controlSent(now: number): void {
    this.#recent = [...this.#recent.filter((at) => now - at < WITHIN_MS), now];
  }

  /** After a message the peer counts anew. */
  messageSent(): void {
    this.#recent = [];
  }

  /** When a PING may be sent, in the caller's milliseconds; past or present when it may be now. */
  get pingAt(): number {
    return this.#roomAt(MAX_WITH_PING);
  }

  /** The same for a PONG, and for a PING on which the session depends. */
  get pongAt(): number {
    return this.#roomAt(MAX_WITH_PONG);
  }

  #roomAt(max: number): number {
    const blocking = this.#recent.at(-max);
    return blocking === undefined ? -Infinity : blocking + WITHIN_MS;
  }
}
