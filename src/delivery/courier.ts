/**
 * Carries messages from the outbox over one session, in order, and has them receipted (protocol §3.6): by a PING behind
 * them, whose PONG proves that all of them were taken. It goes out at once, behind all that was handed in together, but
 * no second one before the PONG of the first is there or known not to come. The courier ends with its session; what it
 * had under way and was not receipted is the next one's to carry.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { ConnectionClosedError, USMPError } from '../errors.js';
import { MAX_FRAGMENT_BYTES } from '../wire/constants.js';
import type { Handed } from './message.js';
import type { Outbox } from './outbox.js';
import type { DeliveryPolicy } from './policy.js';

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

export const NEVER_REKEY: RekeyPolicy = { afterMs: 0, afterFrames: 0 };

export interface CourierSettings {
  readonly clock: Clock;
  readonly policy: DeliveryPolicy;
  readonly rekey: RekeyPolicy;
}

/** The receipt for what is under way. */
type Receipt =
  | { readonly at: 'none' }
  /** Will be asked for when what runs now has come to its end: it may send more. */
  | { readonly at: 'planned' }
  | { readonly at: 'asked' }
  /** Came to nothing, and is asked for again after a while. */
  | { readonly at: 'failed'; readonly cancel: CancelTimer };

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Courier {
  readonly #outbox: Outbox;
  readonly #carrier: Carrier;
  readonly #settings: CourierSettings;
  #state: 'carrying' | 'rekeying' | 'over' = 'carrying';
  #receipt: Receipt = { at: 'none' };
  /** While the session's queue has no place for more. */
  #cancelPause: CancelTimer | undefined;
  #cancelRekey: CancelTimer = () => undefined;
  #framesUnderKey = 0;
  /** Those who wait for the change of keys that is due; undefined when none is. */
  #rekeyDue: Waiter[] | undefined;
  /** The connection is about to close: nothing is gained by waiting for company. */
  #hurried = false;

  constructor(outbox: Outbox, carrier: Carrier, settings: CourierSettings) {
    this.#outbox = outbox;
    this.#carrier = carrier;
    this.#settings = settings;
    this.#armRekey();
    this.pump();
  }

  /** Sends what the window allows. To be called when something was put into the outbox. */
  pump(): void {
    const { window } = this.#settings.policy;
    while (this.#isCarrying && this.#outbox.handed < window) {
      const handed = this.#outbox.hand();
      if (!handed) break;
      this.#carry(handed);
    }
    this.#planReceipt();
    this.#rekeyWhenQuiet();
  }

  /** Asks for receipts without waiting for anything from now on: no more is coming. */
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
    if (this.#receipt.at === 'failed') this.#receipt.cancel();
    this.#cancelPause?.();
    this.#cancelRekey();
    // A change of keys that is under way tells its own outcome.
    const reason = new ConnectionClosedError('the session was closed', { fault: 'local' });
    if (!wasRekeying) this.#rekeyDue?.forEach(({ reject }) => reject(reason));
    this.#outbox.takeBack();
  }

  get #isCarrying(): boolean {
    return this.#state === 'carrying' && !this.#rekeyDue && !this.#cancelPause;
  }

  #carry({ no, message }: Handed): void {
    const { afterFrames } = this.#settings.rekey;
    this.#framesUnderKey += Math.max(1, Math.ceil(message.length / MAX_FRAGMENT_BYTES));
    if (afterFrames > 0 && this.#framesUnderKey >= afterFrames) this.#rekeyDue ??= [];
    this.#carrier.send(message).then(
      () => {
        if (this.#state === 'over') return;
        this.#outbox.sent(no);
        this.pump();
      },
      (error: unknown) => {
        // Otherwise the session died, or it was taken back; the outbox still has the message.
        if (codeOf(error) === 'USMP_QUEUE_FULL' && this.#state !== 'over') this.#pause();
      },
    );
  }

  /** The session did not take a message that others may be under way behind: all of them go again, after a while. */
  #pause(): void {
    if (this.#cancelPause) return;
    this.#cancelPause = this.#settings.clock.setTimer(this.#settings.policy.retryMs, () => {
      this.#cancelPause = undefined;
      this.pump();
    });
    this.#carrier.withdraw();
    this.#outbox.takeBack();
  }

  #planReceipt(): void {
    if (this.#state === 'over' || this.#outbox.lastToConfirm === undefined) return;
    const { at } = this.#receipt;
    if (at === 'asked' || at === 'failed') return;
    if (this.#hurried || this.#rekeyDue) {
      this.#askReceipt();
    } else if (at === 'none') {
      this.#receipt = { at: 'planned' };
      queueMicrotask(() => {
        if (this.#receipt.at === 'planned') this.#askReceipt();
      });
    }
  }

  #askReceipt(): void {
    this.#receipt = { at: 'none' };
    const lastNo = this.#outbox.lastToConfirm;
    if (this.#state === 'over' || lastNo === undefined) return;
    this.#receipt = { at: 'asked' };
    this.#carrier.ping().then(
      () => {
        this.#receipt = { at: 'none' };
        if (this.#state === 'over') return;
        this.#outbox.confirm(lastNo);
        this.pump();
      },
      (error: unknown) => {
        this.#receipt = { at: 'none' };
        const code = codeOf(error);
        // Otherwise the session died.
        if (this.#state === 'over' || (code !== 'USMP_NO_PONG' && code !== 'USMP_QUEUE_FULL')) return;
        const again = (): void => this.#askReceipt();
        this.#receipt = {
          at: 'failed',
          cancel: this.#settings.clock.setTimer(this.#settings.policy.retryMs, again),
        };
      },
    );
  }

  #armRekey(): void {
    this.#framesUnderKey = 0;
    const { clock, rekey } = this.#settings;
    if (rekey.afterMs === 0) return;
    this.#cancelRekey = clock.setTimer(rekey.afterMs, () => {
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

const codeOf = (error: unknown): string | undefined => (error instanceof USMPError ? error.code : undefined);
