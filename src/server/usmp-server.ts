/** The gateway's side: listens, lets devices in, and keeps one session a device (protocol §2, §5, §6.2). */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { hostAndPort } from '../check.js';
import { ConnectionClosedError, HandshakeError, USMPError } from '../errors.js';
import { createCookies } from '../handshake/cookie.js';
import { ServerHandshake } from '../handshake/server.js';
import type { Transport, TransportHandlers } from '../transport/transport.js';
import { Channel, type SessionInfo } from '../endpoint/channel.js';
import { guarded } from '../endpoint/guarded.js';
import { Party } from '../party/party.js';
import { formatDeviceId } from '../wire/device-id.js';
import { Admission, type Place } from './admission.js';
import { explainListenFailure, type Listener, type Remote } from './listener.js';
import {
  checkServerOptions,
  systemServerEnvironment,
  type CheckedServerOptions,
  type ServerEnvironment,
  type ServerOptions,
} from './options.js';
import { ServerSession } from './server-session.js';
import { listenTcp } from './tcp-listener.js';
import { listenUdp } from './udp-listener.js';

export interface ServerEvents {
  /** A device opened a session. */
  session: [session: ServerSession];
  /** A session ended because nothing came from its device for the session timeout. */
  timeout: [session: ServerSession];
  /** A connection did not become a session. */
  refused: [refusal: { readonly address: string; readonly port: number; readonly reason: USMPError }];
}

/** A device need not answer a PING: its session lives while anything comes from it. */
const PING_TIMEOUT_MS = 10_000;

type State =
  | { readonly at: 'closed' }
  | { readonly at: 'starting'; readonly started: Promise<void> }
  | { readonly at: 'listening'; readonly listener: Listener }
  | { readonly at: 'closing'; readonly closed: Promise<void> };

export class USMPServer extends EventEmitter<ServerEvents> {
  readonly #options: CheckedServerOptions;
  readonly #environment: ServerEnvironment;
  readonly #admission: Admission;
  readonly #handshakes = new Set<Channel>();
  readonly #sessions = new Map<string, { readonly session: ServerSession; readonly place: Place }>();
  #state: State = { at: 'closed' };

  /** @throws ArgumentError naming the option that is not usable. Nothing is opened before `listen`. */
  constructor(options: ServerOptions, environment: ServerEnvironment = systemServerEnvironment) {
    super();
    this.#options = checkServerOptions(options);
    this.#environment = environment;
    this.#admission = new Admission(this.#options);
  }

  /** The port listened on, which the system chose when the option was 0; undefined while closed. */
  get port(): number | undefined {
    return this.#state.at === 'listening' ? this.#state.listener.port : undefined;
  }

  /** The open sessions by device id (`aa:bb:cc:dd:ee:ff`). */
  get sessions(): ReadonlyMap<string, ServerSession> {
    return new Map(Array.from(this.#sessions, ([id, { session }]) => [id, session]));
  }

  /** Opens the port, after a close that is under way. @throws USMPError (`USMP_PORT_IN_USE`, `USMP_PORT_FORBIDDEN`, `USMP_LISTEN`). */
  listen(): Promise<void> {
    if (this.#state.at === 'listening') return Promise.resolve();
    if (this.#state.at === 'starting') return this.#state.started;
    const before = this.#state.at === 'closing' ? this.#state.closed : Promise.resolve();
    const started = before
      .then(() => this.#listen())
      .then(
        (listener) => {
          this.#state = { at: 'listening', listener };
        },
        (error: unknown) => {
          this.#state = { at: 'closed' };
          throw explainListenFailure(this.#options, error as NodeJS.ErrnoException);
        },
      );
    this.#state = { at: 'starting', started };
    return started;
  }

  /** Ends all sessions with BYE and releases the port; within a second. */
  async close(): Promise<void> {
    if (this.#state.at === 'starting') await this.#state.started.catch(() => undefined);
    if (this.#state.at === 'listening') {
      const closed = this.#close(this.#state.listener);
      this.#state = { at: 'closing', closed };
      void closed.then(() => {
        if (this.#state.at === 'closing') this.#state = { at: 'closed' };
      });
    }
    if (this.#state.at === 'closing') await this.#state.closed;
  }

  async #close(listener: Listener): Promise<void> {
    const ending = [
      ...Array.from(this.#sessions.values(), ({ session }) => session.bye()),
      ...Array.from(this.#handshakes, (channel) => channel.close(0)),
    ];
    // Over UDP the sessions share the listener's socket, so they go first.
    const listenerClosed = this.#options.protocol === 'tcp' ? listener.close() : undefined;
    await Promise.all(ending);
    await (listenerClosed ?? listener.close());
  }

  [inspect.custom](): string {
    const { protocol, host, port } = this.#options;
    const url = `${protocol}://${hostAndPort(host, this.port ?? port)}`;
    return `USMPServer ${url} ${this.#state.at}, ${this.#sessions.size} sessions`;
  }

  #listen(): Promise<Listener> {
    const { host, port, protocol } = this.#options;
    const { clock, random } = this.#environment;
    const incoming = {
      admits: (remote: Remote) => this.#admits(remote),
      begin: (remote: Remote, open: (handlers: TransportHandlers) => Transport) => this.#begin(remote, open),
    };
    return protocol === 'tcp'
      ? listenTcp(host, port, incoming)
      : listenUdp(host, port, incoming, { clock, cookies: createCookies(random) });
  }

  #admits(remote: Remote): boolean {
    if (this.#state.at !== 'listening') return false;
    const refusal = this.#admission.refusal(remote.address, this.#environment.clock.now());
    if (refusal) this.#refused(remote, new HandshakeError(refusal, { code: 'USMP_NOT_ADMITTED' }));
    return refusal === undefined;
  }

  #begin(remote: Remote, open: (handlers: TransportHandlers) => Transport): Channel {
    const { clock, random } = this.#environment;
    const { protocol, suite, handshakeMs, sessionTimeoutMs } = this.#options;
    const place = this.#admission.take(remote.address);
    const channel: Channel = new Channel({
      party: new Party({
        handshake: new ServerHandshake({ random }),
        transport: protocol,
        suite,
        random,
        times: { handshakeMs, sessionTimeoutMs, keepaliveMs: 0, pongTimeoutMs: 0 },
      }),
      clock,
      open,
      connectTimeoutMs: handshakeMs,
      explain: () =>
        new ConnectionClosedError('the connection broke before the handshake', { code: 'USMP_LOST' }),
      pingTimeoutMs: PING_TIMEOUT_MS,
      hooks: {
        findPsk: (deviceId) => this.#options.keys.find(deviceId),
        onNews: (news) => {
          if (news.type === 'established') this.#established(channel, news.session, remote, place);
          return false; // messages wait for whoever takes the session
        },
      },
    });
    this.#handshakes.add(channel);
    channel.established.catch((reason: unknown) => {
      this.#handshakes.delete(channel);
      place.release();
      if (!(reason instanceof USMPError) || reason.code === 'USMP_CLOSED') return; // closed from here
      // What went wrong on this side, a key that could not be looked up say, is no fault of the device.
      if (reason.fault !== 'local') place.failed(clock.now());
      this.#refused(remote, reason);
    });
    channel.start();
    return channel;
  }

  #established(channel: Channel, info: SessionInfo, remote: Remote, place: Place): void {
    this.#handshakes.delete(channel);
    const deviceId = formatDeviceId(info.deviceId);
    const session = new ServerSession(channel, {
      deviceId,
      sessionId: info.sessionId,
      protocol: this.#options.protocol,
      remoteAddress: remote.address,
      remotePort: remote.port,
    });
    // A device that lost its session comes back from another port: the new one takes the old one's place at once.
    const old = this.#sessions.get(deviceId);
    old?.place.release();
    old?.session.abort(
      new ConnectionClosedError('the device opened a new session', { code: 'USMP_REPLACED' }),
    );
    if (!place.established()) {
      place.release();
      void session.bye();
      this.#refused(
        remote,
        new USMPError('too many sessions', { code: 'USMP_NOT_ADMITTED', fault: 'local' }),
      );
      return;
    }
    this.#sessions.set(deviceId, { session, place });
    session.once('close', (reason) => {
      place.release();
      if (this.#sessions.get(deviceId)?.session === session) this.#sessions.delete(deviceId);
      if (reason?.code === 'USMP_DEAD') this.emit('timeout', session);
    });
    this.emit('session', session);
  }

  #refused({ address, port }: Remote, reason: USMPError): void {
    guarded(() => this.emit('refused', { address, port, reason }));
  }
}
