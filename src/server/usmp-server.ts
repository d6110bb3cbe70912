/** The gateway's side: listens, lets devices in, and keeps one session a device (protocol §2, §5, §6.2). */
import { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { checkChoice, checkOptions, hostAndPort } from '../check.js';
import type { SendOptions } from '../delivery/mailbox.js';
import type { Outcome } from '../delivery/outbox.js';
import { ConnectionClosedError, type USMPError } from '../errors.js';
import { createCookies } from '../handshake/cookie.js';
import { CLOSE_MS } from '../endpoint/endpoint.js';
import { guarded } from '../endpoint/guarded.js';
import { formatDeviceId } from '../wire/device-id.js';
import { Devices, type DeviceTable } from './devices.js';
import { Entrance, type Admitted } from './entrance.js';
import { sessionsRuledOut } from './hand-over.js';
import { checkKeptMailboxes, type KeptMailbox } from './kept.js';
import { keyFinder, type KeyFinder, type PskSource } from './keys.js';
import { Keyring } from './keyring.js';
import { listen, Listening } from './listen.js';
import type { Incoming } from './listener.js';
import {
  checkServerOptions,
  systemServerEnvironment,
  type CheckedServerOptions,
  type ServerEnvironment,
  type ServerOptions,
} from './options.js';
import { Port } from './port.js';
import { Refusals, type Knock, type Refused } from './refusals.js';
import type { ServerSession } from './server-session.js';
import { Sessions } from './sessions.js';

export interface ServerEvents {
  /** A device opened a session. */
  session: [session: ServerSession];
  /** A session ended because nothing came from its device for the session timeout. */
  timeout: [session: ServerSession];
  /** A device is there: it has opened a session. Before `session`. */
  online: [session: ServerSession];
  /** A device's session is over; without a reason when it was closed from here. */
  offline: [session: ServerSession, reason: USMPError | undefined];
  /** A connection did not become a session; once in `noticeInterval` for each address, device id and code. */
  refused: [refusal: Refused];
  /** A device that has no key here asked to be let in; once in `noticeInterval` for each address and device id. */
  knock: [knock: Knock];
}

export interface ServerStats {
  readonly sessions: number;
  /** Under way. */
  readonly handshakes: number;
  /** Connections so far that were closed from the other side before HELLO, as a health check does; no event tells. */
  readonly calledOff: number;
}

/** How long a close waits for receipts of what is under way, before BYE. */
const DRAIN_MS = 250;

export class USMPServer extends EventEmitter<ServerEvents> {
  readonly #options: CheckedServerOptions;
  readonly #environment: ServerEnvironment;
  readonly #keyring: Keyring;
  readonly #devices: Devices;
  readonly #refusals: Refusals;
  readonly #entrance: Entrance;
  readonly #sessions = new Sessions();
  readonly #port = new Port<KeptMailbox[]>((staying) => this.#listen(staying));
  #calledOff = 0;

  /** @throws ArgumentError naming the option that is not usable. Nothing is opened before `listen`. */
  constructor(options: ServerOptions, environment: ServerEnvironment = systemServerEnvironment) {
    super();
    const checked = checkServerOptions(options);
    this.#keyring = new Keyring(checked.keys, environment.clock);
    this.#options = { ...checked, keys: this.#keyring };
    this.#environment = environment;
    this.#refusals = new Refusals(checked.devices.noticeMs, {
      onRefused: (refused) => guarded(() => this.emit('refused', refused)),
      onKnock: (knock) => guarded(() => this.emit('knock', knock)),
      now: () => environment.clock.now(),
      wallTime: () => this.#wallTime(),
    });
    this.#devices = new Devices({
      clock: environment.clock,
      wallTime: () => this.#wallTime(),
      limits: checked.devices,
      onOnline: (session) => guarded(() => this.emit('online', session)),
      onOffline: (session, reason) => guarded(() => this.emit('offline', session, reason)),
    });
    this.#devices.know(this.#keyring.deviceIds);
    this.#entrance = new Entrance({
      options: this.#options,
      environment,
      present: (deviceId) => this.#sessions.channelOf(deviceId),
      onAdmitted: (admitted) => this.#admitted(admitted),
      onRefused: (remote, reason) => this.#refusals.refused(remote, reason),
      onCallOff: () => (this.#calledOff += 1),
    });
  }

  /** The port listened on, which the system chose when the option was 0; undefined while closed. */
  get port(): number | undefined {
    return this.#port.listening?.port;
  }

  /** The open sessions by device id (`aa:bb:cc:dd:ee:ff`). */
  get sessions(): ReadonlyMap<string, ServerSession> {
    return new Map(Array.from(this.#sessions, (session) => [session.deviceId, session]));
  }

  /** What goes on, in numbers. */
  get stats(): ServerStats {
    const { size: sessions } = this.#sessions;
    return { sessions, handshakes: this.#entrance.handshakes, calledOff: this.#calledOff };
  }

  /** What is known of each device that has a key of its own here or was here; a live view. */
  get devices(): DeviceTable {
    return this.#devices;
  }

  /** As `changeKeys`, for those who do not wait. @throws ArgumentError naming `psk`. */
  set psk(source: PskSource) {
    void this.changeKeys(source);
  }

  /**
   * Other keys from now on. Sessions whose key is still valid stay; the others end with `USMP_KEY_CHANGED`.
   * @returns a promise that resolves when all sessions were judged; a look-up that fails counts against none.
   * @throws ArgumentError naming `psk`; nothing has changed then.
   */
  changeKeys(source: PskSource): Promise<void> {
    return this.#useKeys(keyFinder(source));
  }

  /**
   * Accepts a message of at most 1,808 bytes for a device, a string as UTF-8. It waits while the device is away, is sent
   * again when a session dies before it is known to have arrived, and goes over whichever transport the device comes
   * back on: at least once, in the order of the calls.
   * @param deviceId in any notation; it need not be known, as its key may come later.
   * @param options.delivery `confirmed` (default) when the device has taken the message (protocol §3.6), `sent` when it
   * was handed to the transport (TCP) or acknowledged by UTACK (UDP).
   * @param options.key latest wins: a newer message of the same key takes the place of one that waits.
   * @param options.maxAge seconds that it may wait, where that is less than `mailboxAge`.
   * @returns `delivered`, or `replaced` by a newer message of its key.
   * @throws ArgumentError, PayloadError when it is too long, USMPError `USMP_OUTBOX_FULL` when too much waits for this
   * device or for all, `USMP_EXPIRED`, or `USMP_OUTBOX_CLOSED` when the server was closed.
   */
  async send(deviceId: string, message: string | Uint8Array, options?: SendOptions): Promise<Outcome> {
    return this.#devices.send(deviceId, message, options);
  }

  /**
   * Sends a message to every device in `devices`, each with an entry of its own in its mailbox.
   * @returns the outcome for each device id, an error where it failed, when all of them are known. Never rejected.
   */
  async broadcast(
    message: string | Uint8Array,
    options?: SendOptions,
  ): Promise<Map<string, Outcome | USMPError>> {
    const outcomes = Array.from(this.#devices, async ({ deviceId }) => {
      const outcome = this.#devices.send(deviceId, message, options);
      return [deviceId, await outcome.catch((error: unknown) => error as USMPError)] as const;
    });
    return new Map(await Promise.all(outcomes));
  }

  /**
   * Ends a device's session with BYE; within a second. It may come again.
   * @param reason what the session's end is told with; `USMP_DISCONNECTED` by default.
   * @returns whether there was a session. @throws ArgumentError naming `deviceId`.
   */
  async disconnect(deviceId: string | Uint8Array, reason?: USMPError): Promise<boolean> {
    const found = this.#sessions.get(formatDeviceId(deviceId));
    if (!found) return false;
    const text = 'the device was disconnected by the server';
    const standard = new ConnectionClosedError(text, { code: 'USMP_DISCONNECTED', fault: 'local' });
    await found.end(reason ?? standard);
    return true;
  }

  /**
   * Hands this server over to a new owner with other settings: listeners, sessions, devices and mailboxes go on, and only
   * what the settings rule out ends: the listener of a transport, and over UDP the sessions with it, for another address
   * or port, and all that goes over a transport that is not listened on any more; sessions whose key is not valid any more (`USMP_KEY_CHANGED`); all of them for another suite, and the
   * newest above a smaller limit (`USMP_SETTINGS_CHANGED`). Times apply to sessions that are opened from now on. What
   * waits in a mailbox stays, also above a smaller limit, and whoever sent it is told once.
   * The former owner's listeners are removed at once; the new owner adds its own right after the call.
   * @throws ArgumentError naming the option that is not usable, and nothing has changed then; otherwise as `listen`, and
   * what was not ruled out goes on until `close`.
   */
  handOver(options: ServerOptions): Promise<void> {
    const { keys, ...after } = checkServerOptions(checkOptions('options', options));
    this.removeAllListeners();
    return this.#takeOver(after, this.#useKeys(keys));
  }

  /** Opens the port, after a close that is under way. @throws USMPError (`USMP_PORT_IN_USE`, `USMP_PORT_FORBIDDEN`, `USMP_LISTEN`). */
  listen(): Promise<void> {
    return this.#port.open();
  }

  /** What is in the mailboxes, to be kept over a restart. */
  get undelivered(): KeptMailbox[] {
    return this.#devices.undelivered;
  }

  /**
   * Puts back what was kept over a restart, before all that is not under way. Nobody is told what becomes of it.
   * @throws ArgumentError naming `kept` when it is not what `undelivered` gives, PayloadError for a message that is too
   * long; nothing was put back then.
   */
  restore(kept: readonly KeptMailbox[]): void {
    this.#devices.restore(checkKeptMailboxes(kept));
  }

  /**
   * Ends all sessions with BYE and releases the port; within a second. What is still in the mailboxes is given up, which
   * whoever sent it is told (`USMP_OUTBOX_CLOSED`).
   * @param outcome `kept`: it is not given up but returned, to be put back by `restore`, which whoever sent it is told.
   */
  close(): Promise<void>;
  close(outcome: 'kept'): Promise<KeptMailbox[]>;
  async close(outcome?: 'kept'): Promise<KeptMailbox[] | void> {
    if (outcome !== undefined) checkChoice('outcome', outcome, ['kept']);
    const left = await this.#port.close((listening) => this.#close(listening, outcome));
    // When it was closed: what is left when another port could not be opened, or was sent before the first one.
    return left ?? this.#endAll(outcome);
  }

  async #close(listening: Listening, outcome?: 'kept'): Promise<KeptMailbox[]> {
    const ended = this.#endAll(outcome);
    const isAllOver = Promise.all([ended, this.#entrance.close()]);
    await Promise.all([isAllOver, listening.close(isAllOver)]);
    return ended;
  }

  async #endAll(outcome?: 'kept'): Promise<KeptMailbox[]> {
    const { clock } = this.#environment;
    const until = clock.now() + CLOSE_MS;
    if (this.#sessions.size > 0) await this.#devices.drain(DRAIN_MS);
    const ending = Array.from(this.#sessions, (session) => session.end(undefined, until - clock.now()));
    const kept = this.#giveUp(outcome);
    await Promise.all(ending);
    // What was sent meanwhile, unless there is a next life for it.
    return this.#port.at === 'closing' ? [...kept, ...this.#giveUp(outcome)] : kept;
  }

  #giveUp(outcome?: 'kept'): KeptMailbox[] {
    const kept = outcome ? this.#devices.undelivered : [];
    this.#devices.close(outcome);
    return kept;
  }

  #useKeys(finder: KeyFinder): Promise<void> {
    const judged = this.#keyring.replace(finder, this.#sessions);
    this.#devices.know(finder.deviceIds);
    return judged;
  }

  async #takeOver(after: Omit<CheckedServerOptions, 'keys'>, judged: Promise<void>): Promise<void> {
    const before = { ...this.#options };
    const isSamePort = (this.#port.listening ?? new Listening(before)).isAt(after);
    const ending = sessionsRuledOut(this.#sessions, before, after, isSamePort);
    const ended = Array.from(ending, ([session, reason]) => session.end(reason));
    Object.assign(this.#options, after); // whoever looks at the options sees the new ones
    this.#devices.limit(after.devices);
    this.#refusals.setInterval(after.devices.noticeMs);
    await this.#port.change(after, async (leaving) => {
      await Promise.all([...ended, this.#entrance.close([...leaving.listeners.keys()])]);
      // It is closed when its last session is over, but its port is free in the next turn.
      void leaving.close();
      await new Promise<void>((resolve) => this.#environment.clock.afterArrivals(resolve));
    });
    await Promise.all([judged, ...ended]);
  }

  #wallTime(): number {
    return (this.#environment.wallTime ?? Date.now)();
  }

  [inspect.custom](): string {
    const { protocol, host, port } = this.#options;
    const url = `${protocol}://${hostAndPort(host, this.port ?? port)}`;
    return `USMPServer ${url} ${this.#port.at}, ${this.#sessions.size} sessions`;
  }

  #listen(staying?: Listening): Promise<Listening> {
    const { clock, random } = this.#environment;
    const incoming: Incoming = {
      begin: (arrival) =>
        this.#port.listening?.listeners.has(arrival.protocol) ? this.#entrance.begin(arrival) : undefined,
      moved: (channel, remote) => {
        this.#entrance.moved(channel, remote);
        this.#sessions.moved(channel, remote);
      },
    };
    return listen({ ...this.#options, incoming, clock, random, cookies: createCookies(random) }, staying);
  }

  #admitted(admitted: Admitted): void {
    const session = this.#sessions.open(admitted);
    session.once('close', (reason) => {
      if (reason?.code === 'USMP_DEAD') this.emit('timeout', session);
    });
    this.#devices.opened(session);
    // Its keys may have been looked up before they were changed.
    if (this.#keyring.isFresh(this.#options.handshakeMs)) void this.#keyring.judge(session);
    this.emit('session', session);
  }
}
