/**
 * The sending half of an established session: takes units off the queue as the transport allows, seals them, and
 * reports what became of them. Over TCP a unit leaves in one write while the socket takes bytes; over UDP one frame at
 * a time until its UTACK (protocol §4). A message's frames are sealed together, so nothing gets between them.
 *
 * Over UDP new keys have to prove themselves before anything is entrusted to them: a PING goes out at once after a
 * REKEY of either side, and messages wait for its PONG (protocol §3.9).
 */
import { USMPError, USMPTimeoutError } from '../errors.js';
import type { DatagramLink } from '../link/datagram-link.js';
import type { SealedFrame, Session } from '../session/session.js';
import { concat } from '../wire/bytes.js';
import { FrameType } from '../wire/constants.js';
import type { Utack } from '../wire/utack.js';
import type { Liveness } from './liveness.js';
import { Pace } from './pace.js';
import { SendQueue, type Ticket, type Unit } from './send-queue.js';

export type SenderReport =
  | { readonly type: 'sent'; readonly ticket: Ticket }
  | { readonly type: 'pong'; readonly ticket: Ticket; readonly rttMs: number }
  /** A REKEY was not sent, for this reason; the session goes on. */
  | { readonly type: 'refused'; readonly ticket: Ticket; readonly error: USMPError }
  | { readonly type: 'rekeyed'; readonly by: 'us' | 'peer' }
  | { readonly type: 'byeSent' }
  /** The session is over: for this reason. */
  | { readonly type: 'ended'; readonly error: USMPError };

export interface SenderOptions {
  readonly session: Session;
  readonly liveness: Liveness;
  /** UDP: does the repeats. Over TCP there is none. */
  readonly link: DatagramLink | undefined;
  /** What to call the other side in words for people. */
  readonly other: string;
  readonly transmit: (bytes: Uint8Array) => void;
  readonly report: (report: SenderReport) => void;
}

/** How long new keys may take to prove themselves over UDP (protocol §3.9). */
const PROOF_MS = 2_000;

/**
 * Over UDP, frames under one key after which a REKEY makes the reference throw away what follows: its filter for
 * repeats, of 64 numbers, does not begin anew (protocol §3.9).
 */
export const MAX_FRAMES_BEFORE_REKEY = 63;

type Keys =
  | { readonly at: 'proven' }
  /** `ticket`: of the REKEY, when it was this side's; `until`: infinite while this side does not listen. */
  | { readonly at: 'unproven'; readonly ticket: Ticket | undefined; until: number };

/** A PING that was sent and not answered. */
interface UnansweredPing {
  readonly tickets: Ticket[];
  readonly sentAt: number;
  /** The keys as they were when it was sealed. */
  readonly keys: Keys;
}

export class Sender {
  readonly #session: Session;
  readonly #liveness: Liveness;
  readonly #link: DatagramLink | undefined;
  readonly #other: string;
  readonly #transmit: SenderOptions['transmit'];
  readonly #report: SenderOptions['report'];
  readonly #pace = new Pace();
  readonly queue = new SendQueue(this.#pace);
  /** TCP: the socket takes more bytes. */
  #writable = true;
  /** Oldest first; a PONG answers the oldest. */
  readonly #pings: UnansweredPing[] = [];
  /** The last of them, while no message has left since: it proves as much as a new one would. */
  #joinable: UnansweredPing | undefined;
  /** UDP: the unit under way and its frames that are not acknowledged. */
  #current: { readonly unit: Unit; readonly frames: SealedFrame[] } | undefined;
  #keys: Keys = { at: 'proven' };

  constructor(options: SenderOptions) {
    this.#session = options.session;
    this.#liveness = options.liveness;
    this.#link = options.link;
    this.#other = options.other;
    this.#transmit = options.transmit;
    this.#report = options.report;
  }

  /** Whether a frame could be sent at once. */
  get isFree(): boolean {
    return this.#link ? !this.#link.busy : this.#writable;
  }

  /** Queues a PING behind all messages so far, or joins one that is under way where that comes to the same. */
  ping(ticket: Ticket, now: number): void {
    if (this.#joinable && this.queue.isEmpty) {
      this.#joinable.tickets.push(ticket);
      return;
    }
    this.queue.add({ kind: 'ping', tickets: [ticket] });
    this.pump(now);
  }

  /** When `tick` is due. */
  get deadline(): number {
    const paced = this.isFree ? this.queue.dueAt : Infinity;
    return this.#keys.at === 'unproven' ? Math.min(this.#keys.until, paced) : paced;
  }

  tick(now: number): void {
    if (this.#keys.at === 'unproven' && now >= this.#keys.until) {
      // A peer that can read it comes back at once.
      this.#transmit(this.#session.sealControl(FrameType.BYE).bytes);
      const text = `the ${this.#other} did not answer under the new keys; the session has to be opened again`;
      this.#report({
        type: 'ended',
        error: new USMPTimeoutError(text, { code: 'USMP_REKEY_UNANSWERED', fault: 'peer' }),
      });
      return;
    }
    this.pump(now);
  }

  /**
   * Sends as much of the queue as the transport takes.
   * @throws SequenceError when the counter is at its end.
   */
  pump(now: number): void {
    while (this.isFree) {
      const frame = this.#current?.frames[0];
      if (frame) {
        this.#sendDatagram(frame, now);
        return;
      }
      const unit = this.queue.next(now);
      if (!unit) return;
      if (unit.kind === 'rekey' && !this.#mayRekey(unit.force)) this.#refuse(unit.ticket);
      else this.#begin(unit, now);
    }
  }

  setWritable(writable: boolean, now: number): void {
    this.#writable = writable;
    this.pump(now);
  }

  /** Whether this side takes what the peer sends; while it does not, no PONG can come. */
  setListening(listening: boolean, now: number): void {
    if (this.#keys.at === 'unproven') this.#keys.until = listening ? now + PROOF_MS : Infinity;
  }

  /** UDP: the frame under way arrived. */
  frameDone(now: number): void {
    this.#current?.frames.shift();
    if (this.#current?.frames.length === 0) {
      const { unit } = this.#current;
      this.#current = undefined;
      this.#done(unit, now);
    }
    this.pump(now);
  }

  pong(now: number): void {
    const ping = this.#pings.shift();
    if (this.#pings.length === 0) this.#joinable = undefined;
    this.#liveness.ponged(this.#pings[0]?.sentAt);
    if (!ping) return;
    for (const ticket of ping.tickets) this.#report({ type: 'pong', ticket, rttMs: now - ping.sentAt });
    if (ping.keys === this.#keys) this.#keysProven();
    // A PONG acknowledges its PING even when the UTACK was lost.
    if (this.#pings.length === 0 && this.#link?.answered(FrameType.PING)) this.frameDone(now);
    else this.pump(now);
  }

  /**
   * The peer has changed the keys. Over UDP the reference acknowledges what still arrives under the old ones and throws
   * it away (protocol §3.9), so a message under way is sealed anew.
   */
  peerRekeyed(now: number): void {
    if (this.#link) {
      if (this.#current?.unit.kind === 'message') {
        this.queue.putBack(this.#current.unit);
        this.#current = undefined;
        this.#link.drop();
      }
      this.#proveKeys(undefined, now);
    }
    this.pump(now);
  }

  #mayRekey(force: boolean): boolean {
    return !this.#link || force || this.#session.sealed <= MAX_FRAMES_BEFORE_REKEY;
  }

  #refuse(ticket: Ticket): void {
    const text =
      `over UDP the keys can be changed within the first ${MAX_FRAMES_BEFORE_REKEY} frames only, as some USMP software ` +
      'loses what follows: open a new session instead, or force it if the other side is known to be free of that';
    const error = new USMPError(text, { code: 'USMP_REKEY_TOO_LATE', fault: 'local' });
    this.#report({ type: 'refused', ticket, error });
  }

  #begin(unit: Unit, now: number): void {
    const frames = this.#seal(unit);
    if (unit.kind === 'ping') {
      this.#joinable = { tickets: unit.tickets, sentAt: now, keys: this.#keys };
      this.#pings.push(this.#joinable);
      this.#liveness.pinged(now);
    }
    if (unit.kind === 'ping' || unit.kind === 'pong') this.#pace.controlSent(now);
    if (unit.kind === 'message') {
      this.#pace.messageSent();
      this.#joinable = undefined;
    }
    if (this.#link) {
      this.#current = { unit, frames };
      return;
    }
    this.#transmit(concat(...frames.map(({ bytes }) => bytes)));
    this.#liveness.sent(now);
    this.#done(unit, now);
  }

  #seal(unit: Unit): SealedFrame[] {
    switch (unit.kind) {
      case 'message':
        return this.#session.sealMessage(unit.data);
      case 'ping':
        return [this.#session.sealControl(FrameType.PING)];
      case 'pong':
        return [this.#session.sealControl(FrameType.PONG)];
      case 'rekey':
        return [this.#session.sealRekey()];
      case 'bye':
        return [this.#session.sealControl(FrameType.BYE)];
    }
  }

  #sendDatagram(frame: SealedFrame, now: number): void {
    this.#transmit(frame.bytes);
    const acknowledgedBy = ({ mac }: Utack): boolean =>
      mac !== undefined && this.#session.acknowledges(mac, frame);
    this.#link?.sent({ ...frame, acknowledgedBy }, now);
    this.#liveness.sent(now);
  }

  #done(unit: Unit, now: number): void {
    switch (unit.kind) {
      case 'message':
        this.#report({ type: 'sent', ticket: unit.ticket });
        break;
      case 'rekey':
        this.#report({ type: 'rekeyed', by: 'us' });
        if (this.#link) this.#proveKeys(unit.ticket, now);
        else this.#report({ type: 'sent', ticket: unit.ticket });
        break;
      case 'bye':
        this.#report({ type: 'byeSent' });
        break;
      default:
    }
  }

  #proveKeys(ticket: Ticket | undefined, now: number): void {
    const waiting = this.#keys.at === 'unproven' ? this.#keys.ticket : undefined;
    this.#keys = { at: 'unproven', ticket: ticket ?? waiting, until: now + PROOF_MS };
    this.queue.setHeld(true);
    this.queue.addUrgentPing();
  }

  #keysProven(): void {
    const keys = this.#keys;
    if (keys.at !== 'unproven') return;
    this.#keys = { at: 'proven' };
    this.queue.setHeld(false);
    if (keys.ticket !== undefined) this.#report({ type: 'sent', ticket: keys.ticket });
  }
}
