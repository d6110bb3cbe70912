/**
 * A `Party` at work: it moves bytes between the party and a transport, keeps its one timer, and turns tickets into
 * promises. What a session has to tell comes through one channel of news, in order; `USMPClient` and the server's
 * sessions are both built on it. What arrives is worked off a few milliseconds a turn.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { ConnectionClosedError, NotConnectedError, USMPError, USMPTimeoutError } from '../errors.js';
import type { Transport, TransportHandlers } from '../transport/transport.js';
import { toHex } from '../wire/bytes.js';
import type { KeyUsed } from '../handshake/handshake.js';
import type { Psks } from '../handshake/server.js';
import { guarded } from './guarded.js';
import { Intake } from './intake.js';
import { Inbox } from './inbox.js';
import { patient, type Timers } from './patience.js';
import type { Party } from '../party/party.js';
import { Requests, type Limit } from './requests.js';
import type { Ticket } from '../party/send-queue.js';
import { turnOf, type Turn } from './turn.js';

export interface SessionInfo {
  /** 32 hex digits. */
  readonly sessionId: string;
  readonly deviceId: Uint8Array;
  /** Server: which of the device's keys fitted. */
  readonly key?: KeyUsed | undefined;
}

/** What a session has to tell, in this order but for messages and changes of keys, which come as they come. */
export type News =
  /** The transport is open; the handshake begins. */
  | { readonly type: 'handshaking' }
  | { readonly type: 'established'; readonly session: SessionInfo }
  /** The first authenticated frame of the other side: only now is the session known to live (protocol §5.2). */
  | { readonly type: 'proven' }
  | { readonly type: 'message'; readonly message: Buffer }
  | { readonly type: 'rekeyed'; readonly by: 'us' | 'peer' }
  /** The session is over, or will never be; the transport may take a moment to close. */
  | { readonly type: 'ended'; readonly reason: USMPError | undefined };

export interface ChannelHooks {
  /** @returns false for a message that is left to `recv`. */
  onNews?(news: News): boolean;
  /** Looks up the keys of a device that asks to be let in. */
  findPsk?(deviceId: Uint8Array): Promise<Psks>;
}

export interface ChannelOptions {
  readonly party: Party;
  readonly clock: Clock;
  /** Makes the transport; its handlers may be called only later. */
  readonly open: (handlers: TransportHandlers) => Transport;
  /** For the transport to open; the handshake has a limit of its own. */
  readonly connectTimeoutMs: number;
  /** For the answer to a PING where the session does not end without it; none by default. */
  readonly pingTimeoutMs?: number;
  /**
   * What a failure to open the transport means.
   * @param error of the system; nothing when it took too long.
   * @param isResolving whether it took too long to find the address of a host name.
   */
  readonly explain: (error: NodeJS.ErrnoException | undefined, isResolving: boolean) => USMPError;
  readonly hooks: ChannelHooks;
}

/** For the deadline of the party in this state, or for the opening of the transport. */
interface Alarm {
  readonly cancel: CancelTimer;
  readonly deadline?: number;
  readonly state?: Party['state'];
}

/** Errors with which the system tells that nothing takes our datagrams. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What a session has written by its end may take so long to leave … */
const LINGER_MS = 400;
/** … and a close keeps back so much of its time for that. */
const LAST_MS = 100;

const ignore = (): void => undefined;

export class Channel {
  /** Settles once: with the session, or with the reason why there is none. */
  readonly established: Promise<SessionInfo>;
  /** Resolves once, when session and transport are gone: with the reason, or nothing when closed from here. */
  readonly closed: Promise<USMPError | undefined>;
  readonly inbox: Inbox;
  hooks: ChannelHooks;
  readonly #party: Party;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #explain: ChannelOptions['explain'];
  readonly #pingTimeoutMs: number;
  readonly #transport: Transport;
  readonly #requests: Requests;
  readonly #intake: Intake;
  /** For answers that do not come in time. */
  readonly #timers: Timers;
  #alarm: Alarm | undefined;
  #wanted = true;
  /** A frame of the other side was authenticated. */
  #isProven = false;
  /** When all has to be gone; undefined while nobody closes it. */
  #closeBy: number | undefined;
  #flushing = false;
  #reason: USMPError | undefined;
  #settleEstablished!: { resolve(info: SessionInfo): void; reject(error: USMPError): void };
  #settleClosed!: (reason: USMPError | undefined) => void;

  constructor(options: ChannelOptions) {
    this.#party = options.party;
    this.#clock = options.clock;
    this.#turn = turnOf(options.clock);
    this.hooks = options.hooks;
    this.#explain = options.explain;
    this.#pingTimeoutMs = options.pingTimeoutMs ?? 0;
    this.#intake = new Intake({
      turn: this.#turn,
      isDatagram: options.party.isDatagram,
      isSession: () => this.#party.isClient || !partyIsOpening(this.#party),
      work: (bytes, mayGoOn) => this.#workOff(bytes, mayGoOn),
      onListening: (listening) => this.#run((party, now) => party.setReceiving(listening, now)),
      onReading: (reading) => (reading ? this.#transport.resume() : this.#transport.pause()),
    });
    this.#timers = patient(options.clock, this.#intake);
    this.#requests = new Requests(this.#timers);
    this.inbox = new Inbox(this.#timers, (room) => this.#intake.setRoom(room));
    this.established = new Promise((resolve, reject) => (this.#settleEstablished = { resolve, reject }));
    this.established.catch(() => undefined); // the reason is also in `closed`
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    const giveUp = (): void => this.#fail(this.#explain(undefined, this.#transport.isResolving ?? false));
    this.#alarm = { cancel: this.#timers.setTimer(options.connectTimeoutMs, giveUp) };
    this.#transport = opened(options.open, {
      open: () => this.start(),
      data: (bytes) => this.receive(bytes),
      drain: () => this.#run((party, now) => party.setWritable(true, now)),
      fault: (error) => {
        if (partyIsOpening(this.#party) && UNREACHABLE.has(error.code ?? ''))
          this.#fail(this.#explain(error, false));
      },
      closed: (error) => this.#intake.end(() => this.#transportClosed(error)),
    });
  }

  get isEstablished(): boolean {
    return this.#party.state === 'established';
  }

  /** UDP: datagrams that were sent again. */
  get repeats(): number {
    return this.#party.repeats;
  }

  /**
   * Resolves when the message was handed to the transport (TCP) or acknowledged by UTACK (UDP); in the next turn of the
   * event loop when this one has done its share.
   */
  async send(message: Uint8Array): Promise<void> {
    await this.#request((party, now) => party.send(message, now));
    await this.#turn.room();
  }

  /** @returns the round-trip time in milliseconds. */
  ping(): Promise<number> {
    const ms = this.#pingTimeoutMs;
    const error = (): USMPError =>
      new USMPTimeoutError(`the PING was not answered within ${ms} ms`, { code: 'USMP_NO_PONG' });
    return this.#request((party, now) => party.ping(now), ms > 0 ? { ms, error } : undefined);
  }

  async rekey(force = false): Promise<void> {
    await this.#request((party, now) => party.rekey(now, force));
  }

  /** Takes back the messages that wait to be sent: their sending is rejected. */
  withdraw(): void {
    const reason = new USMPError('the message was taken back', { code: 'USMP_WITHDRAWN', fault: 'local' });
    for (const ticket of this.#party.withdraw()) this.#requests.settle(ticket)?.reject(reason);
  }

  /**
   * Whether the owner takes messages; meanwhile they wait at the other side. A session that is not known to live yet
   * goes on until it is, so that one message may come all the same.
   */
  setWanted(wanted: boolean): void {
    this.#wanted = wanted;
    this.#intake.setWanted(wanted || !this.#isProven);
  }

  /** Sends what is queued, then BYE. Resolves when the transport is closed, too, within so many milliseconds. */
  async close(withinMs: number): Promise<void> {
    this.#closeBy ??= this.#clock.now() + withinMs;
    this.#run((party, now) => party.close(now, Math.max(0, withinMs - LAST_MS)));
    await this.closed;
  }

  /** Datagrams: the other side is at another address now, to which the transport writes. */
  moved(): void {
    this.#run((party, now) => party.moved(now));
  }

  /** Ends at once, without BYE. */
  abort(error: USMPError): void {
    this.#fail(error);
  }

  /** Begins the handshake: called by the transport, or from outside for one that is open from the start. */
  start(): void {
    if (this.#party.state !== 'idle') return;
    this.#run((party, now) => party.start(now));
    this.#tell({ type: 'handshaking' });
  }

  receive(bytes: Uint8Array): void {
    this.#intake.add(bytes);
  }

  #workOff(bytes: Uint8Array | undefined, mayGoOn: () => boolean): boolean {
    let goesOn = true;
    this.#run((party, now) => {
      const between = (): boolean => {
        this.#flush(); // what a message sets off takes its time, too
        return mayGoOn();
      };
      const heard = party.framesHeard;
      goesOn = bytes ? party.receive(bytes, now, between) : party.proceed(now, between);
      if (bytes && party.isDatagram) this.#transport.took?.(bytes, party.framesHeard > heard);
    });
    return goesOn;
  }

  // Asking

  #request(ask: (party: Party, now: number) => Ticket, limit?: Limit): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.isEstablished) throw this.#notConnected();
      this.#run((party, now) => this.#requests.add(ask(party, now), { resolve, reject }, limit));
    });
  }

  #notConnected(): NotConnectedError {
    switch (this.#party.state) {
      case 'closing':
        return new NotConnectedError('not connected: the session is being closed');
      case 'closed':
        return new NotConnectedError(`not connected: ${this.#reason?.message ?? 'the session was closed'}`);
      default:
        return new NotConnectedError('not connected: the session is still being opened');
    }
  }

  #fail(error: USMPError): void {
    this.#run((party) => party.abort(error));
  }

  #transportClosed(error: NodeJS.ErrnoException | undefined): void {
    if (this.#party.state === 'idle') this.#fail(this.#explain(error, false));
    else this.#run((party) => party.transportClosed(error));
    this.#settleClosed(this.#reason);
  }

  /** Puts something into the party and deals with all that comes out of it. */
  #run(put: (party: Party, now: number) => unknown): void {
    try {
      put(this.#party, this.#clock.now());
    } finally {
      this.#flush();
      this.#arm();
    }
  }

  #flush(): void {
    if (this.#flushing) return; // a hook has called back in; the loop below goes on
    this.#flushing = true;
    try {
      for (;;) {
        const { outbound, events } = this.#party.take();
        if (outbound.length === 0 && events.length === 0) break;
        for (const bytes of outbound) {
          if (!this.#transport.write(bytes)) this.#party.setWritable(false, this.#clock.now());
        }
        for (const event of events) this.#dispatch(event);
      }
    } finally {
      this.#flushing = false;
    }
  }

  // Time

  #arm(): void {
    const { deadline, state } = this.#party;
    if (state === 'idle') return; // the alarm is that of the transport's opening
    if (this.#alarm && this.#alarm.deadline === deadline && this.#alarm.state === state) return;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (deadline === undefined) return;
    // A close has its time and no more, whatever still comes in.
    const timers = state === 'closing' ? this.#clock : this.#timers;
    const cancel = timers.setTimer(deadline - this.#clock.now(), () => {
      this.#alarm = undefined;
      this.#run((party, now) => party.tick(now));
    });
    this.#alarm = { cancel, deadline, state };
  }

  // News

  #dispatch(event: ReturnType<Party['take']>['events'][number]): void {
    switch (event.type) {
      case 'established': {
        const { deviceId, key } = event;
        const session = { sessionId: toHex(event.sessionId), deviceId, ...(key && { key }) };
        this.#settleEstablished.resolve(session);
        this.#tell({ type: 'established', session });
        break;
      }
      case 'pskWanted':
        void this.#findPsk(event.deviceId);
        break;
      case 'message':
        this.#message(Buffer.from(event.data.buffer, event.data.byteOffset, event.data.byteLength));
        break;
      case 'proven':
        this.#tell(event);
        this.#isProven = true;
        this.setWanted(this.#wanted);
        break;
      case 'rekeyed':
        this.#tell(event);
        break;
      case 'sent':
        this.#requests.settle(event.ticket)?.resolve(0);
        break;
      case 'pong':
        this.#requests.settle(event.ticket)?.resolve(event.rttMs);
        break;
      case 'refused':
        this.#requests.settle(event.ticket)?.reject(event.error);
        break;
      case 'closed':
        this.#ended(event.error);
    }
  }

  #tell(news: News): void {
    guarded(() => this.hooks.onNews?.(news));
  }

  #message(message: Buffer): void {
    // A listener that throws has had the message.
    const taken = guarded(() => this.hooks.onNews?.({ type: 'message', message }) ?? false);
    if (taken === false) this.inbox.put(message);
  }

  async #findPsk(deviceId: Uint8Array): Promise<void> {
    try {
      const psk = await this.hooks.findPsk?.(deviceId);
      this.#run((party, now) => party.providePsk(psk, now));
    } catch (error) {
      this.#run((party) => party.failPsk(error));
    }
  }

  #ended(error: USMPError | undefined): void {
    this.#reason = error;
    const reason = error ?? new ConnectionClosedError('the session was closed', { fault: 'local' });
    this.#tell({ type: 'ended', reason: error });
    this.#settleEstablished.reject(reason);
    this.#requests.rejectAll(reason);
    this.inbox.end(reason);
    this.#alarm?.cancel();
    this.#intake.stop();
    this.#transport.close(
      this.#closeBy === undefined ? LINGER_MS : Math.max(0, this.#closeBy - this.#clock.now()),
    );
  }
}

function partyIsOpening(party: Party): boolean {
  return party.state === 'idle' || party.state === 'handshaking';
}

/** Opening may fail on the spot, for want of file handles say; then that is told like any other failure. */
function opened(open: ChannelOptions['open'], handlers: TransportHandlers): Transport {
  try {
    return open(handlers);
  } catch (error) {
    queueMicrotask(() => handlers.closed(error as NodeJS.ErrnoException));
    return { write: () => false, pause: ignore, resume: ignore, close: ignore };
  }
}
