/**
 * A `Peer` at work: it moves bytes between the peer and a transport, keeps its one timer, and turns tickets into
 * promises. `USMPClient` and the server's sessions are both built on it.
 */
import type { CancelTimer, Clock } from '../clock.js';
import type { Secret } from '../crypto/secret.js';
import { ConnectionClosedError, type USMPError } from '../errors.js';
import type { Transport, TransportHandlers } from '../link/transport.js';
import { toHex } from '../wire/bytes.js';
import { guarded } from './guarded.js';
import { Inbox } from './inbox.js';
import type { Peer } from './peer.js';
import type { Ticket } from './send-queue.js';

export interface ChannelHooks {
  /** The transport is open; the handshake begins. */
  onHandshaking?(): void;
  /** A message arrived. @returns false to leave it to `recv`. */
  onMessage?(message: Buffer): boolean;
  onProven?(): void;
  onRekeyed?(): void;
  /** The session is over, or will never be; the transport may take a moment to close. */
  onEnded?(): void;
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
  /** What a failure to open the transport means. */
  readonly explain: (error: NodeJS.ErrnoException | undefined) => USMPError;
  readonly hooks: ChannelHooks;
}

interface Pending {
  resolve(value: number): void;
  reject(error: USMPError): void;
}

export interface SessionInfo {
  /** 32 hex digits. */
  readonly sessionId: string;
  readonly deviceId: Uint8Array;
}

/** Errors with which the system tells that nothing takes our datagrams. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);

export class Channel {
  /** Settles once: with the session, or with the reason why there is none. */
  readonly established: Promise<SessionInfo>;
  /** Resolves once, when session and transport are gone: with the reason, or nothing when closed from here. */
  readonly closed: Promise<USMPError | undefined>;
  readonly inbox: Inbox;
  hooks: ChannelHooks;
  readonly #peer: Peer;
  readonly #clock: Clock;
  readonly #explain: ChannelOptions['explain'];
  readonly #transport: Transport;
  readonly #pending = new Map<Ticket, Pending>();
  #cancelTimer: CancelTimer = () => undefined;
  #flushing = false;
  #reason: USMPError | undefined;
  #settleEstablished!: { resolve(info: SessionInfo): void; reject(error: USMPError): void };
  #settleClosed!: (reason: USMPError | undefined) => void;

  constructor(options: ChannelOptions) {
    this.#peer = options.peer;
    this.#clock = options.clock;
    this.hooks = options.hooks;
    this.#explain = options.explain;
    this.inbox = new Inbox(options.clock, (room) => this.#setReceiving(room));
    this.established = new Promise((resolve, reject) => (this.#settleEstablished = { resolve, reject }));
    this.established.catch(() => undefined); // the reason is also in `closed`
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
    this.#cancelTimer = this.#clock.setTimer(options.connectTimeoutMs, () =>
      this.#fail(this.#explain(undefined)),
    );
    this.#transport = options.open({
      open: () => this.start(),
      data: (bytes) => this.#run((peer, now) => peer.receive(bytes, now)),
      drain: () => this.#run((peer, now) => peer.setWritable(true, now)),
      fault: (error) => {
        if (peerIsOpening(this.#peer) && UNREACHABLE.has(error.code ?? '')) this.#fail(this.#explain(error));
      },
      closed: (error) => this.#transportClosed(error),
    });
  }

  get isEstablished(): boolean {
    return this.#peer.state === 'established';
  }

  /** Resolves when the message was handed to the transport (TCP) or acknowledged by UTACK (UDP). */
  async send(message: Uint8Array): Promise<void> {
    await this.#request((peer, now) => peer.send(message, now));
  }

  /** @returns the round-trip time in milliseconds. */
  ping(): Promise<number> {
    return this.#request((peer, now) => peer.ping(now));
  }

  async rekey(): Promise<void> {
    await this.#request((peer, now) => peer.rekey(now));
  }

  /** Sends what is queued, then BYE. */
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
    guarded(() => this.hooks.onHandshaking?.());
  }

  receive(bytes: Uint8Array): void {
    this.#run((peer, now) => peer.receive(bytes, now));
  }

  #request(ask: (peer: Peer, now: number) => Ticket): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#run((peer, now) => this.#pending.set(ask(peer, now), { resolve, reject }));
    });
  }

  #fail(error: USMPError): void {
    this.#run((peer) => peer.abort(error));
  }

  #setReceiving(receiving: boolean): void {
    this.#peer.setReceiving(receiving);
    if (receiving) this.#transport.resume();
    else this.#transport.pause();
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
      this.#arm();
    }
  }

  #arm(): void {
    const { deadline, state } = this.#peer;
    if (state === 'idle') return; // the timer is that of the transport's opening
    this.#cancelTimer();
    if (deadline === undefined) return;
    this.#cancelTimer = this.#clock.setTimer(deadline - this.#clock.now(), () =>
      this.#run((peer, now) => peer.tick(now)),
    );
  }

  #dispatch(event: ReturnType<Peer['take']>['events'][number]): void {
    switch (event.type) {
      case 'established':
        this.#settleEstablished.resolve({ sessionId: toHex(event.sessionId), deviceId: event.deviceId });
        break;
      case 'pskWanted':
        void this.#findPsk(event.deviceId);
        break;
      case 'message':
        this.#message(Buffer.from(event.data.buffer, event.data.byteOffset, event.data.byteLength));
        break;
      case 'proven':
        guarded(() => this.hooks.onProven?.());
        break;
      case 'rekeyed':
        guarded(() => this.hooks.onRekeyed?.());
        break;
      case 'sent':
        this.#settle(event.ticket)?.resolve(0);
        break;
      case 'pong':
        this.#settle(event.ticket)?.resolve(event.rttMs);
        break;
      case 'closed':
        this.#ended(event.error);
    }
  }

  #settle(ticket: Ticket): Pending | undefined {
    const pending = this.#pending.get(ticket);
    this.#pending.delete(ticket);
    return pending;
  }

  #message(message: Buffer): void {
    // A listener that throws has had the message.
    const taken = guarded(() => this.hooks.onMessage?.(message) ?? false);
    if (taken === false) this.inbox.put(message);
  }

  async #findPsk(deviceId: Uint8Array): Promise<void> {
    const psk = await this.hooks.findPsk?.(deviceId).catch(() => undefined);
    this.#run((peer, now) => peer.providePsk(psk, now));
    psk?.wipe();
  }

  #ended(error: USMPError | undefined): void {
    this.#reason = error;
    guarded(() => this.hooks.onEnded?.());
    const reason = error ?? new ConnectionClosedError('the session was closed', { fault: 'local' });
    this.#settleEstablished.reject(reason);
    for (const pending of this.#pending.values()) pending.reject(reason);
    this.#pending.clear();
    this.inbox.end(reason);
    this.#cancelTimer();
    this.#transport.close();
  }
}

function peerIsOpening(peer: Peer): boolean {
  return peer.state === 'idle' || peer.state === 'handshaking';
}
