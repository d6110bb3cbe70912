/**
 * One end of one session, from its first byte to its last, without socket, clock or callback: bytes and time go
 * in, bytes and events come out (`take`). It joins the handshake (protocol §2) and the session (§3) with the link that
 * they travel on (§1, §4).
 */
import type { Suite } from '../crypto/aead.js';
import type { Random } from '../crypto/random.js';
import { ConnectionClosedError, NotConnectedError, USMPError, USMPTimeoutError } from '../errors.js';
import type { Established, Handshake } from '../handshake/handshake.js';
import { wipePsks, type Psks } from '../handshake/server.js';
import type { Arrival, Link, Silence } from '../link/link.js';
import { Session } from '../session/session.js';
import { fragment } from '../wire/fragments.js';
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
  /** For this session alone. */
  readonly link: Link;
  readonly suite: Suite;
  readonly random: Random;
  readonly times: PartyTimes;
}

export type PartyEvent =
  /** Server: answer with `providePsk` or `failPsk`. */
  | { readonly type: 'pskWanted'; readonly deviceId: Uint8Array }
  | ({ readonly type: 'established' } & Pick<Established, 'sessionId' | 'deviceId' | 'key'>)
  | Exclude<RunningReport, { readonly type: 'byeSent' | 'ended' }>
  /** The last event. Without `error` the close was asked for here. */
  | { readonly type: 'closed'; readonly error?: USMPError };

type State =
  | { readonly at: 'idle'; readonly options: PartyOptions }
  | { readonly at: 'handshaking'; readonly options: PartyOptions; readonly handshaking: Handshaking }
  | { readonly at: 'established'; readonly running: Running }
  | { readonly at: 'closing'; readonly running: Running; readonly deadline: number }
  | { readonly at: 'closed' };

/** Whether the other side has ended the connection, by what the system says. A network that fails shows in another way. */
export const isClosedByPeer = (cause: NodeJS.ErrnoException | undefined): boolean =>
  !cause || cause.code === 'ECONNRESET' || cause.code === 'EPIPE';

const always = (): boolean => true;

export class Party {
  readonly #link: Link;
  /** What to call the other side in words for people. */
  readonly #other: 'gateway' | 'device';
  /** The handshake and all that it needs are let go with its state: most sessions are idle, and there are many. */
  #state: State;
  #events: PartyEvent[] = [];
  #nextTicket: Ticket = 1;

  constructor(options: PartyOptions) {
    this.#state = { at: 'idle', options };
    this.#link = options.link;
    this.#other = options.handshake.role === 'client' ? 'gateway' : 'device';
  }

  get state(): State['at'] {
    return this.#state.at;
  }

  get isClient(): boolean {
    return this.#other === 'gateway';
  }

  /** Whether it works on datagrams, which may be lost, and not on a stream. */
  get isDatagram(): boolean {
    return this.#link.kind === 'datagram';
  }

  /** Frames of the other side that authenticated and were no repeats. */
  get framesHeard(): number {
    return this.#running?.heard ?? 0;
  }

  /** Frames that were sent again. */
  get repeats(): number {
    return this.#link.repeats;
  }

  /** Takes out what has come up since the last call: bytes to send (a datagram each) and events, in order. */
  take(): { outbound: Uint8Array[]; events: PartyEvent[] } {
    const taken = { outbound: this.#link.take(), events: this.#events };
    this.#events = [];
    return taken;
  }

  /** When `tick` is due; undefined when nothing is waited for. */
  get deadline(): number | undefined {
    if (this.#hasEnded()) return undefined;
    const earliest = Math.min(this.#ownDeadline, this.#link.deadline ?? Infinity);
    return earliest === Infinity ? undefined : earliest;
  }

  /** Begins: a client sends HELLO, a server waits for it. */
  start(now: number): void {
    const state = this.#state;
    if (state.at !== 'idle') return;
    const { options } = state;
    const { handshake, link, times } = options;
    const handshaking = new Handshaking(
      { handshake, link, report: (report) => this.#handshakeReport(options, report) },
      now + times.handshakeMs,
    );
    this.#state = { at: 'handshaking', options, handshaking };
    handshaking.start(now);
  }

  /**
   * Bytes from the transport: any part of a stream, or one datagram.
   * @param mayGoOn asked before each further frame.
   * @returns false when it was told to stop: `proceed` goes on.
   */
  receive(bytes: Uint8Array, now: number, mayGoOn = always): boolean {
    if (this.#hasEnded()) return true;
    this.#link.add(bytes);
    return this.proceed(now, mayGoOn);
  }

  /** Goes on with what was left when `receive` or `proceed` was told to stop. @returns as `receive`. */
  proceed(now: number, mayGoOn = always): boolean {
    while (this.#next(now)) if (this.#link.holdsMore && !mayGoOn()) return this.#hasEnded();
    return true;
  }

  tick(now: number): void {
    const silence = this.#link.tick(now);
    if (silence) this.#lost(silence);
    const state = this.#state;
    if (state.at === 'handshaking') state.handshaking.tick(now);
    else if (state.at === 'closing' && now >= state.deadline) this.#giveUpClosing();
    else this.#live((running) => running.tick(now));
  }

  /** The transport is gone; `cause` says why, where it knows. */
  transportClosed(cause?: NodeJS.ErrnoException): void {
    const state = this.#state;
    const isOpening = state.at === 'idle' || state.at === 'handshaking';
    if (state.at === 'closing') this.#end({ type: 'closed' });
    // A side that refuses closes the connection.
    else if (isOpening && isClosedByPeer(cause)) this.#fail(state.options.handshake.failure({ by: 'close' }));
    else this.#fail(this.#broken(cause));
  }

  /** Ends with this error and without BYE. */
  abort(error: USMPError): void {
    this.#fail(error);
  }

  /** Whether the transport takes more bytes. */
  setWritable(writable: boolean, now: number): void {
    this.#link.setWritable(writable);
    this.#live(({ sender }) => sender.pump(now));
  }

  /** Datagrams: the other side has shown that it is at another address now. */
  readonly moved = (now: number): void => this.#live(() => this.#link.moved(now));

  /** Whether the messages of the other side are taken; of a stream the caller reads nothing meanwhile. */
  setReceiving(receiving: boolean, now: number): void {
    this.#link.isTaking = receiving;
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
    return this.#request((sender, ticket) => sender.message(ticket, data, now));
  }

  /** Queues a PING behind all messages so far. Its outcome is a `pong` event, or `closed`. */
  ping(now: number): Ticket {
    return this.#request((sender, ticket) => sender.ping(ticket, now));
  }

  /**
   * Queues a REKEY behind all messages so far. Its outcome is a `sent` event, which comes when the new keys have proven
   * themselves where they have to, a `refused` event, or `closed`.
   * @param force also where it is late (protocol §3.9).
   */
  rekey(now: number, force = false): Ticket {
    return this.#request((sender, ticket) => sender.rekey(ticket, force, now));
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
    this.#live(({ sender }) => sender.bye(now));
  }

  get #running(): Running | undefined {
    const state = this.#state;
    return state.at === 'established' || state.at === 'closing' ? state.running : undefined;
  }

  /** A method, as the state changes under way and a property would be taken for constant. */
  #hasEnded(): boolean {
    return this.#state.at === 'closed';
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
    const running = this.#running;
    if (running) this.#attempt(() => action(running));
  }

  // Receiving

  /** Deals with what the link has next. @returns false when it has nothing. */
  #next(now: number): boolean {
    let arrival: Arrival | undefined;
    try {
      arrival = this.#hasEnded() ? undefined : this.#link.next(now);
      if (arrival) this.#arrived(arrival, now);
    } catch (error) {
      this.#fault(asUSMPError(error), now);
    }
    return arrival !== undefined;
  }

  /** @throws USMPError for a frame that is at fault. */
  #arrived(arrival: Arrival, now: number): void {
    const state = this.#state;
    if (arrival.kind === 'delivered') this.#live(({ sender }) => sender.frameDone(now));
    else if (state.at === 'handshaking') state.handshaking.receive(arrival.frame, now);
    else if (state.at === 'established' || state.at === 'closing') state.running.receive(arrival.frame, now);
  }

  #fault(error: USMPError, now: number): void {
    if (this.#link.isFaultFatal) this.#fail(error);
    else if (this.#state.at === 'handshaking') this.#state.handshaking.suspect(error, now);
  }

  // Handshake

  #handshakeReport(options: PartyOptions, report: HandshakeReport): void {
    switch (report.type) {
      case 'pskWanted':
        this.#events.push(report);
        break;
      case 'done':
        this.#establish(options, report.established, report.now);
        break;
      case 'failed':
        this.#fail(report.error);
    }
  }

  #establish(options: PartyOptions, established: Established, now: number): void {
    const { suite, link, random, times } = options;
    const { sessionId, deviceId, txKey, rxKey, key } = established;
    const running = new Running(
      {
        session: new Session({ sessionId, txKey, rxKey, suite, over: link.kind, random }),
        ...{ times, link, other: this.#other },
        report: (report) => this.#report(report),
      },
      now,
    );
    running.setListening(link.isTaking, now);
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

  /** A frame was sent as often as it may be, and was not acknowledged. */
  #lost(silence: Silence): void {
    if (this.#state.at === 'handshaking') {
      this.#state.handshaking.lost(silence);
      return;
    }
    const text = `the ${this.#other} no longer acknowledges: it or the network is down`;
    const values = { silentMs: silence.ms };
    this.#fail(new USMPTimeoutError(text, { code: 'USMP_NO_ACK', values }));
  }

  #broken(cause: Error | undefined): USMPError {
    const text = `the connection to the ${this.#other} broke`;
    return new ConnectionClosedError(text, { code: 'USMP_LOST', cause });
  }

  #giveUpClosing(): void {
    this.#live(({ sender }) => sender.giveUp());
    this.#end({ type: 'closed' });
  }

  #fail(error: USMPError): void {
    this.#end({ type: 'closed', error });
  }

  #end(event: PartyEvent): void {
    const state = this.#state;
    if (state.at === 'closed') return;
    if (state.at === 'idle' || state.at === 'handshaking') state.options.handshake.wipe();
    else state.running.session.wipe();
    this.#state = { at: 'closed' };
    this.#events.push(event);
  }
}

/** Errors of our own making pass through; anything else is a bug here and must not pass for a peer's fault. */
function asUSMPError(error: unknown): USMPError {
  if (error instanceof USMPError) return error;
  throw error;
}
