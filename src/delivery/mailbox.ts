/**
 * Messages on their way to one other side, whichever session there is to it: what it accepts waits (`Outbox`) while it is
 * attached to none, and is carried (`Courier`, protocol §3.6) over the one that it is attached to. It outlives sessions,
 * and knows neither client nor server. A server has one for each device, thousands of them: an empty one has no timer,
 * and one that is attached to no session holds next to nothing.
 */
import { checkChoice, checkOptions, checkSeconds, isBytes, show, toBytes } from '../check.js';
import type { Clock } from '../clock.js';
import { ArgumentError, NotConnectedError, USMPError } from '../errors.js';
import { fragment } from '../wire/fragments.js';
import { Courier, type Carrier, type CourierSettings } from './courier.js';
import { DELIVERY_LIMITS, MAX_KEY_LENGTH } from './limits.js';
import { isKey } from './message.js';
import {
  DELIVERIES,
  Outbox,
  type Delivery,
  type KeptMessage,
  type Outcome,
  type OutboxSettings,
} from './outbox.js';

/** Many mailboxes may share one. */
export interface MailboxSettings extends OutboxSettings, CourierSettings {}

export interface SendOptions {
  /** When it counts as delivered; `confirmed` by default. */
  readonly delivery?: Delivery | undefined;
  /** Latest wins: a newer message of the same key takes the place of one that waits, which is told `replaced`. */
  readonly key?: string | undefined;
  /** Seconds that it may wait, where that is less than the mailbox allows; 0 for no limit of its own. */
  readonly maxAge?: number | undefined;
}

export interface MailboxStats {
  /** Messages that are not delivered yet, and their bytes. */
  readonly queued: number;
  readonly queuedBytes: number;
  /** Of these, messages on their way in the session. */
  readonly underWay: number;
  readonly delivered: number;
  /** Messages that were refused, expired or given up. */
  readonly dropped: number;
  /** Messages whose place a newer one took. */
  readonly replaced: number;
}

type State =
  | { readonly at: 'detached' }
  | { readonly at: 'attached'; readonly carrier: Carrier; readonly courier: Courier };

export class Mailbox {
  readonly #settings: MailboxSettings;
  readonly #outbox: Outbox;
  #state: State = { at: 'detached' };
  /** Why nothing is accepted any more; undefined while it is. */
  #refusal: (() => USMPError) | undefined;
  /** Called when there is nothing left to wait for before the session ends. */
  #onDrained: (() => void)[] = [];

  /** @param onChange called whenever the content has changed. */
  constructor(settings: MailboxSettings, onChange: () => void = () => undefined) {
    this.#settings = settings;
    this.#outbox = new Outbox(settings, () => {
      if (this.#outbox.count === 0) this.#drained();
      onChange();
    });
  }

  get stats(): MailboxStats {
    const {
      count: queued,
      bytes: queuedBytes,
      handed: underWay,
      delivered,
      dropped,
      replaced,
    } = this.#outbox;
    return { queued, queuedBytes, underWay, delivered, dropped, replaced };
  }

  /** Messages that are not delivered yet. */
  get count(): number {
    return this.#outbox.count;
  }

  get isAttached(): boolean {
    return this.#state.at === 'attached';
  }

  /** What is not delivered, for keeping it over a restart. */
  get content(): KeptMessage[] {
    return this.#outbox.content;
  }

  /** There is a session: what waits goes over it. Takes the place of another one. */
  attach(carrier: Carrier): void {
    this.detach();
    this.#state = { at: 'attached', carrier, courier: new Courier(this.#outbox, carrier, this.#settings) };
  }

  /**
   * The session is over: what it did not receipt waits, first and in order, for the next one.
   * @param carrier where another session may have taken its place already: then nothing is done.
   */
  detach(carrier?: Carrier): void {
    const state = this.#state;
    if (state.at === 'detached' || (carrier && carrier !== state.carrier)) return;
    this.#state = { at: 'detached' };
    state.courier.end();
    this.#drained();
  }

  /**
   * Accepts a message of at most 1,808 bytes; a string as UTF-8. At least once, in the order of the calls.
   * @returns a promise of its outcome: `delivered`, `replaced`, or `kept`. It is rejected with USMPError when the
   * message expired (`USMP_EXPIRED`) or was given up (`USMP_OUTBOX_CLOSED`), when it found the mailbox full
   * (`USMP_OUTBOX_FULL`) or shut, with PayloadError when it is too long, and with ArgumentError naming what is unusable.
   */
  async send(message: string | Uint8Array, options: SendOptions = {}): Promise<Outcome> {
    const bytes = toBytes('message', message);
    const { delivery = 'confirmed', key, maxAge } = checkOptions('options', options);
    checkChoice('delivery', delivery, DELIVERIES);
    checkKey(key);
    const maxAgeMs = maxAge === undefined ? 0 : checkSeconds('maxAge', maxAge, DELIVERY_LIMITS.outboxAge);
    fragment(bytes); // refuses a message that is too long before it is accepted
    if (this.#refusal) throw this.#refusal();
    const outcome = this.#outbox.add(bytes, delivery, { key, maxAgeMs });
    this.#pump();
    return outcome;
  }

  /**
   * Puts back what was kept over a restart, before all that is not under way. Its age begins anew.
   * @throws ArgumentError naming `kept` when it is not what `content` gives, PayloadError for a message that is too
   * long, or as `shut` says.
   */
  restore(kept: readonly KeptMessage[]): void {
    if (!Array.isArray(kept)) throw new ArgumentError('kept', 'expected a list of messages');
    const checked = kept.map(checkKept);
    if (this.#refusal) throw this.#refusal();
    this.#outbox.restore(checked);
    this.#pump();
  }

  /** The other side has changed the keys over UDP: all that has no receipt goes again (protocol §3.9). */
  keysChanged(): void {
    if (this.#state.at === 'attached') this.#state.courier.keysChanged();
  }

  /** Changes the session's keys as soon as nothing is under way. @throws NotConnectedError when there is none. */
  async rekey(): Promise<void> {
    if (this.#state.at === 'detached') throw new NotConnectedError('not connected: there is no session');
    await this.#state.courier.rekey();
  }

  /**
   * Asks for the receipts of what is under way at once, for a stop. Resolves when nothing is left, when the session
   * ends, or after so many milliseconds.
   */
  async drain(withinMs: number, timers: Pick<Clock, 'setTimer'> = this.#settings.clock): Promise<void> {
    if (this.#state.at === 'detached' || this.#outbox.count === 0) return;
    const drained = new Promise<void>((resolve) => this.#onDrained.push(resolve));
    const cancel = timers.setTimer(withinMs, () => this.#drained());
    this.#state.courier.hurry();
    await drained;
    cancel();
  }

  /** Accepts nothing more, for this reason; what it has goes on. */
  shut(refusal: () => USMPError = closed): void {
    this.#refusal ??= refusal;
  }

  /**
   * Ends it for good; what is left is given up, which whoever sent it is told.
   * @param outcome `kept` when it is kept elsewhere, and will be put back by `restore`.
   */
  close(outcome?: 'kept'): void {
    this.shut();
    this.detach();
    this.#outbox.close(outcome);
  }

  /**
   * Ends it for good, and leaves to another what is not delivered, with those who wait for it, before all that waits
   * there. To one that is shut nothing can be left: then this is `close`.
   */
  handOver(heir: Mailbox): void {
    if (heir.#refusal) {
      this.close();
      return;
    }
    this.shut();
    this.detach();
    heir.#outbox.takeOver(this.#outbox.release());
    heir.#pump();
  }

  #pump(): void {
    if (this.#state.at === 'attached') this.#state.courier.pump();
  }

  #drained(): void {
    for (const resolve of this.#onDrained.splice(0)) resolve();
  }
}

function checkKey(key: unknown): void {
  if (key === undefined || isKey(key)) return;
  throw new ArgumentError('key', `expected a text of 1 to ${MAX_KEY_LENGTH} characters, got ${show(key)}`);
}

/** @throws ArgumentError naming `kept`, PayloadError. */
export function checkKept(each: Partial<KeptMessage> | null | undefined): KeptMessage {
  const message = toBytes('kept', each?.message);
  fragment(message);
  const delivery = checkChoice('kept', each?.delivery, DELIVERIES);
  const { key, maxAgeMs = 0 } = each ?? {};
  if (key !== undefined && !isKey(key)) {
    throw new ArgumentError('kept', `expected a key as send takes it, got ${show(key)}`);
  }
  if (typeof maxAgeMs !== 'number' || !(maxAgeMs >= 0 && maxAgeMs <= DELIVERY_LIMITS.outboxAge.max * 1000)) {
    throw new ArgumentError('kept', `expected milliseconds in maxAgeMs, got ${show(maxAgeMs)}`);
  }
  return { message, delivery, key, maxAgeMs };
}

/** Whether it is a message to be put back by `restore`: what was kept may have been changed by others. */
export function isKeptMessage(value: unknown): value is KeptMessage {
  try {
    checkKept(value as KeptMessage);
    return isBytes((value as KeptMessage).message);
  } catch {
    return false;
  }
}

const closed = (): USMPError =>
  new USMPError('not sent: closed here already', { code: 'USMP_OUTBOX_CLOSED', fault: 'local' });
