/** What an outbox and its courier need to be told: the options of whoever sends through them. */
import { checkInteger, checkSeconds } from '../check.js';
import type { RekeyPolicy } from './courier.js';
import { DELIVERY_LIMITS } from './limits.js';
import type { OutboxLimits } from './outbox.js';

export interface DeliveryOptions {
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

export interface CheckedDeliveryOptions {
  readonly outbox: OutboxLimits;
  readonly rekey: RekeyPolicy;
}

/** @throws ArgumentError naming the field. */
export function checkDeliveryOptions(options: DeliveryOptions): CheckedDeliveryOptions {
  const seconds = (name: keyof DeliveryOptions): number =>
    checkSeconds(name, options[name] ?? 0, DELIVERY_LIMITS[name]);
  const whole = (name: keyof DeliveryOptions, standard: number): number =>
    checkInteger(name, options[name] ?? standard, DELIVERY_LIMITS[name].min, DELIVERY_LIMITS[name].max);
  return {
    outbox: {
      maxCount: whole('outboxCount', 1_000),
      maxBytes: whole('outboxBytes', 2 ** 20),
      maxAgeMs: seconds('outboxAge'),
    },
    rekey: {
      afterMs: seconds('rekeyAfter'),
      afterFrames: whole('rekeyFrames', 0),
    },
  };
}
