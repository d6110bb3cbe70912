/**
 * The sending half of an established session: takes units off the queue as the transport allows, seals them, and
 * reports what became of them. Over TCP a unit leaves in one write while the socket takes bytes; over UDP one frame at
 * a time until its UTACK (protocol §4). A message's frames are sealed together, so nothing gets between them.
 */
import type { DatagramLink } from '../link/datagram-link.js';
import type { SealedFrame, Session } from '../session/session.js';
import { concat } from '../wire/bytes.js';
import { FrameType } from '../wire/constants.js';
import type { Utack } from '../wire/utack.js';
import type { Liveness } from './liveness.js';
import { SendQueue, type Ticket, type Unit } from './send-queue.js';

export type SenderReport =
  | { readonly type: 'sent'; readonly ticket: Ticket }
  | { readonly type: 'pong'; readonly ticket: Ticket; readonly rttMs: number }
  | { readonly type: 'rekeyed' }
  | { readonly type: 'byeSent' };

export interface SenderOptions {
  readonly session: Session;
  readonly liveness: Liveness;
  /** UDP: does the repeats. Over TCP there is none. */
  readonly link: DatagramLink | undefined;
  readonly transmit: (bytes: Uint8Array) => void;
  readonly report: (report: SenderReport) => void;
}

export class Sender {
  readonly queue = new SendQueue();
  readonly #session: Session;
  readonly #liveness: Liveness;
  readonly #link: DatagramLink | undefined;
  readonly #transmit: SenderOptions['transmit'];
  readonly #report: SenderOptions['report'];
  /** TCP: the socket takes more bytes. */
  #writable = true;
  /** PINGs sent and not answered, oldest first. */
  readonly #pings: { readonly ticket: Ticket | undefined; readonly sentAt: number }[] = [];
  /** UDP: the unit under way and its frames that are not acknowledged. */
  #current: { readonly unit: Unit; readonly frames: SealedFrame[] } | undefined;

  constructor(options: SenderOptions) {
    this.#session = options.session;
    this.#liveness = options.liveness;
    this.#link = options.link;
    this.#transmit = options.transmit;
    this.#report = options.report;
  }

  /** Whether a frame could be sent at once. */
  get isFree(): boolean {
    return this.#link ? !this.#link.busy : this.#writable;
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
      const unit = this.queue.next();
      if (!unit) return;
      this.#begin(unit, now);
    }
  }

  setWritable(writable: boolean, now: number): void {
    this.#writable = writable;
    this.pump(now);
  }

  /** UDP: the frame under way arrived. */
  frameDone(now: number): void {
    this.#current?.frames.shift();
    if (this.#current?.frames.length === 0) {
      const { unit } = this.#current;
      this.#current = undefined;
      this.#done(unit);
    }
    this.pump(now);
  }

  pong(now: number): void {
    const ping = this.#pings.shift();
    if (ping?.ticket !== undefined)
      this.#report({ type: 'pong', ticket: ping.ticket, rttMs: now - ping.sentAt });
    // A PONG acknowledges its PING even when the UTACK was lost.
    if (this.#pings.length === 0 && this.#link?.answered(FrameType.PING)) this.frameDone(now);
  }

  #begin(unit: Unit, now: number): void {
    const frames = this.#seal(unit);
    if (unit.kind === 'ping') {
      this.#pings.push({ ticket: unit.ticket, sentAt: now });
      this.#liveness.pinged(now);
    }
    if (this.#link) {
      this.#current = { unit, frames };
      return;
    }
    this.#transmit(concat(...frames.map(({ bytes }) => bytes)));
    this.#liveness.sent(now);
    this.#done(unit);
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

  #done(unit: Unit): void {
    if (unit.kind === 'message' || unit.kind === 'rekey') this.#report({ type: 'sent', ticket: unit.ticket });
    if (unit.kind === 'rekey') this.#report({ type: 'rekeyed' });
    if (unit.kind === 'bye') this.#report({ type: 'byeSent' });
  }
}
