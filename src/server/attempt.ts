/**
 * One handshake of a server, from an arrival to a session: its place, the limit of its first step, its turn to try to
 * prove itself, the look-up of its keys, and the claim to the place that its session will need (protocol §2, §5).
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
import type { Place } from './admission.js';
import { ID_PREFIX_BYTES } from './doorman.js';
import type { Shared } from './entrance.js';
import type { Arrival } from './listener.js';
import { networkOf } from './network.js';
import type { Try } from './tries.js';

/** A device need not answer a PING: its session lives while anything comes from it. */
const PING_TIMEOUT_MS = 10_000;
/**
 * From CHALLENGE to the proof a device takes a round trip and a key agreement, a slow one a second. For so long it has
 * its claim to a place, and for so long another one waits for the last places to be settled.
 */
const CLAIM_MS = 2_000;

const PREFIX_DIGITS = 2 * ID_PREFIX_BYTES;

type Phase =
  | { readonly at: 'hello'; readonly cancelTimer: CancelTimer }
  /** It waits for its turn to try, for its keys, for a place, or is to prove itself. */
  | { readonly at: 'turn' | 'keys' | 'place'; readonly attempt: Try }
  | { readonly at: 'proof'; readonly attempt: Try; readonly cancelTimer: CancelTimer }
  | { readonly at: 'over' };

export class Attempt {
  readonly channel: Channel;
  readonly #shared: Shared;
  readonly #arrival: Arrival;
  readonly #place: Place;
  #phase: Phase;
  /** Settled with the proof: whose sessions end. */
  #replaced: readonly Channel[] = [];

  constructor(shared: Shared, arrival: Arrival) {
    this.#shared = shared;
    this.#arrival = arrival;
    const { options, environment, admission } = shared;
    const { clock, random } = environment;
    this.#place = admission.enter(arrival.remote.address, () => this.channel.abort(crowdedOut()));
    this.channel = new Channel({
      party: new Party({
        handshake: new ServerHandshake({
          random,
          onProof: (deviceId) => this.#proven(deviceId),
          onWrongProof: () => this.#try?.wrong(),
          isFree: (sessionId) => !shared.prefixes.has(prefixOf(toHex(sessionId))),
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
    shared.handshakes.set(this.channel, arrival.protocol);
    shared.places.set(this.channel, this.#place);
    const late = (): void => this.channel.abort(noHello());
    this.#phase = { at: 'hello', cancelTimer: patient(clock).setTimer(options.helloMs, late) };
    this.channel.established.catch((reason: unknown) => this.#failed(reason));
    this.channel.start();
  }

  get #try(): Try | undefined {
    return 'attempt' in this.#phase ? this.#phase.attempt : undefined;
  }

  /** HELLO has come. @returns the device's keys, with which CHALLENGE goes out. */
  async #hello(deviceId: Uint8Array) {
    const { tries, options, admission, leaving } = this.#shared;
    if (this.#phase.at !== 'hello') return undefined;
    this.#phase.cancelTimer();
    const id = formatDeviceId(deviceId);
    if (!admission.hasRoom(this.#arrival.remote.address, leaving(this.#arrival, id).places)) {
      this.channel.abort(noRoom());
      return undefined;
    }
    const attempt = tries.begin(id, originOf(this.#arrival));
    this.#phase = { at: 'turn', attempt };
    if (!(await attempt.mayGoOn)) return undefined;
    this.#goOn({ at: 'keys', attempt });
    const keys = await options.keys.find(deviceId);
    this.#goOn({ at: 'place', attempt });
    await this.#claim(attempt, id);
    return keys;
  }

  /** Unless it is over. */
  #goOn(phase: Phase): void {
    if (this.#phase.at !== 'over') this.#phase = phase;
  }

  /** Has a place for its session, as far as others let it have one in time; ends the handshake when there is none. */
  async #claim(attempt: Try, deviceId: string): Promise<void> {
    const { admission, environment, leaving } = this.#shared;
    const { clock } = environment;
    const until = clock.now() + CLAIM_MS;
    while (this.#phase.at === 'place') {
      const claim = this.#place.claim(leaving(this.#arrival, deviceId).places);
      if (claim === 'full') {
        this.channel.abort(noRoom());
        return;
      }
      if (claim === 'claimed' || clock.now() >= until) {
        const cancelTimer = clock.setTimer(CLAIM_MS, () => this.#place.unclaim());
        this.#goOn({ at: 'proof', attempt, cancelTimer });
      } else {
        let cancel!: CancelTimer;
        const inTime = new Promise<void>(
          (resolve) => (cancel = clock.setTimer(until - clock.now(), resolve)),
        );
        await Promise.race([admission.changed(), inTime]);
        cancel();
      }
    }
  }

  /** The device is who it says; it is told so only when there is room. @throws USMPError */
  #proven(deviceId: Uint8Array): void {
    const { channels, places } = this.#shared.leaving(this.#arrival, formatDeviceId(deviceId));
    this.#try?.right();
    if (!this.#place.establish(places)) {
      this.channel.abort(noRoom()); // over UDP the throw alone would let it go on
      throw noRoom();
    }
    this.#replaced = channels;
  }

  #established(info: SessionInfo): void {
    const { prefixes, onAdmitted } = this.#shared;
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
    const { onRefused, onCallOff } = this.#shared;
    const { at } = this.#phase;
    this.#over();
    this.#place.release();
    if (!(reason instanceof USMPError) || reason.code === 'USMP_CLOSED') return; // closed from here
    if (at === 'hello' && reason.code === 'USMP_HANDSHAKE_CLOSED') onCallOff();
    else onRefused(this.#arrival.remote, reason.code === 'USMP_PSK_LOOKUP' ? waitedFor(at, reason) : reason);
  }

  #over(): void {
    if ('cancelTimer' in this.#phase) this.#phase.cancelTimer();
    this.#try?.end();
    this.#phase = { at: 'over' };
    this.#shared.handshakes.delete(this.channel);
  }
}

/** A device keeps to its transport, so whoever guesses over the other one is told from it. */
const originOf = ({ protocol, remote }: Arrival): string => `${protocol} ${networkOf(remote.address)}`;

const prefixOf = (sessionId: string): string => sessionId.slice(0, PREFIX_DIGITS);

/** Why no CHALLENGE went out, which to the handshake is the look-up's fault. */
function waitedFor(at: Phase['at'], lookUp: USMPError): USMPError {
  if (at === 'turn') return triedTooOften();
  return at === 'place' ? noRoom() : lookUp;
}

const notAdmitted = (text: string): HandshakeError =>
  new HandshakeError(text, { code: 'USMP_NOT_ADMITTED', fault: 'local' });

export const noRoom = (): USMPError => notAdmitted('too many sessions, of all devices or of this address');
const brokenBefore = (): USMPError =>
  new ConnectionClosedError('the connection broke before the handshake', { code: 'USMP_LOST' });
const crowdedOut = (): USMPError => notAdmitted('made way for another handshake: too many at once');
const triedTooOften = (): USMPError =>
  notAdmitted('wrong keys were tried for this device id, so that it had to wait for its turn for too long');
const noHello = (): USMPError =>
  new HandshakeError('the device did not send HELLO in time', { code: 'USMP_NO_ANSWER', fault: 'network' });
