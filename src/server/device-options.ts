/** The options of a server that concern its devices: what waits for them, and what is kept and told of them. */
import { checkInteger, checkSeconds, DAY_SECONDS } from '../check.js';
import { DELIVERY_LIMITS, type BudgetLimits } from '../delivery/limits.js';
import type { OutboxLimits } from '../delivery/outbox.js';
import type { MessageRate } from './rate.js';

export interface DeviceOptions {
  /** Messages that wait for one device; default 1,000. */
  mailboxCount?: number | undefined;
  /** Bytes that wait for one device; default 256 KiB. */
  mailboxBytes?: number | undefined;
  /** Seconds that a message may wait for its device; default 0, for ever. */
  mailboxAge?: number | undefined;
  /** Messages that wait for all devices together; default 100,000. */
  mailboxesCount?: number | undefined;
  /** Bytes that wait for all devices together; default 64 MiB. */
  mailboxesBytes?: number | undefined;
  /** Devices remembered that are away, have no key of their own in a map and no message waiting; default 10,000. */
  maxSeenDevices?: number | undefined;
  /**
   * Messages a second from one device, above which they wait at the device: over TCP nothing more is read, over UDP
   * frames stay unacknowledged and come again. Default 0, no limit.
   */
  maxMessageRate?: number | undefined;
  /** Messages that a device may send at once after a silence; default what `maxMessageRate` allows in a second. */
  maxMessageBurst?: number | undefined;
  /** Seconds between two events `refused`, or `knock`, for the same address and device id; default 60, 0 for all. */
  noticeInterval?: number | undefined;
}

export interface CheckedDeviceOptions {
  readonly mailbox: OutboxLimits;
  readonly mailboxes: BudgetLimits;
  readonly maxSeen: number;
  readonly rate: MessageRate;
  readonly noticeMs: number;
}

const MAX_SEEN = 1_000_000;
const MAX_RATE = 1_000_000;

/** @throws ArgumentError naming the field. */
export function checkDeviceOptions(options: DeviceOptions): CheckedDeviceOptions {
  const { outboxCount, outboxBytes, outboxAge } = DELIVERY_LIMITS;
  const whole = (name: keyof DeviceOptions, standard: number, { min = 0, max = 0 }): number =>
    checkInteger(name, options[name] ?? standard, min, max);
  const perSecond = whole('maxMessageRate', 0, { max: MAX_RATE });
  return {
    mailbox: {
      maxCount: whole('mailboxCount', 1_000, outboxCount),
      maxBytes: whole('mailboxBytes', 2 ** 18, outboxBytes),
      maxAgeMs: checkSeconds('mailboxAge', options.mailboxAge ?? 0, outboxAge),
    },
    mailboxes: {
      maxCount: whole('mailboxesCount', 100_000, outboxCount),
      maxBytes: whole('mailboxesBytes', 2 ** 26, outboxBytes),
    },
    maxSeen: whole('maxSeenDevices', 10_000, { max: MAX_SEEN }),
    rate: { perSecond, burst: whole('maxMessageBurst', Math.max(1, perSecond), { min: 1, max: MAX_RATE }) },
    noticeMs: checkSeconds('noticeInterval', options.noticeInterval ?? 60, { max: DAY_SECONDS }),
  };
}
