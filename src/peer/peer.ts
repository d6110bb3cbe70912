/**
 * One end of one session, from its first byte to its last, without socket, clock or callback: bytes and time go
 * in, bytes and events come out (`take`). It joins the handshake (protocol §2), the session (§3) and, over UDP, the
 * repeats (§4), and decides what a fault means: TCP ends, UDP drops the datagram and lives on.
 */
import type { Suite } from '../crypto/aead.js';
import type { Random } from '../crypto/random.js';
import type { Secret } from '../crypto/secret.js';
import {
  AuthError,
  ConnectionClosedError,
  NotConnectedError,
  USMPError,
  USMPTimeoutError,
  VersionError,
} from '../errors.js';
import type { Established, Handshake, HandshakeStep } from '../handshake/handshake.js';
import { ServerHandshake } from '../handshake/server.js';
import { DatagramLink } from '../link/datagram-link.js';
import { Session } from '../session/session.js';
import { sameBytes } from '../wire/bytes.js';
import { FrameType } from '../wire/constants.js';
import { Deframer } from '../wire/deframer.js';
import { fragment } from '../wire/fragments.js';
import { decodeFrame, encodeFrame, type Frame } from '../wire/frame.js';
import { decodeUtack, encodeUtack } from '../wire/utack.js';
import type { LivenessTimes } from './liveness.js';
import { Running, type RunningReport } from './running.js';
import type { Ticket, Unit } from './send-queue.js';

export const PROTOCOLS = ['tcp', 'udp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface PeerTimes extends LivenessTimes {
  /** For the whole handshake. */
  readonly handshakeMs: number;
}

export interface PeerOptions {
  readonly handshake: Handshake;
  readonly transport: Protocol;
  readonly suite: Suite;
  readonly random: Random;
  readonly times: PeerTimes;
}

export type PeerEvent =
  /** Server: answer with `providePsk`. */
  | { readonly type: 'pskWanted'; readonly deviceId: Uint8Array }
  | { readonly type: 'established'; readonly sessionId: Uint8Array; readonly deviceId: Uint8Array }
  /** The first authenticated frame of the other side: only now is the session known to live (protocol §5.2). */
  | { readonly type: 'proven' }
  | { readonly type: 'message'; readonly data: Uint8Array }
  /** Handed to the transport (TCP) or acknowledged by UTACK (UDP). */
  | { readonly type: 'sent'; readonly ticket: Ticket }
  | { readonly type: 'pong'; readonly ticket: Ticket; readonly rttMs: number }
  | { readonly type: 'rekeyed' }
  /** The last event. Without `error` the close was asked for here. */
  | { readonly type: 'closed'; readonly error?: USMPError };

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'handshaking'; deadline: number }
  | { readonly at: 'established'; readonly running: Running }
  | { readonly at: 'closing'; readonly running: Running; readonly deadline: number }
  | { readonly at: 'closed' };

/** First repeat timeouts (protocol §4.2; towards a device §7.3). */
const CLIENT_REPEAT_MS = 500;
const SERVER_REPEAT_MS = 200;
/** Over UDP a wrong proof may be forged, so the true one may still come: for this long, and among so many. */
const AFTER_WRONG_PROOF_MS = 2_000;
const MAX_WRONG_PROOFS = 5;

export class Peer {
  readonly #options: PeerOptions;
  readonly #handshake: Handshake;
  readonly #deframer = new Deframer();
  /** UDP: the repeats of the one frame under way. */
  readonly #link: DatagramLink | undefined;
  #state: State = { at: 'idle' };
  #outbound: Uint8Array[] = [];
  #events: PeerEvent[] = [];
  #nextTicket: Ticket = 1;
  /** UDP: session frames are taken; otherwise they stay unacknowledged and come again. */
  #receiving = true;
  /** UDP: handshake datagrams dealt with; a repeat is acknowledged and otherwise passed over. */
  readonly #handled: Uint8Array[] = [];
  #wrongProofs = 0;
  /** UDP: what was wrong with datagrams dropped during the handshake, where it explains a timeout. */
  #suspicion: USMPError | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.#handshake = options.handshake;
    if (options.transport === 'udp') {
      const initialTimeoutMs = options.handshake.role === 'client' ? CLIENT_REPEAT_MS : SERVER_REPEAT_MS;
      this.#link = new DatagramLink({ initialTimeoutMs });
    }
  }

  get state(): State['at'] {
    return this.#state.at;
  }

  /** Takes out what has come up since the last call: bytes to send (over UDP a datagram each) and events, in order. */
  take(): { outbound: Uint8Array[]; events: PeerEvent[] } {
    const taken = { outbound: this.#outbound, events: this.#events };
    this.#outbound = [];
    this.#events = [];
    return taken;
  }

  /** When `tick` is due; undefined when nothing is waited for. */
  get deadline(): number | undefined {
    const state = this.#state;
    if (state.at === 'idle' || state.at === 'closed') return undefined;
    const own = state.at === 'established' ? Infinity : state.deadline;
    const life = state.at === 'handshaking' ? Infinity : state.running.deadline;
    const earliest = Math.min(own, life, this.#link?.deadline ?? Infinity);
    return earliest === Infinity ? undefined : earliest;
  }

  /** Begins: a client sends HELLO, a server waits for it. */
  start(now: number): void {
    this.#state = { at: 'handshaking', deadline: now + this.#options.times.handshakeMs };
    const hello = this.#handshake.start();
    if (hello) this.#sendHandshake(hello, now);
  }

  /** Bytes from the transport: any part of a stream, or one datagram. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.#hasEnded()) return;
    if (this.#link) {
      this.#datagram(this.#link, bytes, now);
      return;
    }
    this.#attempt(() => {
      for (const frame of this.#deframer.push(bytes)) {
        this.#frame(frame, bytes, now);
        if (this.#hasEnded()) return;
      }
    });
  }

  tick(now: number): void {
    const again = this.#link?.tick(now);
    if (again === 'lost') this.#fail(this.#lostReason());
    else if (again) this.#outbound.push(again);
    const state = this.#state;
    if (state.at === 'handshaking' && now >= state.deadline) this.#fail(this.#lostReason());
    else if (state.at === 'closing' && now >= state.deadline)
      this.#live((running) => this.#giveUpClosing(running));
    else this.#live((running) => running.tick(now));
  }

  /** The transport is gone; `cause` says why, where it knows. */
  transportClosed(cause?: Error): void {
    switch (this.#state.at) {
      case 'closing':
        this.#end({ type: 'closed' });
        break;
      case 'established':
        this.#fail(
          new ConnectionClosedError(`the connection to the ${this.#other} broke`, {
            code: 'USMP_LOST',
            cause,
          }),
        );
        break;
      default:
        this.#fail(this.#handshake.failure('closed', this.#options.transport));
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

  /** UDP: whether session frames are taken; over TCP the socket is not read instead. */
  setReceiving(receiving: boolean): void {
    this.#receiving = receiving;
  }

  /** Server: the answer to `pskWanted`; undefined for an unknown device. */
  providePsk(psk: Secret | undefined, now: number): void {
    const state = this.#state;
    const handshake = this.#handshake;
    if (state.at !== 'handshaking' || !(handshake instanceof ServerHandshake)) return;
    if (!this.#link) {
      this.#attempt(() => this.#step(handshake.providePsk(psk), now));
      return;
    }
    try {
      this.#step(handshake.providePsk(psk), now);
    } catch (error) {
      this.#suspect(error);
      this.#wrongProofs += 1;
      if (this.#wrongProofs >= MAX_WRONG_PROOFS) this.#fail(this.#lostReason());
      state.deadline = Math.min(state.deadline, now + AFTER_WRONG_PROOF_MS);
    }
  }

  /**
   * Queues a message. Its outcome is a `sent` event, or `closed`.
   * @throws PayloadError when it is too long, NotConnectedError without a session, USMPError when the queue is full.
   */
  send(message: Uint8Array, now: number): Ticket {
    fragment(message); // refuses a message that is too long before anything is queued
    return this.#request((ticket) => ({ kind: 'message', ticket, data: Uint8Array.from(message) }), now);
  }

  /** Queues a PING behind all messages so far. Its outcome is a `pong` event, or `closed`. */
  ping(now: number): Ticket {
    return this.#request((ticket) => ({ kind: 'ping', ticket }), now);
  }

  /** Queues a REKEY behind all messages so far. Its outcome is a `sent` event, or `closed`. */
  rekey(now: number): Ticket {
    if (this.#state.at === 'established') {
      const { session, sender } = this.#state.running;
      if (!session.canRekey || sender.queue.has('rekey')) {
        throw new USMPError('a change of keys is under way already', {
          code: 'USMP_REKEY_PENDING',
          fault: 'local',
        });
      }
    }
    return this.#request((ticket) => ({ kind: 'rekey', ticket }), now);
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

  #datagram(link: DatagramLink, bytes: Uint8Array, now: number): void {
    const utack = decodeUtack(bytes);
    if (utack) {
      if (link.utack(utack, now)) this.#live(({ sender }) => sender.frameDone(now));
      return;
    }
    try {
      this.#frame(decodeFrame(bytes), bytes, now);
    } catch (error) {
      this.#suspect(error);
    }
  }

  /** @throws USMPError for what ends a TCP session and is dropped on UDP. */
  #frame(frame: Frame, bytes: Uint8Array, now: number): void {
    if (this.#handled.some((handled) => sameBytes(handled, bytes))) {
      this.#utack(frame);
      return;
    }
    const state = this.#state;
    if (state.at === 'handshaking') {
      const step = this.#handshake.receive(frame);
      if (this.#link) {
        this.#utack(frame);
        this.#handled.push(Uint8Array.from(bytes));
      }
      this.#step(step, now);
    } else if (state.at === 'established' || state.at === 'closing') {
      if (this.#receiving || !this.#link) state.running.receive(frame, now);
    }
  }

  /** Keeps what explains a handshake that comes to nothing; elsewhere a dropped datagram leaves no trace. */
  #suspect(fault: unknown): void {
    const error = asUSMPError(fault);
    if (error instanceof VersionError || error instanceof AuthError) this.#suspicion = error;
  }

  // Handshake

  #step(step: HandshakeStep, now: number): void {
    if (step.established) this.#establish(step.established, now);
    if (step.reply) this.#sendHandshake(step.reply, now);
    else this.#link?.answered(this.#handshake.role === 'client' ? FrameType.HELLO_ACK : FrameType.CHALLENGE);
    if (step.pskWanted) this.#events.push({ type: 'pskWanted', deviceId: step.pskWanted });
  }

  #establish({ sessionId, deviceId, txKey, rxKey }: Established, now: number): void {
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
    this.#state = { at: 'established', running };
    this.#events.push({ type: 'established', sessionId, deviceId });
  }

  #sendHandshake(frame: Frame, now: number): void {
    const bytes = encodeFrame(frame);
    this.#outbound.push(bytes);
    // A client repeats until the answer comes, whatever was acknowledged (protocol §4.3); a server until the UTACK.
    const byUtack = this.#handshake.role === 'server';
    this.#link?.sent({ ...frame, bytes, acknowledgedBy: (utack) => byUtack && utack.mac === undefined }, now);
  }

  #utack({ type, seq }: Frame, mac?: Uint8Array): void {
    this.#outbound.push(encodeUtack({ type, seq, ...(mac && { mac }) }));
  }

  // Sending

  #request(unit: (ticket: Ticket) => Unit, now: number): Ticket {
    const state = this.#state;
    if (state.at !== 'established') throw new NotConnectedError();
    const ticket = this.#nextTicket++;
    state.running.sender.queue.add(unit(ticket));
    this.#live(({ sender }) => sender.pump(now));
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

  /** Why a handshake came to nothing, or a frame was never acknowledged. */
  #lostReason(): USMPError {
    if (this.#state.at === 'handshaking') {
      return this.#suspicion ?? this.#handshake.failure('timeout', this.#options.transport);
    }
    return new USMPTimeoutError(`the ${this.#other} no longer acknowledges: it or the network is down`, {
      code: 'USMP_NO_ACK',
    });
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

  #end(event: PeerEvent): void {
    const state = this.#state;
    if (state.at === 'closed') return;
    if (state.at === 'established' || state.at === 'closing') state.running.session.wipe();
    this.#handshake.wipe();
    this.#state = { at: 'closed' };
    this.#events.push(event);
  }
}

/** Errors of our own making pass through; anything else is a bug here and must not pass for a peer's fault. */
function asUSMPError(error: unknown): USMPError {
  if (error instanceof USMPError) return error;
  throw error;
}
