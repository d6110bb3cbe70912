/** What a connection that stays up needs to be told besides what a client does. */
import { checkInteger, checkOptions, checkSeconds } from '../check.js';
import type { Backoff } from './backoff.js';
import {
  checkDeliveryOptions,
  type CheckedDeliveryOptions,
  type DeliveryOptions,
} from '../delivery/options.js';
import { LIMITS } from './limits.js';
import type { ClientOptions } from './options.js';

export interface ConnectionOptions extends ClientOptions, DeliveryOptions {
  /** Seconds before the first retry; default 2. */
  retryMin?: number | undefined;
  /** Seconds between retries at most; default 60. */
  retryMax?: number | undefined;
  /** Percent by which the delays vary either way; default 20. */
  retryJitter?: number | undefined;
}

export interface CheckedConnectionOptions extends CheckedDeliveryOptions {
  readonly backoff: Backoff;
}

/** @throws ArgumentError naming the field. */
export function checkConnectionOptions(given: ConnectionOptions): CheckedConnectionOptions {
  const options = checkOptions('options', given);
  const seconds = (name: keyof typeof LIMITS, standard: number): number =>
    checkSeconds(name, options[name] ?? standard, LIMITS[name]);
  const whole = (name: keyof typeof LIMITS, standard: number): number =>
    checkInteger(name, options[name] ?? standard, LIMITS[name].min, LIMITS[name].max);
  const firstMs = seconds('retryMin', 2);
  return {
    backoff: {
      firstMs,
      maxMs: Math.max(firstMs, seconds('retryMax', 60)),
      jitter: whole('retryJitter', 20) / 100,
    },
    ...checkDeliveryOptions(options),
  };
}
