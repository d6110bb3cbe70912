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
import { unexpected, type Handshake, type HandshakeStep } from '../handshake/handshake.js';
import { ServerHandshake } from '../handshake/server.js';
import { DatagramLink } from '../link/datagram-link.js';
import { Session, type SealedFrame } from '../session/session.js';
import { concat, sameBytes } from '../wire/bytes.js';
import { FrameType, isSealed } from '../wire/constants.js';
import { Deframer } from '../wire/deframer.js';
import { fragment } from '../wire/fragments.js';
import { decodeFrame, encodeFrame, type Frame } from '../wire/frame.js';
import { decodeUtack, encodeUtack, type Utack } from '../wire/utack.js';
import { Liveness, type LivenessTimes } from './liveness.js';
import { SendQueue, type Ticket, type Unit } from './send-queue.js';

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
  | { readonly at: 'established'; readonly session: Session; readonly liveness: Liveness }
  | {
      readonly at: 'closing';
      readonly session: Session;
      readonly liveness: Liveness;
      deadline: number;
    }
  | { readonly at: 'closed' };

type Live = State & { readonly at: 'established' | 'closing' };

/** First repeat timeouts (protocol §4.2; towards a device §7.3). */
const CLIENT_REPEAT_MS = 500;
const SERVER_REPEAT_MS = 200;
/** How long a BYE is repeated; a gateway may never acknowledge it (protocol §3.7). */
const BYE_PATIENCE_MS = 400;
/** Over UDP a wrong proof may be forged, so the true one may still come for this long. */
const AFTER_WRONG_PROOF_MS = 2_000;

export class Peer {
  readonly #transport: Protocol;
  readonly #suite: Suite;
  readonly #random: Random;
  readonly #times: PeerTimes;
  readonly #handshake: Handshake;
  readonly #deframer = new Deframer();
  readonly #link: DatagramLink;
  readonly #queue = new SendQueue();
  #state: State = { at: 'idle' };
  #outbound: Uint8Array[] = [];
  #events: PeerEvent[] = [];
  #nextTicket: Ticket = 1;
  /** TCP: the transport takes more bytes. */
  #writable = true;
  /** UDP: session frames are taken; otherwise they stay unacknowledged and come again. */
  #receiving = true;
  #proven = false;
  /** PINGs sent and not answered, oldest first. */
  #pings: { readonly ticket?: Ticket; readonly sentAt: number }[] = [];
  /** UDP: the unit under way and its frames that are not acknowledged. */
  #current: { readonly unit: Unit; readonly frames: SealedFrame[] } | undefined;
  /** UDP: handshake datagrams dealt with; a repeat is acknowledged and otherwise passed over. */
  readonly #handled: Uint8Array[] = [];
  /** UDP: why datagrams were dropped during the handshake, to explain a timeout. */
  #suspicion: USMPError | undefined;

  constructor(options: PeerOptions) {
    this.#handshake = options.handshake;
    this.#transport = options.transport;
    this.#suite = options.suite;
    this.#random = options.random;
    this.#times = options.times;
    this.#link = new DatagramLink({
      initialTimeoutMs: options.handshake.role === 'client' ? CLIENT_REPEAT_MS : SERVER_REPEAT_MS,
    });
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
    const life = state.at === 'handshaking' ? Infinity : state.liveness.deadline;
    const earliest = Math.min(own, life, this.#link.deadline ?? Infinity);
    return earliest === Infinity ? undefined : earliest;
  }

  /** Begins: a client sends HELLO, a server waits for it. */
  start(now: number): void {
    this.#state = { at: 'handshaking', deadline: now + this.#times.handshakeMs };
    const hello = this.#handshake.start();
    if (hello) this.#sendHandshake(hello, now);
  }

  /** Bytes from the transport: any part of a stream, or one datagram. */
  receive(bytes: Uint8Array, now: number): void {
    if (this.#ended) return;
    if (this.#transport === 'udp') {
      this.#datagram(bytes, now);
      return;
    }
    try {
      for (const frame of this.#deframer.push(bytes)) {
        this.#frame(frame, bytes, now);
        if (this.#ended) return;
      }
    } catch (error) {
      this.#fail(asUSMPError(error));
    }
  }

  tick(now: number): void {
    const again = this.#link.tick(now);
    if (again === 'lost') {
      this.#fail(
        this.#state.at === 'handshaking'
          ? this.#timeoutReason()
          : new USMPTimeoutError(
              `the ${this.#other} no longer acknowledges: its device or the network is down`,
              {
                code: 'USMP_NO_ACK',
              },
            ),
      );
      return;
    }
    if (again) this.#outbound.push(again);
    const state = this.#state;
    if (state.at === 'handshaking' && now >= state.deadline) this.#fail(this.#timeoutReason());
    else if (state.at === 'closing' && now >= state.deadline) this.#giveUpClosing(state);
    else if (state.at === 'established' || state.at === 'closing') this.#checkLife(state, now);
  }

  /** The transport is gone; `cause` says why, where it knows. */
  transportClosed(cause?: Error): void {
    if (this.#state.at === 'closing') {
      this.#close();
      return;
    }
    this.#fail(
      this.#state.at === 'handshaking'
        ? this.#handshake.failure('closed', this.#transport)
        : new ConnectionClosedError(`the connection to the ${this.#other} broke`, {
            code: 'USMP_LOST',
            cause,
          }),
    );
  }

  /** Ends with this error and without BYE. */
  abort(error: USMPError): void {
    this.#fail(error);
  }

  setWritable(writable: boolean, now: number): void {
    this.#writable = writable;
    this.#pump(now);
  }

  setReceiving(receiving: boolean): void {
    this.#receiving = receiving;
  }

  /** Server: the answer to `pskWanted`; undefined for an unknown device. */
  providePsk(psk: Secret | undefined, now: number): void {
    const state = this.#state;
    if (state.at !== 'handshaking' || !(this.#handshake instanceof ServerHandshake)) return;
    try {
      this.#step(this.#handshake.providePsk(psk), now);
    } catch (error) {
      if (this.#transport === 'tcp') {
        this.#fail(asUSMPError(error));
        return;
      }
      this.#suspect(error);
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
    if (this.#state.at === 'established' && (!this.#state.session.canRekey || this.#queue.has('rekey'))) {
      throw new USMPError('a change of keys is under way already', {
        code: 'USMP_REKEY_PENDING',
        fault: 'local',
      });
    }
    return this.#request((ticket) => ({ kind: 'rekey', ticket }), now);
  }

  /** Sends what is queued, then BYE, and closes; after `timeoutMs` at the latest. */
  close(now: number, timeoutMs: number): void {
    const state = this.#state;
    if (state.at === 'closing' || state.at === 'closed') return;
    if (state.at !== 'established') {
      this.#close();
      return;
    }
    const { session, liveness } = state;
    this.#state = { at: 'closing', session, liveness, deadline: now + timeoutMs };
    this.#queue.addBye();
    this.#pump(now);
  }

  get #ended(): boolean {
    return this.#state.at === 'closed';
  }

  get #other(): string {
    return this.#handshake.role === 'client' ? 'gateway' : 'device';
  }

  // Receiving

  #datagram(bytes: Uint8Array, now: number): void {
    const utack = decodeUtack(bytes);
    if (utack) {
      if (this.#link.utack(utack, now)) this.#frameDone(now);
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
    if (this.#transport === 'udp' && this.#handled.some((handled) => sameBytes(handled, bytes))) {
      this.#utack(frame);
      return;
    }
    const state = this.#state;
    if (state.at === 'handshaking') {
      const step = this.#handshake.receive(frame);
      if (this.#transport === 'udp') {
        this.#utack(frame);
        this.#handled.push(Uint8Array.from(bytes));
      }
      this.#step(step, now);
    } else if (state.at === 'established' || state.at === 'closing') {
      if (!isSealed(frame.type)) throw unexpected(frame, 'a session frame');
      if (this.#receiving || this.#transport === 'tcp') this.#sessionFrame(state, frame, now);
    }
  }

  #sessionFrame({ session, liveness }: Live, frame: Frame, now: number): void {
    const { content, utackMac } = session.open(frame);
    if (this.#transport === 'udp') this.#utack(frame, utackMac());
    liveness.received(now);
    if (!this.#proven) {
      this.#proven = true;
      this.#events.push({ type: 'proven' });
    }
    // A sealed frame shows that the client has SESSION_OK, whether or not its UTACK arrived.
    if (this.#link.answered(FrameType.SESSION_OK)) this.#pump(now);
    switch (content.kind) {
      case 'message':
        this.#events.push({ type: 'message', data: content.data });
        break;
      case 'ping':
        if (!this.#queue.addPong()) {
          this.#fail(
            new USMPError(`the ${this.#other} sends PINGs without end`, { code: 'USMP_PING_FLOOD' }),
          );
          return;
        }
        this.#pump(now);
        break;
      case 'pong':
        this.#pong(now);
        break;
      case 'bye':
        if (this.#state.at === 'closing') this.#close();
        else {
          this.#fail(
            new ConnectionClosedError(`the ${this.#other} ended the session (BYE)`, {
              code: 'USMP_BYE',
              fault: 'peer',
            }),
          );
        }
        break;
      case 'rekey':
        this.#events.push({ type: 'rekeyed' });
        break;
      case 'fatal':
        this.#fail(content.error);
        break;
      case 'violation':
        throw content.error;
      case 'fragment':
      case 'repeat':
    }
  }

  #pong(now: number): void {
    const ping = this.#pings.shift();
    if (ping?.ticket !== undefined) {
      this.#events.push({ type: 'pong', ticket: ping.ticket, rttMs: now - ping.sentAt });
    }
    // A PONG acknowledges its PING even when the UTACK was lost.
    if (this.#pings.length === 0 && this.#link.answered(FrameType.PING)) this.#frameDone(now);
  }

  /** Keeps what best explains a handshake that comes to nothing; elsewhere a dropped datagram leaves no trace. */
  #suspect(fault: unknown): void {
    const error = asUSMPError(fault);
    if (error instanceof VersionError || error instanceof AuthError) this.#suspicion = error;
  }

  #timeoutReason(): USMPError {
    const suspicion = this.#suspicion;
    return suspicion instanceof VersionError || suspicion instanceof AuthError
      ? suspicion
      : this.#handshake.failure('timeout', this.#transport);
  }

  // Handshake

  #step(step: HandshakeStep, now: number): void {
    if (step.established) this.#establish(step.established, now);
    if (step.reply) this.#sendHandshake(step.reply, now);
    else this.#link.answered(this.#handshake.role === 'client' ? FrameType.HELLO_ACK : FrameType.CHALLENGE);
    if (step.pskWanted) this.#events.push({ type: 'pskWanted', deviceId: step.pskWanted });
    this.#pump(now);
  }

  #establish(
    { sessionId, deviceId, txKey, rxKey }: NonNullable<HandshakeStep['established']>,
    now: number,
  ): void {
    const session = new Session({
      sessionId,
      txKey,
      rxKey,
      suite: this.#suite,
      transport: this.#transport,
      random: this.#random,
    });
    this.#state = { at: 'established', session, liveness: new Liveness(this.#times, now) };
    this.#events.push({ type: 'established', sessionId, deviceId });
  }

  #sendHandshake(frame: Frame, now: number): void {
    const bytes = encodeFrame(frame);
    this.#outbound.push(bytes);
    if (this.#transport === 'tcp') return;
    // A client repeats until the answer comes, whatever was acknowledged (protocol §4.3); a server until the UTACK.
    const byUtack = this.#handshake.role === 'server';
    this.#link.sent({ ...frame, bytes, acknowledgedBy: (utack) => byUtack && utack.mac === undefined }, now);
  }

  #utack({ type, seq }: Frame, mac?: Uint8Array): void {
    this.#outbound.push(encodeUtack({ type, seq, ...(mac && { mac }) }));
  }

  // Sending

  #request(unit: (ticket: Ticket) => Unit, now: number): Ticket {
    if (this.#state.at !== 'established') throw new NotConnectedError();
    const ticket = this.#nextTicket++;
    this.#queue.add(unit(ticket));
    this.#pump(now);
    return ticket;
  }

  /** Sends as much of the queue as the transport takes: all that is writable, or one frame until its UTACK. */
  #pump(now: number): void {
    for (;;) {
      const state = this.#state;
      if (state.at !== 'established' && state.at !== 'closing') return;
      if (this.#transport === 'tcp' ? !this.#writable : this.#link.busy) return;
      const frame = this.#current?.frames[0];
      if (frame) {
        this.#sendDatagram(state, frame, now);
        return;
      }
      const unit = this.#queue.next();
      if (!unit) return;
      this.#sendUnit(state, unit, now);
    }
  }

  #sendUnit(state: Live, unit: Unit, now: number): void {
    let frames: SealedFrame[];
    try {
      frames = seal(state.session, unit);
    } catch (error) {
      this.#fail(asUSMPError(error));
      return;
    }
    if (unit.kind === 'ping') {
      this.#pings.push({ sentAt: now, ...(unit.ticket !== undefined && { ticket: unit.ticket }) });
      state.liveness.pinged(now);
    }
    if (unit.kind === 'bye' && state.at === 'closing')
      state.deadline = Math.min(state.deadline, now + BYE_PATIENCE_MS);
    if (this.#transport === 'udp') {
      this.#current = { unit, frames };
      return;
    }
    this.#outbound.push(concat(...frames.map(({ bytes }) => bytes)));
    state.liveness.sent(now);
    this.#unitDone(unit);
  }

  #sendDatagram({ session, liveness }: Live, frame: SealedFrame, now: number): void {
    this.#outbound.push(frame.bytes);
    const acknowledgedBy = ({ mac }: Utack): boolean => mac !== undefined && session.acknowledges(mac, frame);
    this.#link.sent({ ...frame, acknowledgedBy }, now);
    liveness.sent(now);
  }

  /** UDP: the frame under way arrived. */
  #frameDone(now: number): void {
    this.#current?.frames.shift();
    if (this.#current?.frames.length === 0) {
      const { unit } = this.#current;
      this.#current = undefined;
      this.#unitDone(unit);
    }
    this.#pump(now);
  }

  #unitDone(unit: Unit): void {
    if (unit.kind === 'message' || unit.kind === 'rekey')
      this.#events.push({ type: 'sent', ticket: unit.ticket });
    if (unit.kind === 'rekey') this.#events.push({ type: 'rekeyed' });
    if (unit.kind === 'bye') this.#close();
  }

  // Ending

  #checkLife(state: Live, now: number): void {
    switch (state.liveness.due(now)) {
      case 'dead':
        this.#fail(
          new USMPTimeoutError(`the ${this.#other} is silent: nothing came from it in time`, {
            code: 'USMP_DEAD',
          }),
        );
        break;
      case 'ping':
        state.liveness.pinged(now);
        this.#queue.addUrgentPing();
        this.#pump(now);
        break;
      case undefined:
    }
  }

  /** The time to close is over: one BYE goes out, if none has and the transport takes it. */
  #giveUpClosing({ session }: Live): void {
    const byeSent = !this.#queue.has('bye');
    if (!byeSent && (this.#transport === 'udp' || this.#writable)) {
      this.#outbound.push(session.sealControl(FrameType.BYE).bytes);
    }
    this.#close();
  }

  #fail(error: USMPError): void {
    this.#end({ type: 'closed', error });
  }

  #close(): void {
    this.#end({ type: 'closed' });
  }

  #end(event: PeerEvent): void {
    const state = this.#state;
    if (state.at === 'closed') return;
    if (state.at === 'established' || state.at === 'closing') state.session.wipe();
    this.#handshake.wipe();
    this.#state = { at: 'closed' };
    this.#events.push(event);
  }
}

function seal(session: Session, unit: Unit): SealedFrame[] {
  switch (unit.kind) {
    case 'message':
      return session.sealMessage(unit.data);
    case 'ping':
      return [session.sealControl(FrameType.PING)];
    case 'pong':
      return [session.sealControl(FrameType.PONG)];
    case 'rekey':
      return [session.sealRekey()];
    case 'bye':
      return [session.sealControl(FrameType.BYE)];
  }
}

/** Errors of our own making pass through; anything else is a bug here and must not pass for a peer's fault. */
function asUSMPError(error: unknown): USMPError {
  if (error instanceof USMPError) return error;
  throw error;
}
