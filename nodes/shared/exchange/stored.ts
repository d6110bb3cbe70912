/** How the outbox lies in a context store: a list of messages in base64. What is read there may come from anybody. */
import { DELIVERIES, MAX_MESSAGE_BYTES, type Delivery, type KeptMessage } from '../../../src/index.js';

export interface StoredMessage {
  readonly message: string;
  readonly delivery: Delivery;
}

/** What an outbox holds at most. */
export interface StoredLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
}

export interface Restored {
  readonly kept: readonly KeptMessage[];
  /** Entries that are no messages, or more than the limits allow. */
  readonly unusable: readonly unknown[];
}

export const toStored = (content: readonly KeptMessage[]): StoredMessage[] =>
  content.map(({ message, delivery }) => ({ message: Buffer.from(message).toString('base64'), delivery }));

/** @returns undefined for what is no list; what was never written is an empty one. */
export function fromStored(value: unknown, limits: StoredLimits): Restored | undefined {
  if (value === undefined || value === null) return { kept: [], unusable: [] };
  try {
    return Array.isArray(value) ? sorted(value, limits) : undefined;
  } catch {
    return undefined; // a store may hand over live objects, which throw when they are looked at
  }
}

function sorted(entries: readonly unknown[], { maxCount, maxBytes }: StoredLimits): Restored {
  const kept: KeptMessage[] = [];
  const unusable: unknown[] = [];
  let room = maxBytes;
  for (const each of entries) {
    const usable = usableOf(each);
    if (usable && kept.length < maxCount && usable.message.length <= room) {
      kept.push(usable);
      room -= usable.message.length;
    } else {
      unusable.push(each);
    }
  }
  return { kept, unusable };
}

/** No message that can be sent is longer in base64. */
const MAX_BASE64_LENGTH = 4 * Math.ceil(MAX_MESSAGE_BYTES / 3);

function usableOf(value: unknown): KeptMessage | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { message: text, delivery: named } = value as Partial<Record<keyof StoredMessage, unknown>>;
  const delivery = DELIVERIES.find((each) => each === named);
  if (!delivery || typeof text !== 'string' || text.length > MAX_BASE64_LENGTH) return undefined;
  const message = Buffer.from(text, 'base64');
  // Node.js reads past what is no base64; only what comes out again as it went in is taken.
  if (message.length > MAX_MESSAGE_BYTES || message.toString('base64') !== text) return undefined;
  return { message: Uint8Array.from(message), delivery };
}
