/** What a connection that stays up needs to be told besides what a client does. */
import { checkInteger, checkOptions, checkSeconds } from '../check.js';
import type { Backoff } from './backoff.js';
import type { RekeyPolicy } from '../delivery/courier.js';
import { LIMITS } from './limits.js';
import type { ClientOptions } from './options.js';
import type { OutboxLimits } from '../delivery/outbox.js';

export interface ConnectionOptions extends ClientOptions {
  /** Seconds before the first retry; default 2. */
  retryMin?: number | undefined;
  /** Seconds between retries at most; default 60. */
  retryMax?: number | undefined;
  /** Percent by which the delays vary either way; default 20. */
  retryJitter?: number | undefined;
  /** Messages that the outbox holds; default 1,000. */
  outboxCount?: number | undefined;
  /** Bytes that the outbox holds; default 1 MiB. */
  outboxBytes?: number | undefined;
  /** Seconds that a message may wait; default 0, for ever. */
  outboxAge?: number | undefined;
  /** Seconds after which the keys are changed; default 0, never. */
  rekeyAfter?: number | undefined;
  /** Frames sent after which the keys are changed; default 0, never. */
  rekeyFrames?: number | undefined;
}

export interface CheckedConnectionOptions {
  readonly backoff: Backoff;
  readonly outbox: OutboxLimits;
  readonly rekey: RekeyPolicy;
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
    outbox: {
      maxCount: whole('outboxCount', 1_000),
      maxBytes: whole('outboxBytes', 2 ** 20),
      maxAgeMs: seconds('outboxAge', 0),
    },
    rekey: {
      afterMs: seconds('rekeyAfter', 0),
      afterFrames: whole('rekeyFrames', 0),
    },
  };
}
