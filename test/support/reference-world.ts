/** The stand-in for the reference (reference.ts) at work: as a gateway with its sessions, and as a device. */
import { cookieMac } from '../../src/crypto/proofs.js';
import { systemRandom } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import type { Dial, Transport, TransportHandlers } from '../../src/transport/transport.js';
import { sameBytes } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { ascii } from './hex.js';
import { HOST, type Loopback } from './loopback.js';
import { frameOf } from './path.js';
import { Reference, type ReferenceOptions } from './reference.js';
import { Driven, engineSocket, tcpPost, type Lane, type Post, type Way } from './reference-way.js';

export type DeviceOptions = Omit<Partial<ReferenceOptions>, 'role' | 'transport' | 'isFull' | 'cookie'>;

export interface GatewayOptions extends Omit<DeviceOptions, 'deviceId'> {
  /** Default 100. */
  readonly maxSessions?: number;
}

/** The reference's gateway: who may open a session, and the sessions (protocol §5). */
export class ReferenceGateway {
  /** Every session that was opened, in order. */
  readonly sessions: Driven[] = [];
  readonly #way: Way;
  readonly #options: GatewayOptions;
  readonly #cookieKey = new Secret(systemRandom(32));
  /** All that it has to do with, from their first bytes on. */
  readonly #all: Driven[] = [];
  /** UDP, by the client's address: whoever talks with it, and whoever answers its next HELLO. */
  readonly #remotes = new Map<string, { talk?: Driven; door?: Driven }>();
  #dials = 0;

  constructor(way: Way, options: GatewayOptions = {}) {
    this.#way = way;
    this.#options = options;
  }

  /** The last session that was opened. */
  get session(): Driven {
    return this.sessions.at(-1)!;
  }

  /** The messages that its sessions got. */
  get texts(): string[] {
    return this.sessions.flatMap(({ party }) => party.texts);
  }

  /** For a client of the engine in memory. */
  readonly dial: Dial = (_target, handlers) => {
    const remote = `client ${++this.#dials}`;
    const { client } = this.#way.connect(
      (lane) => engineSocket(handlers, lane),
      (lane) => this.#meet(remote, lane),
    );
    queueMicrotask(() => handlers.open());
    return client;
  };

  /** On a real socket. @returns the port. */
  async listen(loopback: Loopback): Promise<number> {
    const port = await (this.#way.protocol === 'tcp' ? this.#listenTcp(loopback) : this.#listenUdp(loopback));
    loopback.after(() => this.close());
    return port;
  }

  /** All sessions end without a word, and what is under way is lost. */
  close(): void {
    for (const each of this.#all) each.do((party) => party.end('closed'));
    this.#way.close();
  }

  #listenTcp(loopback: Loopback): Promise<number> {
    return loopback.tcpProgram((socket) => {
      this.#way.connect(
        (lane) => tcpPost(socket, lane),
        (lane) => this.#meet('', lane),
      );
    });
  }

  async #listenUdp(loopback: Loopback): Promise<number> {
    const socket = await loopback.udpSocket();
    const lanes = new Map<string, Lane>();
    socket.on('message', (datagram, { address, port }) => {
      const remote = `${address}|${port}`;
      if (!lanes.has(remote)) {
        this.#way.connect(
          (lane) => {
            lanes.set(remote, lane);
            return { receive: (bytes) => socket.send(bytes, port, address), closed: () => undefined };
          },
          (lane) => this.#meet(remote, lane),
        );
      }
      lanes.get(remote)?.send(datagram);
    });
    return socket.address().port;
  }

  #meet(remote: string, lane: Lane): Post {
    const nobody: Post = { receive: () => undefined, closed: () => undefined };
    if (this.#way.protocol === 'udp')
      return { ...nobody, receive: (bytes) => this.#datagram(remote, bytes, lane) };
    // At accept, where handshakes count as well (protocol §5.2).
    if (!this.#isFull(this.#all)) return this.#begin(remote, lane);
    lane.hangUp();
    return nobody;
  }

  /** A HELLO whose cookie came back replaces the session of that address, whatever its device id (protocol §5.3). */
  #datagram(remote: string, bytes: Uint8Array, lane: Lane): void {
    const known = this.#remotes.get(remote) ?? {};
    this.#remotes.set(remote, known);
    if (frameOf(bytes)?.type !== FrameType.HELLO || known.talk?.party.state === 'handshaking') {
      known.talk?.receive(bytes);
      return;
    }
    known.door ??= this.#begin(remote, lane);
    known.door.receive(bytes);
    if (known.door.party.state === 'door') return;
    known.talk?.do((party) => party.end('replaced'));
    known.talk = known.door;
    delete known.door;
  }

  #isFull(counted: readonly Driven[]): boolean {
    return (
      counted.filter(({ party }) => party.state !== 'ended').length >= (this.#options.maxSessions ?? 100)
    );
  }

  #begin(remote: string, lane: Lane): Driven {
    const { protocol, clock } = this.#way;
    const party = new Reference({
      ...this.#options,
      ...{ role: 'server', transport: protocol },
      cookie: (bucket) => cookieMac(this.#cookieKey, ascii(`${remote}|${bucket}`)),
      isFull: () => protocol === 'udp' && this.#isFull(this.sessions),
      onEstablished: () => this.#established(session),
    });
    const session: Driven = new Driven(party, clock, lane);
    this.#all.push(session);
    session.do((each, now) => each.start(now));
    return session;
  }

  /** A device's new session takes the place of the one that it had. */
  #established(session: Driven): void {
    const { deviceId } = session.party;
    for (const other of this.sessions) {
      if (sameBytes(other.party.deviceId, deviceId)) other.do((party) => party.end('replaced'));
    }
    this.sessions.push(session);
    this.#options.onEstablished?.();
  }
}

const makeDevice = ({ protocol }: Way, options: DeviceOptions): Reference =>
  new Reference({ ...options, role: 'client', transport: protocol });

/** The reference's device for a server's end of the engine in memory, which takes `open` for its transport. */
export class DeviceInMemory {
  /** Once the transport is open; it is to be started. */
  session!: Driven;
  readonly #way: Way;
  readonly #options: DeviceOptions;

  constructor(way: Way, options: DeviceOptions = {}) {
    this.#way = way;
    this.#options = options;
  }

  readonly open = (handlers: TransportHandlers): Transport => {
    const { client, server } = this.#way.connect(
      (lane) => new Driven(makeDevice(this.#way, this.#options), this.#way.clock, lane),
      (lane) => engineSocket(handlers, lane),
    );
    this.session = client;
    return server;
  };
}

/** The reference's device on a real socket, which has sent HELLO to that port. */
export async function connectDevice(
  loopback: Loopback,
  way: Way,
  port: number,
  options: DeviceOptions = {},
): Promise<Driven> {
  const client = (lane: Lane): Driven => new Driven(makeDevice(way, options), way.clock, lane);
  const connect = (makeServer: (lane: Lane) => Post): Driven => way.connect(client, makeServer).client;
  let session: Driven;
  if (way.protocol === 'tcp') {
    const socket = await loopback.tcpSocket(port);
    session = connect((lane) => tcpPost(socket, lane));
  } else {
    const socket = await loopback.udpSocket();
    session = connect((lane) => {
      socket.on('message', (datagram) => lane.send(datagram));
      return { receive: (bytes) => socket.send(bytes, port, HOST), closed: () => undefined };
    });
  }
  loopback.after(() => {
    session.do((party) => party.end('closed'));
    way.close();
  });
  session.do((party, now) => party.start(now));
  return session;
}
