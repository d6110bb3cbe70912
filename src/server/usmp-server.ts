/** The gateway's side: listens, lets devices in, and keeps one session a device (protocol §2, §5, §6.2). */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { hostAndPort } from '../check.js';
import { ConnectionClosedError, type USMPError } from '../errors.js';
import { createCookies } from '../handshake/cookie.js';
import type { Channel } from '../endpoint/channel.js';
import { guarded } from '../endpoint/guarded.js';
import { formatDeviceId } from '../wire/device-id.js';
import { Entrance, type Admitted } from './entrance.js';
import { listen } from './listen.js';
import type { Incoming, Listener, Remote } from './listener.js';
import {
  checkServerOptions,
  systemServerEnvironment,
  type CheckedServerOptions,
  type ServerEnvironment,
  type ServerOptions,
} from './options.js';
import { ServerSession } from './server-session.js';

export interface ServerEvents {
  /** A device opened a session. */
  session: [session: ServerSession];
  /** A session ended because nothing came from its device for the session timeout. */
  timeout: [session: ServerSession];
  /** A connection did not become a session. */
  refused: [refusal: { readonly address: string; readonly port: number; readonly reason: USMPError }];
}

type State =
  | { readonly at: 'closed' }
  | { readonly at: 'starting'; readonly started: Promise<void> }
  | { readonly at: 'listening'; readonly listener: Listener }
  | { readonly at: 'closing'; readonly closed: Promise<void> };

export class USMPServer extends EventEmitter<ServerEvents> {
  readonly #options: CheckedServerOptions;
  readonly #environment: ServerEnvironment;
  readonly #entrance: Entrance;
  /** By device id. */
  readonly #sessions = new Map<string, { readonly session: ServerSession; readonly channel: Channel }>();
  readonly #byChannel = new WeakMap<Channel, ServerSession>();
  #state: State = { at: 'closed' };

  /** @throws ArgumentError naming the option that is not usable. Nothing is opened before `listen`. */
  constructor(options: ServerOptions, environment: ServerEnvironment = systemServerEnvironment) {
    super();
    this.#options = checkServerOptions(options);
    this.#environment = environment;
    this.#entrance = new Entrance({
      options: this.#options,
      environment,
      present: (deviceId) => this.#sessions.get(deviceId)?.channel,
      onAdmitted: (admitted) => this.#admitted(admitted),
      onRefused: (remote, reason) => this.#refused(remote, reason),
    });
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
          throw error;
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
    const isAllOver = Promise.all([
      ...Array.from(this.#sessions.values(), ({ session }) => session.bye()),
      this.#entrance.close(),
    ]);
    await Promise.all([isAllOver, listener.close(isAllOver)]);
  }

  [inspect.custom](): string {
    const { protocol, host, port } = this.#options;
    const url = `${protocol}://${hostAndPort(host, this.port ?? port)}`;
    return `USMPServer ${url} ${this.#state.at}, ${this.#sessions.size} sessions`;
  }

  #listen(): Promise<Listener> {
    const { clock, random } = this.#environment;
    const incoming: Incoming = {
      begin: (arrival) => (this.#state.at === 'listening' ? this.#entrance.begin(arrival) : undefined),
      moved: (channel, remote) => {
        this.#entrance.moved(channel, remote);
        this.#byChannel.get(channel)?.moved(remote);
      },
    };
    return listen({ ...this.#options, incoming, clock, cookies: createCookies(random) });
  }

  #admitted({ channel, info, arrival, replaced }: Admitted): void {
    const deviceId = formatDeviceId(info.deviceId);
    const { protocol, remote } = arrival;
    const session = new ServerSession(channel, {
      deviceId,
      sessionId: info.sessionId,
      protocol,
      remoteAddress: remote.address,
      remotePort: remote.port,
    });
    // A device that lost its session comes back from another port: the new one takes the old one's place at once.
    const own = this.#sessions.get(deviceId)?.channel;
    for (const old of replaced) {
      const text =
        old === own
          ? 'the device opened a new session'
          : 'another device opened a session at the address and port of this one';
      old.abort(new ConnectionClosedError(text, { code: 'USMP_REPLACED' }));
    }
    this.#sessions.set(deviceId, { session, channel });
    this.#byChannel.set(channel, session);
    session.once('close', (reason) => {
      if (this.#sessions.get(deviceId)?.channel === channel) this.#sessions.delete(deviceId);
      if (reason?.code === 'USMP_DEAD') this.emit('timeout', session);
    });
    this.emit('session', session);
  }

  #refused({ address, port }: Remote, reason: USMPError): void {
    guarded(() => this.emit('refused', { address, port, reason }));
  }
}
