/**
 * A `Peer` at work: it moves bytes between the peer and a transport, keeps its one timer, and turns tickets into
 * promises. What a session has to tell comes through one channel of news, in order; `USMPClient` and the server's
 * sessions are both built on it. What arrives is worked off a few milliseconds a turn.
 */
import type { CancelTimer, Clock } from '../clock.js';
import type { Secret } from '../crypto/secret.js';
import { ConnectionClosedError, USMPError, USMPTimeoutError } from '../errors.js';
import type { Transport, TransportHandlers } from '../link/transport.js';
import { toHex } from '../wire/bytes.js';
import { guarded } from './guarded.js';
import { Intake } from './intake.js';
import { Inbox } from './inbox.js';
import type { Peer } from './peer.js';
import type { Ticket } from './send-queue.js';
import { turnOf, type Turn } from './turn.js';

export interface SessionInfo {
  /** 32 hex digits. */
  readonly sessionId: string;
  readonly deviceId: Uint8Array;
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
  /** Looks up the key of a device that asks to be let in. */
  findPsk?(deviceId: Uint8Array): Promise<Secret | undefined>;
}

export interface ChannelOptions {
  readonly peer: Peer;
  readonly clock: Clock;
  /** Makes the transport; its handlers may be called only later. */
  readonly open: (handlers: TransportHandlers) => Transport;
  /** For the transport to open; the handshake has a limit of its own. */
  readonly connectTimeoutMs: number;
  /** For the answer to a PING where the session does not end without it; none by default. */
  readonly pingTimeoutMs?: number;
  /** What a failure to open the transport means: the system's error, or nothing when it took too long. */
  readonly explain: (error: NodeJS.ErrnoException | undefined) => USMPError;
  readonly hooks: ChannelHooks;
}

interface Pending {
  resolve(value: number): void;
  reject(error: USMPError): void;
  readonly cancelTimer: CancelTimer;
}

interface Limit {
  readonly ms: number;
  readonly error: () => USMPError;
}

/** Errors with which the system tells that nothing takes our datagrams. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);

/** A deadline is put off for what has arrived before it and is not worked off, but not for ever. */
const MAX_CATCH_UP_MS = 5_000;

const ignore = (): void => undefined;

export class Channel {
  /** Settles once: with the session, or with the reason why there is none. */
  readonly established: Promise<SessionInfo>;
  /** Resolves once, when session and transport are gone: with the reason, or nothing when closed from here. */
  readonly closed: Promise<USMPError | undefined>;
  readonly inbox: Inbox;
  hooks: ChannelHooks;
  readonly #peer: Peer;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #explain: ChannelOptions['explain'];
  readonly #pingTimeoutMs: number;
  readonly #transport: Transport;
  readonly #pending = new Map<Ticket, Pending>();
  readonly #intake: Intake;
  #cancelTimer: CancelTimer = ignore;
  #flushing = false;
  #reason: USMPError | undefined;
  #settleEstablished!: { resolve(info: SessionInfo): void; reject(error: USMPError): void };
  #settleClosed!: (reason: USMPError | undefined) => void;

  constructor(options: ChannelOptions) {
    this.#peer = options.peer;
    this.#clock = options.clock;
    this.#turn = turnOf(options.clock);
    this.hooks = options.hooks;
    this.#explain = options.explain;
    this.#pingTimeoutMs = options.pingTimeoutMs ?? 0;
    this.inbox = new Inbox(options.clock, (room) => this.#intake.setRoom(room));
    this.#intake = new Intake({
      turn: this.#turn,
      isDatagram: options.peer.isDatagram,
      work: (bytes, mayGoOn) => this.#workOff(bytes, mayGoOn),
      onListening: (listening) => this.#run((peer, now) => peer.setReceiving(listening, now)),
      onReading: (reading) => (reading ? this.#transport.resume() : this.#transport.pause()),
    });
    this.established = new Promise((resolve, reject) => (this.#settleEstablished = { resolve, reject }));
    this.established.catch(() => undefined); // the reason is also in `closed`
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    this.#cancelTimer = this.#clock.setTimer(options.connectTimeoutMs, () =>
      this.#fail(this.#explain(undefined)),
    );
    this.#transport = opened(options.open, {
      open: () => this.start(),
      data: (bytes) => this.receive(bytes),
      drain: () => this.#run((peer, now) => peer.setWritable(true, now)),
      fault: (error) => {
        if (peerIsOpening(this.#peer) && UNREACHABLE.has(error.code ?? '')) this.#fail(this.#explain(error));
      },
      closed: (error) => this.#intake.end(() => this.#transportClosed(error)),
    });
  }

  get isEstablished(): boolean {
    return this.#peer.state === 'established';
  }

  /** Frames sealed under the present keys. */
  get framesSent(): number {
    return this.#peer.framesSealed;
  }

  /**
   * Resolves when the message was handed to the transport (TCP) or acknowledged by UTACK (UDP); in the next turn of the
   * event loop when this one has done its share.
   */
  async send(message: Uint8Array): Promise<void> {
    await this.#request((peer, now) => peer.send(message, now));
    await this.#turn.room();
  }

  /** @returns the round-trip time in milliseconds. */
  ping(): Promise<number> {
    const ms = this.#pingTimeoutMs;
    const error = (): USMPError =>
      new USMPTimeoutError(`the PING was not answered within ${ms} ms`, { code: 'USMP_NO_PONG' });
    return this.#request((peer, now) => peer.ping(now), ms > 0 ? { ms, error } : undefined);
  }

  async rekey(force = false): Promise<void> {
    await this.#request((peer, now) => peer.rekey(now, force));
  }

  /** Takes back the messages that wait to be sent: their sending is rejected. */
  withdraw(): void {
    const reason = new USMPError('the message was taken back', { code: 'USMP_WITHDRAWN', fault: 'local' });
    for (const ticket of this.#peer.withdraw()) this.#settle(ticket)?.reject(reason);
  }

  /** Whether the owner takes messages; meanwhile they wait at the other side. */
  setWanted(wanted: boolean): void {
    this.#intake.setWanted(wanted);
  }

  /** Sends what is queued, then BYE. Resolves when the transport is closed, too. */
  async close(timeoutMs: number): Promise<void> {
    this.#run((peer, now) => peer.close(now, timeoutMs));
    await this.closed;
  }

  /** Ends at once, without BYE. */
  abort(error: USMPError): void {
    this.#fail(error);
  }

  /** Begins the handshake: called by the transport, or from outside for one that is open from the start. */
  start(): void {
    if (this.#peer.state !== 'idle') return;
    this.#run((peer, now) => peer.start(now));
    this.#tell({ type: 'handshaking' });
  }

  receive(bytes: Uint8Array): void {
    this.#intake.add(bytes);
  }

  #workOff(bytes: Uint8Array | undefined, mayGoOn: () => boolean): boolean {
    let goesOn = true;
    this.#run((peer, now) => {
      const between = (): boolean => {
        this.#flush(); // what a message sets off takes its time, too
        return mayGoOn();
      };
      goesOn = bytes ? peer.receive(bytes, now, between) : peer.proceed(now, between);
    });
    return goesOn;
  }

  // Asking

  #request(ask: (peer: Peer, now: number) => Ticket, limit?: Limit): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#run((peer, now) => {
        const ticket = ask(peer, now);
        const cancelTimer = limit
          ? this.#clock.setTimer(limit.ms, () => this.#settle(ticket)?.reject(limit.error()))
          : ignore;
        this.#pending.set(ticket, { resolve, reject, cancelTimer });
      });
    });
  }

  #settle(ticket: Ticket): Pending | undefined {
    const pending = this.#pending.get(ticket);
    this.#pending.delete(ticket);
    pending?.cancelTimer();
    return pending;
  }

  #fail(error: USMPError): void {
    this.#run((peer) => peer.abort(error));
  }

  #transportClosed(error: NodeJS.ErrnoException | undefined): void {
    if (this.#peer.state === 'idle') this.#fail(this.#explain(error));
    else this.#run((peer) => peer.transportClosed(error));
    this.#settleClosed(this.#reason);
  }

  /** Puts something into the peer and deals with all that comes out of it. */
  #run(put: (peer: Peer, now: number) => unknown): void {
    try {
      put(this.#peer, this.#clock.now());
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
        const { outbound, events } = this.#peer.take();
        if (outbound.length === 0 && events.length === 0) break;
        for (const bytes of outbound) {
          if (!this.#transport.write(bytes)) this.#peer.setWritable(false, this.#clock.now());
        }
        for (const event of events) this.#dispatch(event);
      }
    } finally {
      this.#flushing = false;
    }
  }

  // Time

  #arm(): void {
    const { deadline, state } = this.#peer;
    if (state === 'idle') return; // the timer is that of the transport's opening
    this.#cancelTimer();
    if (deadline === undefined) return;
    this.#cancelTimer = this.#clock.setTimer(deadline - this.#clock.now(), () => {
      // A process that was busy finds the deadline over and the answer in the socket: that comes first.
      this.#cancelTimer = this.#clock.afterArrivals(() => this.#tick(deadline));
    });
  }

  #tick(deadline: number): void {
    const overdue = this.#clock.now() - deadline;
    if (this.#intake.isBehind && overdue < MAX_CATCH_UP_MS) return; // armed again when it has caught up
    this.#run((peer, now) => peer.tick(now));
  }

  // News

  #dispatch(event: ReturnType<Peer['take']>['events'][number]): void {
    switch (event.type) {
      case 'established': {
        const session = { sessionId: toHex(event.sessionId), deviceId: event.deviceId };
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
      case 'rekeyed':
        this.#tell(event);
        break;
      case 'sent':
        this.#settle(event.ticket)?.resolve(0);
        break;
      case 'pong':
        this.#settle(event.ticket)?.resolve(event.rttMs);
        break;
      case 'refused':
        this.#settle(event.ticket)?.reject(event.error);
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
      this.#run((peer, now) => peer.providePsk(psk, now));
    } catch (error) {
      this.#run((peer) => peer.failPsk(error));
    }
  }

  #ended(error: USMPError | undefined): void {
    this.#reason = error;
    const reason = error ?? new ConnectionClosedError('the session was closed', { fault: 'local' });
    this.#tell({ type: 'ended', reason: error });
    this.#settleEstablished.reject(reason);
    for (const ticket of [...this.#pending.keys()]) this.#settle(ticket)?.reject(reason);
    this.inbox.end(reason);
    this.#cancelTimer();
    this.#intake.stop();
    this.#transport.close();
  }
}

function peerIsOpening(peer: Peer): boolean {
  return peer.state === 'idle' || peer.state === 'handshaking';
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
