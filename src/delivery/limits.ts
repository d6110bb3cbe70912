/** What numbers the options of an outbox may be: for the engine, and for dialogs that ask before it does. */

const YEAR_SECONDS = 366 * 86_400;

/** How much may wait. */
export interface BudgetLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Seconds, where the name does not say otherwise. */
export const DELIVERY_LIMITS = {
  outboxCount: { min: 1, max: 1_000_000 },
  outboxBytes: { min: 1, max: 2 ** 30 },
  outboxAge: { min: 0, max: YEAR_SECONDS },
  rekeyAfter: { min: 0, max: YEAR_SECONDS },
  /** Frames. */
  rekeyFrames: { min: 0, max: 2 ** 31 },
} as const;

/** A key names what a message is about; it is no place for a message. */
export const MAX_KEY_LENGTH = 256;
