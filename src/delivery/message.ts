/** What a message is on its way: how it is to be delivered, what becomes of it, and its entry in an outbox. */
import type { USMPError } from '../errors.js';
import type { Linked } from './chain.js';
import type { Deadline } from './deadlines.js';
import { MAX_KEY_LENGTH } from './limits.js';

/** When a message counts as delivered: handed to the transport (UDP: UTACK), or receipted by a PONG (protocol §3.6). */
export const DELIVERIES = ['confirmed', 'sent'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/**
 * How a message left that was not given up: taken by the other side; kept to be sent after a restart; or not needed any
 * more, as a newer one of its key has its place.
 */
export type Outcome = 'delivered' | 'kept' | 'replaced';

/** What a message may have besides its bytes. */
export interface Extras {
  /** Latest wins: a newer message of the same key takes the place of one that waits. */
  readonly key?: string | undefined;
  /** How long it may wait, where that is less than the outbox allows; 0 for no limit of its own. */
  readonly maxAgeMs?: number | undefined;
}

/** Whether it can be what a message is about. */
export const isKey = (key: unknown): key is string =>
  typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_LENGTH;

/** A message as it is kept over a restart. */
export interface KeptMessage extends Extras {
  readonly message: Uint8Array;
  readonly delivery: Delivery;
}

/** A message that waits, with whoever is to be told. */
export interface Pending extends KeptMessage {
  readonly acceptedAt: number;
  /** It has been handed to a session before, which may have carried it. */
  readonly wasHanded?: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: USMPError) => void;
}

/** A message that is handed to the session. */
export interface Handed {
  /** Counts what is handed over, again also: a receipt for an earlier number says nothing about this one. */
  readonly no: number;
  readonly message: Uint8Array;
}

/** A class, so that a million of them have one shape and are made fast. */
export class Entry implements Pending, Linked<Entry> {
  readonly message: Uint8Array;
  readonly delivery: Delivery;
  readonly key: string | undefined;
  readonly maxAgeMs: number;
  readonly acceptedAt: number;
  wasHanded: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: USMPError) => void;
  /** As in `Handed` while it is under way, and 0 while it waits. */
  no = 0;
  /** While it waits and may not do so for ever. */
  deadline: Deadline<Entry> | undefined = undefined;
  before: Entry | undefined = undefined;
  after: Entry | undefined = undefined;

  constructor(pending: Pending) {
    this.message = pending.message;
    this.delivery = pending.delivery;
    this.key = pending.key;
    this.maxAgeMs = pending.maxAgeMs ?? 0;
    this.acceptedAt = pending.acceptedAt;
    this.wasHanded = pending.wasHanded ?? false;
    this.resolve = pending.resolve;
    this.reject = pending.reject;
  }
}
