/** What numbers the options of a client may be: for the engine, and for dialogs that ask before it does. */
import { DAY_SECONDS } from '../check.js';
import { DELIVERY_LIMITS } from '../delivery/limits.js';

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
  ...DELIVERY_LIMITS,
} as const;
