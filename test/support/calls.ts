/** Calls that may be made in any state: what became of each, and whether its error says something. */
import assert from 'node:assert/strict';
import { USMPError } from '../../src/errors.js';

export type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** A call that was made, and its outcome once there is one. */
export interface Made {
  outcome: Outcome | undefined;
  readonly settled: Promise<void>;
}

/** Makes a call that may return, throw, or promise. */
export function make(call: () => unknown): Made {
  const made: { outcome: Outcome | undefined; settled: Promise<void> } = {
    outcome: undefined,
    settled: Promise.resolve(),
  };
  try {
    made.settled = Promise.resolve(call()).then(
      (value) => void (made.outcome = { value }),
      (error: unknown) => void (made.outcome = { error }),
    );
  } catch (error) {
    made.outcome = { error };
  }
  return made;
}

/** It has settled: with a value, or with an error of this package whose text says why. */
export function assertSettled({ outcome }: Made, what: string, says: RegExp): void {
  assert.ok(outcome, `${what} has not settled`);
  if ('value' in outcome) return;
  const { error } = outcome;
  if (!(error instanceof USMPError)) throw error;
  assert.match(error.code, /^USMP_/);
  assert.match(error.message, says, `${what}: ${error.code}`);
}
