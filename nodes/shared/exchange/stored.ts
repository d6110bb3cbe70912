/** How the outbox lies in a context store: a list of messages in base64. What is read there may come from anybody. */
import { isKeptMessage, MAX_MESSAGE_BYTES, type KeptMessage } from '../../../src/index.js';

export interface StoredMessage extends Omit<KeptMessage, 'message'> {
  readonly message: string;
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
  content.map(({ message, ...others }) => ({ message: Buffer.from(message).toString('base64'), ...others }));

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
  const { message: text, delivery, key, maxAgeMs } = value as Partial<Record<keyof KeptMessage, unknown>>;
  if (typeof text !== 'string' || text.length > MAX_BASE64_LENGTH) return undefined;
  const bytes = Buffer.from(text, 'base64');
  // Node.js reads past what is no base64; only what comes out again as it went in is taken.
  if (bytes.toString('base64') !== text) return undefined;
  const message = Uint8Array.from(bytes);
  // The first versions wrote neither key nor age.
  const extras = { ...(key !== undefined && { key }), ...(maxAgeMs !== undefined && { maxAgeMs }) };
  const kept: unknown = { message, delivery, ...extras };
  return isKeptMessage(kept) ? kept : undefined;
}
