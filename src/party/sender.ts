/**
 * The sending half of an established session: takes units off the queue as the link allows, seals them, and reports
 * what became of them. A message's frames are sealed together, so nothing gets between them.
 *
 * Where a REKEY is risky, new keys have to prove themselves before anything is entrusted to them: a PING goes out at
 * once after a REKEY of either side, and messages wait for its PONG (protocol §3.9).
 */
import { USMPError, USMPTimeoutError } from '../errors.js';
import type { Link, Outgoing } from '../link/link.js';
import type { SealedFrame, Session } from '../session/session.js';
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
  readonly link: Link;
  /** What to call the other side in words for people. */
  readonly other: string;
  readonly report: (report: SenderReport) => void;
}

/** How long new keys may take to prove themselves (protocol §3.9). */
const PROOF_MS = 2_000;

/**
 * Over datagrams, frames under one key after which a REKEY makes the reference throw away what follows: its filter
 * for repeats, of 64 numbers, does not begin anew (protocol §3.9).
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
  readonly #link: Link;
  readonly #other: string;
  readonly #report: SenderOptions['report'];
  readonly #pace = new Pace();
  readonly queue = new SendQueue(this.#pace);
  /** Oldest first; a PONG answers the oldest. */
  readonly #pings: UnansweredPing[] = [];
  /** The last of them, while no message has left since: it proves as much as a new one would. */
  #joinable: UnansweredPing | undefined;
  /** The unit under way and its frames that are not done with. */
  #current: { readonly unit: Unit; readonly frames: Outgoing[] } | undefined;
  #keys: Keys = { at: 'proven' };

  constructor(options: SenderOptions) {
    this.#session = options.session;
    this.#liveness = options.liveness;
    this.#link = options.link;
    this.#other = options.other;
    this.#report = options.report;
  }

  message(ticket: Ticket, data: Uint8Array, now: number): void {
    this.queue.add({ kind: 'message', ticket, data });
    this.pump(now);
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

  /**
   * Queues a REKEY behind all messages so far.
   * @param force also where it is late (protocol §3.9).
   */
  rekey(ticket: Ticket, force: boolean, now: number): void {
    if (!this.#session.canRekey || this.queue.has('rekey')) {
      const text = 'a change of keys is under way already';
      throw new USMPError(text, { code: 'USMP_REKEY_PENDING', fault: 'local' });
    }
    this.queue.add({ kind: 'rekey', ticket, force });
    this.pump(now);
  }

  bye(now: number): void {
    this.queue.addBye();
    this.pump(now);
  }

  /** There is no more time: a BYE that is still queued goes out past the queue, if the link takes it. */
  giveUp(): void {
    if (this.queue.has('bye')) this.#link.sendLast(this.#session.sealControl(FrameType.BYE).bytes);
  }

  /** When `tick` is due. */
  get deadline(): number {
    const paced = this.#link.isFree ? this.queue.dueAt : Infinity;
    return this.#keys.at === 'unproven' ? Math.min(this.#keys.until, paced) : paced;
  }

  tick(now: number): void {
    if (this.#keys.at === 'unproven' && now >= this.#keys.until) {
      // A peer that can read it comes back at once.
      this.#link.sendLast(this.#session.sealControl(FrameType.BYE).bytes);
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
   * Sends as much of the queue as the link takes.
   * @throws SequenceError when the counter is at its end.
   */
  pump(now: number): void {
    while (this.#link.isFree) {
      if (this.#current) {
        const done = this.#link.send(this.#current.frames, now);
        this.#liveness.sent(now);
        this.#framesDone(done, now);
        continue;
      }
      const unit = this.queue.next(now);
      if (!unit) return;
      if (unit.kind === 'rekey' && !this.#mayRekey(unit.force)) this.#refuse(unit.ticket);
      else this.#begin(unit, now);
    }
  }

  /** Whether this side takes what the peer sends; while it does not, no PONG can come. */
  setListening(listening: boolean, now: number): void {
    if (this.#keys.at === 'unproven') this.#keys.until = listening ? now + PROOF_MS : Infinity;
  }

  /** The frame under way arrived. */
  frameDone(now: number): void {
    this.#framesDone(1, now);
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
    if (this.#pings.length === 0 && this.#link.answered(FrameType.PING)) this.frameDone(now);
    else this.pump(now);
  }

  /**
   * The peer has changed the keys. The reference acknowledges what still arrives under the old ones and throws it away
   * (protocol §3.9), so a message under way is sealed anew.
   */
  peerRekeyed(now: number): void {
    if (this.#current?.unit.kind === 'message') {
      this.queue.putBack(this.#current.unit);
      this.#current = undefined;
      this.#link.drop();
    }
    if (this.#link.isRekeyRisky) this.#proveKeys(undefined, now);
    this.pump(now);
  }

  #mayRekey(force: boolean): boolean {
    return !this.#link.isRekeyRisky || force || this.#session.sealed <= MAX_FRAMES_BEFORE_REKEY;
  }

  #refuse(ticket: Ticket): void {
    const text =
      `over UDP the keys can be changed within the first ${MAX_FRAMES_BEFORE_REKEY} frames only, as some USMP software ` +
      'loses what follows: open a new session instead, or force it if the other side is known to be free of that';
    const error = new USMPError(text, { code: 'USMP_REKEY_TOO_LATE', fault: 'local' });
    this.#report({ type: 'refused', ticket, error });
  }

  #begin(unit: Unit, now: number): void {
    const frames = this.#seal(unit).map((frame) => this.#outgoing(frame));
    if (unit.kind === 'ping') {
      this.#joinable = { tickets: unit.tickets, sentAt: now, keys: this.#keys };
      this.#pings.push(this.#joinable);
      this.#liveness.pinged(now);
    }
    if (unit.kind === 'ping' || (unit.kind === 'pong' && unit.isPaced)) this.#pace.controlSent(now);
    if (unit.kind === 'message') {
      this.#pace.messageSent();
      this.#joinable = undefined;
    }
    this.#current = { unit, frames };
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

  #outgoing(frame: SealedFrame): Outgoing {
    const acknowledgedBy = ({ mac }: Utack): boolean =>
      mac !== undefined && this.#session.acknowledges(mac, frame);
    return { ...frame, acknowledgedBy };
  }

  #framesDone(count: number, now: number): void {
    const current = this.#current;
    if (!current) return;
    current.frames.splice(0, count);
    if (current.frames.length > 0) return;
    this.#current = undefined;
    this.#done(current.unit, now);
  }

  #done(unit: Unit, now: number): void {
    switch (unit.kind) {
      case 'message':
        this.#report({ type: 'sent', ticket: unit.ticket });
        break;
      case 'rekey':
        this.#report({ type: 'rekeyed', by: 'us' });
        if (this.#link.isRekeyRisky) this.#proveKeys(unit.ticket, now);
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
