/**
 * Carries messages from the outbox over one session, in order, and has them receipted (protocol §3.6): a PING after a
 * batch of messages, whose PONG proves that all of them were taken. It ends with its session; what it had under way
 * and was not receipted is the next one's to carry.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { MAX_FRAGMENT_BYTES } from '../wire/constants.js';
import type { Entry, Outbox } from './outbox.js';
import { Pinger, sessionOver } from './pinger.js';

/** The session's side of it. */
export interface Carrier {
  send(message: Uint8Array): Promise<void>;
  ping(): Promise<number>;
  rekey(): Promise<void>;
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

export class Courier {
  readonly pinger: Pinger;
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
  #rekeyDue: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] | undefined;
  /** The connection is about to close: nothing is gained by waiting for company. */
  #hurried = false;

  constructor(outbox: Outbox, carrier: Carrier, clock: Clock, rekey: RekeyPolicy) {
    this.#outbox = outbox;
    this.#carrier = carrier;
    this.#clock = clock;
    this.#rekey = rekey;
    this.pinger = new Pinger(clock, () => carrier.ping());
    this.#armRekey();
    this.pump();
  }

  /** Sends what the window allows. To be called when something was put into the outbox. */
  pump(): void {
    while (this.#state === 'carrying' && !this.#rekeyDue && this.#outbox.handed < WINDOW) {
      const entry = this.#outbox.hand();
      if (!entry) break;
      this.#carry(entry);
    }
    this.#planReceipt();
    this.#rekeyWhenQuiet();
  }

  /** Asks for receipts at once from now on. */
  hurry(): void {
    this.#hurried = true;
    this.#runReceipt();
  }

  /** Changes the keys as soon as nothing is under way; resolves when it is done. */
  rekey(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rekeyDue = [...(this.#rekeyDue ?? []), { resolve, reject }];
      this.pump();
    });
  }

  /** The session is over. */
  end(): void {
    this.#state = 'over';
    this.#cancelReceipt();
    this.#cancelRekey();
    const reason = sessionOver();
    this.pinger.end(reason);
    this.#rekeyDue?.forEach(({ reject }) => reject(reason));
    this.#outbox.takeBack();
  }

  #carry(entry: Entry): void {
    this.pinger.messageSent();
    this.#framesUnderKey += Math.max(1, Math.ceil(entry.message.length / MAX_FRAGMENT_BYTES));
    if (this.#rekey.afterFrames > 0 && this.#framesUnderKey >= this.#rekey.afterFrames) this.#rekeyDue ??= [];
    this.#carrier.send(entry.message).then(
      () => {
        if (this.#state === 'over') return;
        this.#outbox.sent(entry);
        this.pump();
      },
      () => undefined, // the session died; the outbox still has the message
    );
  }

  #planReceipt(): void {
    if (this.#state === 'over' || this.#outbox.lastToConfirm === undefined) return;
    if (this.#receipt !== 'running' && (this.#hurried || this.#outbox.handed >= RECEIPT_AT))
      this.#runReceipt();
    if (this.#receipt !== 'none') return;
    this.#receipt = 'planned';
    this.#cancelReceipt = this.#clock.setTimer(RECEIPT_DELAY_MS, () => this.#runReceipt());
  }

  #runReceipt(): void {
    if (this.#receipt === 'running' || this.#outbox.lastToConfirm === undefined) return;
    this.#cancelReceipt();
    this.#receipt = 'running';
    this.#receiptOf().then(
      (lastId) => {
        this.#receipt = 'none';
        if (this.#state === 'over') return;
        if (lastId !== undefined) this.#outbox.confirm(lastId);
        this.pump();
      },
      () => (this.#receipt = 'none'), // the session died
    );
  }

  /** @returns the last message that was under way before the PING went out. */
  async #receiptOf(): Promise<number | undefined> {
    await this.pinger.idle();
    const lastId = this.#outbox.lastToConfirm;
    if (lastId !== undefined) await this.pinger.ping();
    return lastId;
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
    const waiting = this.#rekeyDue;
    if (!waiting || this.#state !== 'carrying' || this.#outbox.handed > 0) return;
    this.#state = 'rekeying';
    this.#cancelRekey();
    const over = (settle: () => void): void => {
      settle();
      if (this.#state === 'over') return;
      this.#state = 'carrying';
      this.#rekeyDue = undefined;
      this.#armRekey();
      this.pump();
    };
    this.#changeKeys().then(
      () => over(() => waiting.forEach(({ resolve }) => resolve())),
      (error: unknown) => over(() => waiting.forEach(({ reject }) => reject(error))),
    );
  }

  async #changeKeys(): Promise<void> {
    await this.pinger.idle();
    await this.pinger.ping();
    await this.#carrier.rekey();
    await this.pinger.ping(); // its PONG is the first frame under the new keys
  }
}
