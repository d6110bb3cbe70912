/** What a connection that stays up needs to be told besides what a client does. */
import { checkInteger, checkSeconds } from '../check.js';
import type { Backoff } from './backoff.js';
import type { RekeyPolicy } from './courier.js';
import type { ClientOptions } from './options.js';
import type { OutboxLimits } from './outbox.js';

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

const YEAR_SECONDS = 366 * 86_400;

/** @throws ArgumentError naming the field. */
export function checkConnectionOptions(options: ConnectionOptions): CheckedConnectionOptions {
  const firstMs = checkSeconds('retryMin', options.retryMin ?? 2, { min: 0.1 });
  return {
    backoff: {
      firstMs,
      maxMs: Math.max(firstMs, checkSeconds('retryMax', options.retryMax ?? 60)),
      jitter: checkInteger('retryJitter', options.retryJitter ?? 20, 0, 100) / 100,
    },
    outbox: {
      maxCount: checkInteger('outboxCount', options.outboxCount ?? 1_000, 1, 1_000_000),
      maxBytes: checkInteger('outboxBytes', options.outboxBytes ?? 2 ** 20, 1, 2 ** 30),
      maxAgeMs: checkSeconds('outboxAge', options.outboxAge ?? 0, { max: YEAR_SECONDS }),
    },
    rekey: {
      afterMs: checkSeconds('rekeyAfter', options.rekeyAfter ?? 0, { max: YEAR_SECONDS }),
      afterFrames: checkInteger('rekeyFrames', options.rekeyFrames ?? 0, 0, 2 ** 31),
    },
  };
}
