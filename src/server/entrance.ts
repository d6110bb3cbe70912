/**
 * From an arrival to a session: each handshake's place, its first step's limit, its try to prove itself, and the last
 * look whether there is room, before the device is told that it is in (protocol §2, §5). Nothing is taken from a session
 * that there is before its successor has all it needs.
 */
import type { CancelTimer } from '../clock.js';
import { Channel, type SessionInfo } from '../endpoint/channel.js';
import { patient } from '../endpoint/patience.js';
import { ConnectionClosedError, HandshakeError, USMPError } from '../errors.js';
import { ServerHandshake } from '../handshake/server.js';
import { DatagramLink, REPEATS } from '../link/datagram-link.js';
import { StreamLink } from '../link/stream-link.js';
import { Party } from '../party/party.js';
import { toHex } from '../wire/bytes.js';
import { formatDeviceId } from '../wire/device-id.js';
import { Admission, type Place } from './admission.js';
import { ID_PREFIX_BYTES } from './doorman.js';
import type { Arrival, Remote } from './listener.js';
import type { CheckedServerOptions, ServerEnvironment } from './options.js';
import { Tries, type Try } from './tries.js';

/** A device that is in: its channel is established, and the sessions in `replaced` are over with that. */
export interface Admitted {
  readonly channel: Channel;
  readonly info: SessionInfo;
  readonly arrival: Arrival;
  readonly place: Place;
  readonly replaced: readonly Channel[];
}

export interface EntranceOptions {
  readonly options: CheckedServerOptions;
  readonly environment: ServerEnvironment;
  /** The channel of the device's present session. */
  readonly present: (deviceId: string) => Channel | undefined;
  readonly onAdmitted: (admitted: Admitted) => void;
  readonly onRefused: (remote: Remote, reason: USMPError) => void;
}

/** A device need not answer a PING: its session lives while anything comes from it. */
const PING_TIMEOUT_MS = 10_000;

const PREFIX_DIGITS = 2 * ID_PREFIX_BYTES;

export class Entrance {
  readonly #options: EntranceOptions;
  readonly #admission: Admission;
  readonly #tries: Tries;
  /** Handshakes under way. */
  readonly #handshakes = new Set<Channel>();
  readonly #places = new WeakMap<Channel, Place>();
  /** The first halves of all live session ids, by which frames are told apart over UDP. */
  readonly #prefixes = new Set<string>();

  constructor(options: EntranceOptions) {
    this.#options = options;
    this.#admission = new Admission(options.options);
    const { clock, random } = options.environment;
    this.#tries = new Tries({ clock, random, intervalMs: options.options.tryIntervalMs });
  }

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#handshakes.size;
  }

  /** @returns undefined when there is no room, as far as that is known by then. */
  begin(arrival: Arrival): Channel | undefined {
    const { deviceId } = arrival;
    // Over UDP HELLO itself is here, so that refusing costs no key agreement.
    const reason = deviceId && this.#lackOfRoom(arrival, formatDeviceId(deviceId));
    if (reason) {
      this.#options.onRefused(arrival.remote, reason);
      return undefined;
    }
    return new Attempt(this.#tools(), arrival).channel;
  }

  /** A session is at another address now. */
  moved(channel: Channel, { address }: Remote): void {
    this.#places.get(channel)?.move(address);
  }

  /** Ends all handshakes. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#handshakes, (channel) => channel.close(0)));
  }

  #tools(): Tools {
    return {
      ...this.#options,
      admission: this.#admission,
      tries: this.#tries,
      handshakes: this.#handshakes,
      places: this.#places,
      prefixes: this.#prefixes,
      replacedBy: (arrival, deviceId) => this.#replacedBy(arrival, deviceId),
      lackOfRoom: (arrival, deviceId) => this.#lackOfRoom(arrival, deviceId),
    };
  }

  /** Whose place a session of this device takes: its own old one, and over UDP any at its address and port. */
  #replacedBy(arrival: Arrival, deviceId: string): Channel[] {
    const own = this.#options.present(deviceId);
    return [...new Set([...(own ? [own] : []), ...arrival.occupants()])];
  }

  #lackOfRoom(arrival: Arrival, deviceId: string): USMPError | undefined {
    const leaving = placesOf(this.#places, this.#replacedBy(arrival, deviceId));
    const hasRoom = this.#admission.hasRoom(arrival.remote.address, leaving);
    return hasRoom ? undefined : noRoom();
  }
}

interface Tools extends EntranceOptions {
  readonly admission: Admission;
  readonly tries: Tries;
  readonly handshakes: Set<Channel>;
  readonly places: WeakMap<Channel, Place>;
  readonly prefixes: Set<string>;
  readonly replacedBy: (arrival: Arrival, deviceId: string) => Channel[];
  readonly lackOfRoom: (arrival: Arrival, deviceId: string) => USMPError | undefined;
}

/** One handshake. */
class Attempt {
  readonly channel: Channel;
  readonly #tools: Tools;
  readonly #arrival: Arrival;
  readonly #place: Place;
  readonly #cancelHelloTimer: CancelTimer;
  #try: Try | undefined;
  /** Settled with the proof: whose sessions end. */
  #replaced: readonly Channel[] = [];

  constructor(tools: Tools, arrival: Arrival) {
    this.#tools = tools;
    this.#arrival = arrival;
    const { options, environment, admission } = tools;
    const { clock, random } = environment;
    this.#place = admission.enter(arrival.remote.address, () => this.channel.abort(crowdedOut()));
    this.channel = new Channel({
      party: new Party({
        handshake: new ServerHandshake({
          random,
          onProof: (deviceId) => this.#proven(deviceId),
          onWrongProof: () => this.#try?.wrong(),
          isFree: (sessionId) => !tools.prefixes.has(prefixOf(toHex(sessionId))),
        }),
        link: arrival.protocol === 'tcp' ? new StreamLink() : new DatagramLink(REPEATS.server),
        suite: options.suite,
        random,
        times: {
          handshakeMs: options.handshakeMs,
          sessionTimeoutMs: options.sessionTimeoutMs,
          keepaliveMs: 0,
          pongTimeoutMs: 0,
        },
      }),
      clock,
      open: arrival.open,
      connectTimeoutMs: options.handshakeMs,
      explain: brokenBefore,
      pingTimeoutMs: PING_TIMEOUT_MS,
      hooks: {
        findPsk: (deviceId) => this.#hello(deviceId),
        onNews: (news) => {
          if (news.type === 'established') this.#established(news.session);
          return false; // messages wait for whoever takes the session
        },
      },
    });
    tools.handshakes.add(this.channel);
    tools.places.set(this.channel, this.#place);
    this.#cancelHelloTimer = patient(clock).setTimer(options.helloMs, () => this.channel.abort(noHello()));
    this.channel.established.catch((reason: unknown) => this.#failed(reason));
    this.channel.start();
  }

  /** HELLO has come. @returns the device's key, as soon as it may try to prove itself. */
  async #hello(deviceId: Uint8Array) {
    const { lackOfRoom, tries, options } = this.#tools;
    this.#cancelHelloTimer();
    const id = formatDeviceId(deviceId);
    const reason = lackOfRoom(this.#arrival, id);
    if (reason) {
      this.channel.abort(reason);
      return undefined;
    }
    this.#try = tries.begin(id, this.#arrival.remote.address);
    return (await this.#try.mayGoOn) ? options.keys.find(deviceId) : undefined;
  }

  /** The device is who it says; it is told so only when there is room. @throws USMPError */
  #proven(deviceId: Uint8Array): void {
    const { replacedBy, places } = this.#tools;
    this.#try?.right();
    const replaced = replacedBy(this.#arrival, formatDeviceId(deviceId));
    if (!this.#place.establish(placesOf(places, replaced))) {
      this.channel.abort(noRoom()); // over UDP the throw alone would let it go on
      throw noRoom();
    }
    this.#replaced = replaced;
  }

  #established(info: SessionInfo): void {
    const { prefixes, onAdmitted } = this.#tools;
    this.#over();
    const prefix = prefixOf(info.sessionId);
    prefixes.add(prefix);
    const { channel } = this;
    const place = this.#place;
    // Nothing here may hold on to the attempt, which is over.
    void channel.closed.then(() => {
      place.release();
      prefixes.delete(prefix);
    });
    onAdmitted({ channel, info, arrival: this.#arrival, place, replaced: this.#replaced });
  }

  #failed(reason: unknown): void {
    const { onRefused } = this.#tools;
    const wasWaiting = this.#try?.isWaiting ?? false;
    this.#over();
    this.#place.release();
    if (!(reason instanceof USMPError) || reason.code === 'USMP_CLOSED') return; // closed from here
    onRefused(
      this.#arrival.remote,
      wasWaiting && reason.code === 'USMP_PSK_LOOKUP' ? triedTooOften() : reason,
    );
  }

  #over(): void {
    this.#cancelHelloTimer();
    this.#try?.end();
    this.#tools.handshakes.delete(this.channel);
  }
}

const prefixOf = (sessionId: string): string => sessionId.slice(0, PREFIX_DIGITS);

const placesOf = (places: WeakMap<Channel, Place>, channels: readonly Channel[]): Place[] =>
  channels.flatMap((channel) => places.get(channel) ?? []);

const notAdmitted = (text: string): HandshakeError =>
  new HandshakeError(text, { code: 'USMP_NOT_ADMITTED', fault: 'local' });

const noRoom = (): USMPError => notAdmitted('too many sessions, of all devices or of this address');
const brokenBefore = (): USMPError =>
  new ConnectionClosedError('the connection broke before the handshake', { code: 'USMP_LOST' });
const crowdedOut = (): USMPError => notAdmitted('made way for another handshake: too many at once');
const triedTooOften = (): USMPError =>
  notAdmitted('wrong keys were tried for this device id, so that it had to wait for its turn for too long');
const noHello = (): USMPError =>
  new HandshakeError('the device did not send HELLO in time', { code: 'USMP_NO_ANSWER', fault: 'network' });
