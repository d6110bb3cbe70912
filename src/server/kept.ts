/** What waits in the mailboxes of a server, as it is kept over a restart and put back. */
import { show } from '../check.js';
import { DELIVERY_LIMITS } from '../delivery/limits.js';
import { checkKept } from '../delivery/mailbox.js';
import type { KeptMessage } from '../delivery/outbox.js';
import { ArgumentError } from '../errors.js';
import { formatDeviceId } from '../wire/device-id.js';

/** The messages for one device, in order. */
export interface KeptMailbox {
  readonly deviceId: string;
  readonly messages: readonly KeptMessage[];
}

/** As much as the options allow at the most; what they allow now may be less than when it was kept. */
const MAX_COUNT = DELIVERY_LIMITS.outboxCount.max;
const MAX_BYTES = DELIVERY_LIMITS.outboxBytes.max;

/**
 * @returns a list of its own, device ids as `aa:bb:cc:dd:ee:ff`.
 * @throws ArgumentError naming `kept`, PayloadError for a message that is too long.
 */
export function checkKeptMailboxes(kept: unknown): KeptMailbox[] {
  let [count, bytes] = [0, 0];
  return listOf(kept, 'a list of devices and their messages').map((each) => {
    const { deviceId, messages } = (each ?? {}) as Partial<Record<keyof KeptMailbox, unknown>>;
    const checked = listOf(messages, 'a list of messages for each device').map((message) =>
      checkKept(message as Partial<KeptMessage>),
    );
    count += checked.length;
    for (const { message } of checked) bytes += message.length;
    if (count > MAX_COUNT || bytes > MAX_BYTES) {
      throw new ArgumentError('kept', `expected at most ${MAX_COUNT} messages or ${MAX_BYTES} bytes`);
    }
    return { deviceId: idOf(deviceId), messages: checked };
  });
}

function listOf(value: unknown, expected: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new ArgumentError('kept', `expected ${expected}, got ${show(value)}`);
}

function idOf(deviceId: unknown): string {
  try {
    return formatDeviceId(deviceId as string);
  } catch {
    throw new ArgumentError('kept', `expected a device id for each list, got ${show(deviceId)}`);
  }
}
