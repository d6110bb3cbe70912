/**
 * Lets in who arrives: keeps what all handshakes share, and looks whether there is room, before the device is told that
 * it is in (protocol §2, §5). Nothing is taken from a session that there is before its successor has all it needs.
 *
 * A device for which there is no room is refused at HELLO, over TCP too and not at accept: a device that lost its
 * session comes back while that one still holds its place, and before HELLO nobody knows who it is.
 */
import type { Channel, SessionInfo } from '../endpoint/channel.js';
import type { USMPError } from '../errors.js';
import { PROTOCOLS, type Protocol } from '../transport/transport.js';
import { formatDeviceId } from '../wire/device-id.js';
import { Admission, type Place } from './admission.js';
import { Attempt, noRoom } from './attempt.js';
import type { Arrival, Remote } from './listener.js';
import type { CheckedServerOptions, ServerEnvironment } from './options.js';
import { Tries } from './tries.js';

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
  /** A connection was closed from there before its HELLO, as a health check does: nobody was refused. */
  readonly onCallOff: () => void;
}

/** What the handshakes of a server share. */
export interface Shared extends EntranceOptions {
  readonly admission: Admission;
  readonly tries: Tries;
  /** Handshakes under way. */
  readonly handshakes: Map<Channel, Protocol>;
  readonly places: WeakMap<Channel, Place>;
  /** The first halves of all live session ids, by which frames are told apart over UDP. */
  readonly prefixes: Set<string>;
  /** The places that a session of this device takes: its own old one's, and over UDP those at its address and port. */
  readonly leaving: (arrival: Arrival, deviceId: string) => Leaving;
}

export interface Leaving {
  readonly channels: readonly Channel[];
  readonly places: readonly Place[];
}

export class Entrance {
  readonly #shared: Shared;

  constructor(options: EntranceOptions) {
    const { clock, random } = options.environment;
    this.#shared = {
      ...options,
      admission: new Admission(options.options),
      tries: new Tries({ clock, random, intervalMs: options.options.tryIntervalMs }),
      handshakes: new Map(),
      places: new WeakMap(),
      prefixes: new Set(),
      leaving: (arrival, deviceId) => this.#leaving(arrival, deviceId),
    };
  }

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#shared.handshakes.size;
  }

  /** @returns undefined when there is no room, as far as that is known by then. */
  begin(arrival: Arrival): Channel | undefined {
    const { deviceId, remote } = arrival;
    const { admission, onRefused } = this.#shared;
    // Over UDP HELLO itself is here, so that refusing costs no key agreement.
    if (deviceId) {
      const { places } = this.#leaving(arrival, formatDeviceId(deviceId));
      if (!admission.hasRoom(remote.address, places)) {
        onRefused(remote, noRoom());
        return undefined;
      }
    }
    return new Attempt(this.#shared, arrival).channel;
  }

  /** A session is at another address now. */
  moved(channel: Channel, { address }: Remote): void {
    this.#shared.places.get(channel)?.move(address);
  }

  /** Ends all handshakes, or those over these transports. */
  async close(protocols: readonly Protocol[] = PROTOCOLS): Promise<void> {
    const ending = [...this.#shared.handshakes].filter(([, protocol]) => protocols.includes(protocol));
    await Promise.all(ending.map(([channel]) => channel.close(0)));
  }

  #leaving(arrival: Arrival, deviceId: string): Leaving {
    const { present, places } = this.#shared;
    const own = present(deviceId);
    const channels = [...new Set([...(own ? [own] : []), ...arrival.occupants()])];
    return { channels, places: channels.flatMap((channel) => places.get(channel) ?? []) };
  }
}
