/** What the end of a session means beside those of the sessions before it (protocol §5.2). */
import type { USMPError } from '../errors.js';
import { isNetworkFailure, neverProven, shortSessions } from './explain.js';

/** A session that ends before this age is short … */
const SHORT_MS = 15_000;
/** … and so many short ones in a row are a pattern. */
const SHORT_IN_A_ROW = 3;

export interface Ended {
  readonly error: USMPError;
  /** How long the session lived. */
  readonly ageMs: number;
  /** A sealed frame of the gateway had come. */
  readonly isProven: boolean;
}

export class Patterns {
  readonly #deviceId: string;
  /** Sessions since the last one that was not short. */
  #shortInARow = 0;

  constructor(deviceId: string) {
    this.#deviceId = deviceId;
  }

  /** To be told of each session. @returns the error, or one that says more. */
  ended({ error, ageMs, isProven }: Ended): USMPError {
    this.#shortInARow = ageMs < SHORT_MS ? this.#shortInARow + 1 : 0;
    if (!isProven) return isNetworkFailure(error) ? error : neverProven(error);
    return this.#shortInARow < SHORT_IN_A_ROW ? error : shortSessions(this.#deviceId, error);
  }
}
