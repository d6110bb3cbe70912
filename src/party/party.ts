/**
 * One end of one session, from its first byte to its last, without socket, clock or callback: bytes and time go
 * in, bytes and events come out (`take`). It joins the handshake (protocol §2), the session (§3) and, over UDP, the
 * repeats (§4), and decides what a fault means: TCP ends, UDP drops the datagram and lives on.
 */
import type { Suite } from '../crypto/aead.js';
import type { Random } from '../crypto/random.js';
import { ConnectionClosedError, NotConnectedError, USMPError, USMPTimeoutError } from '../errors.js';
import type { Established, Handshake, KeyUsed } from '../handshake/handshake.js';
import { wipePsks, type Psks } from '../handshake/server.js';
import { DatagramLink, type Silence } from '../link/datagram-link.js';
import { Session } from '../session/session.js';
import { FrameType } from '../wire/constants.js';
import { Deframer } from '../wire/deframer.js';
import { fragment } from '../wire/fragments.js';
import { decodeFrame, type Frame } from '../wire/frame.js';
import { decodeUtack, encodeUtack } from '../wire/utack.js';
import { Handshaking, type HandshakeReport } from './handshaking.js';
import type { LivenessTimes } from './liveness.js';
import { Running, type RunningReport } from './running.js';
import type { Sender } from './sender.js';
import type { Ticket } from './send-queue.js';

export interface PartyTimes extends LivenessTimes {
  /** For the whole handshake. */
  readonly handshakeMs: number;
}

export interface PartyOptions {
  readonly handshake: Handshake;
  readonly transport: 'tcp' | 'udp';
  readonly suite: Suite;
  readonly random: Random;
  readonly times: PartyTimes;
}

export type PartyEvent =
  /** Server: answer with `providePsk` or `failPsk`. */
  | { readonly type: 'pskWanted'; readonly deviceId: Uint8Array }
  | {
      readonly type: 'established';
      readonly sessionId: Uint8Array;
      readonly deviceId: Uint8Array;
      readonly key?: KeyUsed | undefined;
    }
  /** The first authenticated frame of the other side: only now is the session known to live (protocol §5.2). */
  | { readonly type: 'proven' }
  | { readonly type: 'message'; readonly data: Uint8Array }
  /** Handed to the transport (TCP) or acknowledged by UTACK (UDP). */
  | { readonly type: 'sent'; readonly ticket: Ticket }
  | { readonly type: 'pong'; readonly ticket: Ticket; readonly rttMs: number }
  /** The request came to nothing, for this reason; the session goes on. */
  | { readonly type: 'refused'; readonly ticket: Ticket; readonly error: USMPError }
  | { readonly type: 'rekeyed'; readonly by: 'us' | 'peer' }
  /** The last event. Without `error` the close was asked for here. */
  | { readonly type: 'closed'; readonly error?: USMPError };

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'handshaking'; readonly handshaking: Handshaking }
  | { readonly at: 'established'; readonly running: Running }
  | { readonly at: 'closing'; readonly running: Running; readonly deadline: number }
  | { readonly at: 'closed' };

/** Repeat timeouts before a round trip was measured (protocol §4.2); towards a device §7.3, and in its handshake §7.6. */
const REPEATS = {
  client: { initialTimeoutMs: 500 },
  server: { initialTimeoutMs: 200, handshakeTimeoutMs: 1_000 },
} as const;

/** Whether the other side has ended the connection, by what the system says. A network that fails shows in another way. */
export const isClosedByPeer = (cause: NodeJS.ErrnoException | undefined): boolean =>
  !cause || cause.code === 'ECONNRESET' || cause.code === 'EPIPE';

const always = (): boolean => true;

export class Party {
  readonly #options: PartyOptions;
  readonly #handshake: Handshake;
  readonly #deframer = new Deframer();
  /** UDP: the repeats of the one frame under way. */
  readonly #link: DatagramLink | undefined;
  #state: State = { at: 'idle' };
  #outbound: Uint8Array[] = [];
  #events: PartyEvent[] = [];
  #nextTicket: Ticket = 1;
  /** UDP: messages are taken; otherwise they stay unacknowledged and come again. */
  #receiving = true;

  constructor(options: PartyOptions) {
    this.#options = options;
    this.#handshake = options.handshake;
    if (options.transport === 'udp') this.#link = new DatagramLink(REPEATS[options.handshake.role]);
  }

  get state(): State['at'] {
    return this.#state.at;
  }

  /** Whether it works on datagrams, which may be lost, and not on a stream. */
  get isDatagram(): boolean {
    return this.#link !== undefined;
  }

  /** Frames sealed under the present keys. */
  get framesSealed(): number {
    const state = this.#state;
    return state.at === 'established' || state.at === 'closing' ? state.running.session.sealed : 0;
  }

  /** UDP: datagrams that were sent again. */
  get repeats(): number {
    return this.#link?.repeats ?? 0;
  }

  /** Takes out what has come up since the last call: bytes to send (over UDP a datagram each) and events, in order. */
  take(): { outbound: Uint8Array[]; events: PartyEvent[] } {
    const taken = { outbound: this.#outbound, events: this.#events };
    this.#outbound = [];
    this.#events = [];
    return taken;
  }

  /** When `tick` is due; undefined when nothing is waited for. */
  get deadline(): number | undefined {
    if (this.#hasEnded()) return undefined;
    const earliest = Math.min(this.#ownDeadline, this.#link?.deadline ?? Infinity);
    return earliest === Infinity ? undefined : earliest;
  }

  /** Begins: a client sends HELLO, a server waits for it. */
  start(now: number): void {
    const handshaking = new Handshaking(
      {
        handshake: this.#handshake,
        link: this.#link,
        transmit: (bytes) => this.#outbound.push(bytes),
        acknowledge: (frame) => this.#utack(frame),
        report: (report) => this.#handshakeReport(report),
      },
      now + this.#options.times.handshakeMs,
    );
    this.#state = { at: 'handshaking', handshaking };
    handshaking.start(now);
  }

  /**
   * Bytes from the transport: any part of a stream, or one datagram.
   * @param mayGoOn asked before each further frame of a stream.
   * @returns false when it was told to stop: `proceed` goes on.
   */
  receive(bytes: Uint8Array, now: number, mayGoOn = always): boolean {
    if (this.#hasEnded()) return true;
    if (this.#link) {
      this.#datagram(this.#link, bytes, now);
      return true;
    }
    this.#deframer.add(bytes);
    return this.proceed(now, mayGoOn);
  }

  /** TCP: goes on with what was left when `receive` or `proceed` was told to stop. @returns as `receive`. */
  proceed(now: number, mayGoOn = always): boolean {
    while (this.#nextFrame(now)) if (!mayGoOn()) return this.#hasEnded();
    return true;
  }

  tick(now: number): void {
    const silence = this.#link?.silence(now);
    const again = this.#link?.tick(now);
    if (again === 'lost') this.#lost(silence);
    else if (again) this.#outbound.push(again);
    const state = this.#state;
    if (state.at === 'handshaking') state.handshaking.tick(now);
    else if (state.at === 'closing' && now >= state.deadline)
      this.#live((running) => this.#giveUpClosing(running));
    else this.#live((running) => running.tick(now));
  }

  /** The transport is gone; `cause` says why, where it knows. */
  transportClosed(cause?: NodeJS.ErrnoException): void {
    switch (this.#state.at) {
      case 'closing':
        this.#end({ type: 'closed' });
        break;
      case 'established':
        this.#fail(this.#broken(cause));
        break;
      default:
        // A side that refuses closes the connection.
        this.#fail(isClosedByPeer(cause) ? this.#handshake.failure({ by: 'close' }) : this.#broken(cause));
    }
  }

  /** Ends with this error and without BYE. */
  abort(error: USMPError): void {
    this.#fail(error);
  }

  /** TCP: whether the socket takes more bytes. */
  setWritable(writable: boolean, now: number): void {
    this.#live(({ sender }) => sender.setWritable(writable, now));
  }

  /**
   * Whether the messages of the other side are taken. Over UDP they stay unacknowledged meanwhile and come again; all
   * else goes on, as nothing overtakes a message there (protocol §4). Over TCP it is the caller that does not read.
   */
  setReceiving(receiving: boolean, now: number): void {
    this.#receiving = receiving;
    this.#live((running) => running.setListening(receiving, now));
  }

  /** Server: the answer to `pskWanted`, which is wiped here; undefined for an unknown device. */
  providePsk(psk: Psks, now: number): void {
    const state = this.#state;
    if (state.at === 'handshaking') this.#attempt(() => state.handshaking.providePsk(psk, now));
    else wipePsks(psk);
  }

  /** Server: the look-up that `pskWanted` asked for failed. */
  failPsk(cause: unknown): void {
    if (this.#state.at === 'handshaking') this.#state.handshaking.failPsk(cause);
  }

  /**
   * Queues a message. Its outcome is a `sent` event, or `closed`.
   * @throws PayloadError when it is too long, NotConnectedError without a session, USMPError when the queue is full.
   */
  send(message: Uint8Array, now: number): Ticket {
    fragment(message); // refuses a message that is too long before anything is queued
    const data = Uint8Array.from(message);
    return this.#request((sender, ticket) => {
      sender.queue.add({ kind: 'message', ticket, data });
      sender.pump(now);
    });
  }

  /** Queues a PING behind all messages so far. Its outcome is a `pong` event, or `closed`. */
  ping(now: number): Ticket {
    return this.#request((sender, ticket) => sender.ping(ticket, now));
  }

  /**
   * Queues a REKEY behind all messages so far. Its outcome is a `sent` event, which over UDP comes when the new keys
   * have proven themselves, a `refused` event, or `closed`.
   * @param force over UDP, also after 63 frames (protocol §3.9).
   */
  rekey(now: number, force = false): Ticket {
    if (this.#state.at === 'established') {
      const { session, sender } = this.#state.running;
      if (!session.canRekey || sender.queue.has('rekey')) {
        throw new USMPError('a change of keys is under way already', {
          code: 'USMP_REKEY_PENDING',
          fault: 'local',
        });
      }
    }
    return this.#request((sender, ticket) => {
      sender.queue.add({ kind: 'rekey', ticket, force });
      sender.pump(now);
    });
  }

  /** Takes back the messages that wait to be sent. @returns their tickets, of which no more is heard. */
  withdraw(): Ticket[] {
    let tickets: Ticket[] = [];
    this.#live(({ sender }) => (tickets = sender.queue.withdraw()));
    return tickets;
  }

  /**
   * Sends what is queued, then BYE, and closes; after `timeoutMs` at the latest, as a gateway may never acknowledge
   * a BYE (protocol §3.7).
   */
  close(now: number, timeoutMs: number): void {
    const state = this.#state;
    if (state.at === 'closing' || state.at === 'closed') return;
    if (state.at !== 'established') {
      this.#end({ type: 'closed' });
      return;
    }
    this.#state = { ...state, at: 'closing', deadline: now + timeoutMs };
    this.#live(({ sender }) => {
      sender.queue.addBye();
      sender.pump(now);
    });
  }

  /** A method, as the state changes under way and a property would be taken for constant. */
  #hasEnded(): boolean {
    return this.#state.at === 'closed';
  }

  get #other(): string {
    return this.#handshake.role === 'client' ? 'gateway' : 'device';
  }

  get #ownDeadline(): number {
    const state = this.#state;
    switch (state.at) {
      case 'handshaking':
        return state.handshaking.deadline;
      case 'established':
        return state.running.deadline;
      case 'closing':
        return Math.min(state.deadline, state.running.deadline);
      default:
        return Infinity;
    }
  }

  /** Whatever is wrong in here ends the session. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(asUSMPError(error));
    }
  }

  #live(action: (running: Running) => void): void {
    const state = this.#state;
    if (state.at === 'established' || state.at === 'closing') this.#attempt(() => action(state.running));
  }

  // Receiving

  /** TCP: deals with the next whole frame. @returns false when there is none. */
  #nextFrame(now: number): boolean {
    let frame: Frame | undefined;
    this.#attempt(() => {
      frame = this.#hasEnded() ? undefined : this.#deframer.next();
      if (frame) this.#frame(frame, now);
    });
    return frame !== undefined;
  }

  #datagram(link: DatagramLink, bytes: Uint8Array, now: number): void {
    const utack = decodeUtack(bytes);
    if (utack) {
      if (link.utack(utack, now)) this.#live(({ sender }) => sender.frameDone(now));
      return;
    }
    const state = this.#state;
    try {
      const frame = decodeFrame(bytes);
      if (link.hasHandled(bytes)) this.#utack(frame);
      else if (state.at === 'handshaking') state.handshaking.receiveDatagram(frame, bytes, now);
      else if (this.#receiving || !isMessagePart(frame)) this.#frame(frame, now);
    } catch (error) {
      const fault = asUSMPError(error);
      if (state.at === 'handshaking') state.handshaking.suspect(fault, now);
    }
  }

  /** @throws USMPError for what ends a TCP session and is dropped on UDP. */
  #frame(frame: Frame, now: number): void {
    const state = this.#state;
    if (state.at === 'handshaking') state.handshaking.receive(frame, now);
    else if (state.at === 'established' || state.at === 'closing') state.running.receive(frame, now);
  }

  #utack({ type, seq }: Frame, mac?: Uint8Array): void {
    this.#outbound.push(encodeUtack({ type, seq, ...(mac && { mac }) }));
  }

  // Handshake

  #handshakeReport(report: HandshakeReport): void {
    switch (report.type) {
      case 'pskWanted':
        this.#events.push(report);
        break;
      case 'done':
        this.#establish(report.established, report.now);
        break;
      case 'failed':
        this.#fail(report.error);
    }
  }

  #establish({ sessionId, deviceId, txKey, rxKey, key }: Established, now: number): void {
    const { suite, transport, random, times } = this.#options;
    const running = new Running(
      {
        session: new Session({ sessionId, txKey, rxKey, suite, transport, random }),
        times,
        link: this.#link,
        other: this.#other,
        transmit: (bytes) => this.#outbound.push(bytes),
        acknowledge: (frame, mac) => this.#utack(frame, mac),
        report: (report) => this.#report(report),
      },
      now,
    );
    running.setListening(this.#receiving, now);
    this.#state = { at: 'established', running };
    this.#events.push({ type: 'established', sessionId, deviceId, ...(key && { key }) });
  }

  // Sending

  #request(ask: (sender: Sender, ticket: Ticket) => void): Ticket {
    const state = this.#state;
    if (state.at !== 'established') throw new NotConnectedError();
    const ticket = this.#nextTicket++;
    ask(state.running.sender, ticket);
    return ticket;
  }

  #report(report: RunningReport): void {
    switch (report.type) {
      case 'byeSent':
        this.#end({ type: 'closed' });
        break;
      case 'ended':
        // The other side's BYE is no failure when this side was about to say it, too.
        if (this.#state.at === 'closing' && report.error.code === 'USMP_BYE') this.#end({ type: 'closed' });
        else this.#fail(report.error);
        break;
      default:
        this.#events.push(report);
    }
  }

  // Ending

  /** UDP: a frame was sent as often as it may be, and was not acknowledged. */
  #lost(silence: Silence | undefined): void {
    if (this.#state.at === 'handshaking') {
      this.#state.handshaking.lost(silence);
      return;
    }
    const text = `the ${this.#other} no longer acknowledges: it or the network is down`;
    const values = { silentMs: silence?.ms ?? 0 };
    this.#fail(new USMPTimeoutError(text, { code: 'USMP_NO_ACK', values }));
  }

  #broken(cause: Error | undefined): USMPError {
    const text = `the connection to the ${this.#other} broke`;
    return new ConnectionClosedError(text, { code: 'USMP_LOST', cause });
  }

  /** The time to close is over: a BYE that is still queued goes out past the queue, if the transport takes it. */
  #giveUpClosing({ session, sender }: Running): void {
    if (sender.queue.has('bye') && (this.#link || sender.isFree)) {
      this.#outbound.push(session.sealControl(FrameType.BYE).bytes);
    }
    this.#end({ type: 'closed' });
  }

  #fail(error: USMPError): void {
    this.#end({ type: 'closed', error });
  }

  #end(event: PartyEvent): void {
    const state = this.#state;
    if (state.at === 'closed') return;
    if (state.at === 'established' || state.at === 'closing') state.running.session.wipe();
    this.#handshake.wipe();
    this.#state = { at: 'closed' };
    this.#events.push(event);
  }
}

const isMessagePart = ({ type }: Frame): boolean => type === FrameType.DATA || type === FrameType.DATA_FRAG;

/** Errors of our own making pass through; anything else is a bug here and must not pass for a peer's fault. */
function asUSMPError(error: unknown): USMPError {
  if (error instanceof USMPError) return error;
  throw error;
}
