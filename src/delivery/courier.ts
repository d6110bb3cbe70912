/**
 * Carries messages from the outbox over one session, in order, and has them receipted (protocol §3.6): a PING after a
 * batch of messages, whose PONG proves that all of them were taken. It ends with its session; what it had under way
 * and was not receipted is the next one's to carry.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { ConnectionClosedError, USMPError } from '../errors.js';
import { MAX_FRAGMENT_BYTES } from '../wire/constants.js';
import type { Handed, Outbox } from './outbox.js';

/** The session's side of it. */
export interface Carrier {
  send(message: Uint8Array): Promise<void>;
  /** Settles with the PONG of a PING that is sent behind all messages so far. */
  ping(): Promise<unknown>;
  /** Takes back the messages that wait to be sent: their `send` is rejected. */
  withdraw(): void;
  /** Changes the keys, which may take a new session: this courier is over then. */
  changeKeys(): Promise<void>;
}

export interface RekeyPolicy {
  /** Milliseconds, and frames sent, after which the keys are changed; 0 for never. */
  readonly afterMs: number;
  readonly afterFrames: number;
}

/** Messages under way at most: so many are sent twice when a session dies at the wrong moment. */
const WINDOW = 64;
/** A receipt is asked for at once when so many wait for it … */
const RECEIPT_AT = WINDOW / 2;
/** … and otherwise this much later, so that a stream of messages shares it. */
const RECEIPT_DELAY_MS = 40;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Courier {
  readonly #outbox: Outbox;
  readonly #carrier: Carrier;
  readonly #clock: Clock;
  readonly #rekey: RekeyPolicy;
  #state: 'carrying' | 'rekeying' | 'over' = 'carrying';
  #receipt: 'none' | 'planned' | 'running' = 'none';
  #cancelReceipt: CancelTimer = () => undefined;
  #cancelRekey: CancelTimer = () => undefined;
  #framesUnderKey = 0;
  /** Those who wait for the change of keys that is due; undefined when none is. */
  #rekeyDue: Waiter[] | undefined;
  /** The connection is about to close: nothing is gained by waiting for company. */
  #hurried = false;

  constructor(outbox: Outbox, carrier: Carrier, clock: Clock, rekey: RekeyPolicy) {
    this.#outbox = outbox;
    this.#carrier = carrier;
    this.#clock = clock;
    this.#rekey = rekey;
    this.#armRekey();
    this.pump();
  }

  /** Sends what the window allows. To be called when something was put into the outbox. */
  pump(): void {
    while (this.#state === 'carrying' && !this.#rekeyDue && this.#outbox.handed < WINDOW) {
      const handed = this.#outbox.hand();
      if (!handed) break;
      this.#carry(handed);
    }
    this.#planReceipt();
    this.#rekeyWhenQuiet();
  }

  /** Asks for receipts at once from now on. */
  hurry(): void {
    this.#hurried = true;
    this.#planReceipt();
  }

  /** Changes the keys as soon as nothing is under way; settles when it is done, or can not be done. */
  rekey(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rekeyDue = [...(this.#rekeyDue ?? []), { resolve, reject }];
      this.pump();
    });
  }

  /**
   * The gateway has changed the keys over UDP: what has no receipt yet may have been acknowledged and thrown away
   * (protocol §3.9), so all of it is sent again.
   */
  keysChanged(): void {
    this.#framesUnderKey = 0;
    this.#carrier.withdraw();
    this.#outbox.takeBack();
    this.pump();
  }

  /** The session is over. */
  end(): void {
    const wasRekeying = this.#state === 'rekeying';
    this.#state = 'over';
    this.#cancelReceipt();
    this.#cancelRekey();
    // A change of keys that is under way tells its own outcome.
    const reason = new ConnectionClosedError('the session was closed', { fault: 'local' });
    if (!wasRekeying) this.#rekeyDue?.forEach(({ reject }) => reject(reason));
    this.#outbox.takeBack();
  }

  #carry({ no, message }: Handed): void {
    this.#framesUnderKey += Math.max(1, Math.ceil(message.length / MAX_FRAGMENT_BYTES));
    if (this.#rekey.afterFrames > 0 && this.#framesUnderKey >= this.#rekey.afterFrames) this.#rekeyDue ??= [];
    this.#carrier.send(message).then(
      () => {
        if (this.#state === 'over') return;
        this.#outbox.sent(no);
        this.pump();
      },
      () => undefined, // the session died, or it was taken back; the outbox still has the message
    );
  }

  #planReceipt(): void {
    if (this.#state === 'over' || this.#receipt === 'running') return;
    if (this.#outbox.lastToConfirm === undefined) return;
    if (this.#hurried || this.#rekeyDue || this.#outbox.handed >= RECEIPT_AT) {
      this.#askReceipt();
    } else if (this.#receipt === 'none') {
      this.#receipt = 'planned';
      this.#cancelReceipt = this.#clock.setTimer(RECEIPT_DELAY_MS, () => this.#askReceipt());
    }
  }

  #askReceipt(): void {
    this.#cancelReceipt();
    const lastNo = this.#outbox.lastToConfirm;
    this.#receipt = lastNo === undefined ? 'none' : 'running';
    if (lastNo === undefined) return;
    this.#carrier.ping().then(
      () => {
        this.#receipt = 'none';
        if (this.#state === 'over') return;
        this.#outbox.confirm(lastNo);
        this.pump();
      },
      (error: unknown) => {
        this.#receipt = 'none';
        // Otherwise the session died.
        if (error instanceof USMPError && error.code === 'USMP_NO_PONG') this.#planReceipt();
      },
    );
  }

  #armRekey(): void {
    this.#framesUnderKey = 0;
    if (this.#rekey.afterMs === 0) return;
    this.#cancelRekey = this.#clock.setTimer(this.#rekey.afterMs, () => {
      this.#rekeyDue ??= [];
      this.pump();
    });
  }

  /**
   * Changes the keys when nothing is under way: the reference loses frames that cross a REKEY (protocol §3.8). A PING
   * first, so that what the gateway had sent has arrived.
   */
  #rekeyWhenQuiet(): void {
    if (!this.#rekeyDue || this.#state !== 'carrying' || this.#outbox.handed > 0) return;
    this.#state = 'rekeying';
    this.#cancelRekey();
    const over = (settle: (waiter: Waiter) => void): void => {
      this.#rekeyDue?.forEach(settle);
      this.#rekeyDue = undefined;
      if (this.#state === 'over') return;
      this.#state = 'carrying';
      this.#armRekey();
      this.pump();
    };
    this.#carrier
      .ping()
      .then(() => this.#carrier.changeKeys())
      .then(
        () => over(({ resolve }) => resolve()),
        (error: unknown) => over(({ reject }) => reject(error)),
      );
  }
}
