/** What numbers the options of a client may be: for the engine, and for dialogs that ask before it does. */
import { DAY_SECONDS } from '../check.js';

const YEAR_SECONDS = 366 * DAY_SECONDS;

/** Such a limit cannot be turned off: an attempt has to end, and the next one to wait. */
const ATTEMPT = { min: 0.1, max: DAY_SECONDS };

/** Seconds, where the name does not say otherwise. */
export const LIMITS = {
  connectTimeout: ATTEMPT,
  handshakeTimeout: ATTEMPT,
  keepalive: { min: 0, max: DAY_SECONDS },
  pongTimeout: { min: 0, max: DAY_SECONDS },
  retryMin: ATTEMPT,
  retryMax: ATTEMPT,
  /** Percent. */
  retryJitter: { min: 0, max: 100 },
  outboxCount: { min: 1, max: 1_000_000 },
  outboxBytes: { min: 1, max: 2 ** 30 },
  outboxAge: { min: 0, max: YEAR_SECONDS },
  rekeyAfter: { min: 0, max: YEAR_SECONDS },
  rekeyFrames: { min: 0, max: 2 ** 31 },
} as const;
