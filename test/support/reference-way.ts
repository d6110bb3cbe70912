/**
 * The way to the stand-in for the reference (reference.ts): with a latency and losses, under a clock that may be fake.
 * At its other end is one of the engine's, in memory or behind a real socket.
 */
import type { Socket } from 'node:net';
import type { CancelTimer, Clock } from '../../src/clock.js';
import { Secret } from '../../src/crypto/secret.js';
import type { Transport, TransportHandlers } from '../../src/transport/transport.js';
import type { Party, PartyEvent } from '../../src/party/party.js';
import { nameOf, pass, type Passing, type Path, type Side } from './path.js';
import { PSK, type Reference } from './reference.js';

/** Where bytes arrive, and over TCP the end of the connection. */
export interface Post {
  receive(bytes: Uint8Array): void;
  closed(): void;
}

/** One direction of a connection. */
export interface Lane {
  send(bytes: Uint8Array): void;
  /** Over UDP nobody hears of it. */
  hangUp(): void;
}

/** What lies between two ends. */
export class Way {
  readonly passed: Passing[] = [];
  path: Path = pass;
  readonly #underWay = new Set<CancelTimer>();

  /** @param latencyMs one way. */
  constructor(
    readonly clock: Clock,
    readonly protocol: 'tcp' | 'udp',
    readonly latencyMs: number,
  ) {}

  /** Joins two posts, each of which is made with the lane to the other. */
  connect<C extends Post, S extends Post>(makeClient: (lane: Lane) => C, makeServer: (lane: Lane) => S) {
    const client: C = makeClient(this.#lane('client', () => server));
    const server: S = makeServer(this.#lane('server', () => client));
    return { client, server };
  }

  /** What is under way is lost. */
  close(): void {
    for (const cancel of this.#underWay) cancel();
    this.#underWay.clear();
  }

  #lane(from: Side, to: () => Post): Lane {
    return {
      send: (sent) => {
        const bytes = Uint8Array.from(sent);
        const at = this.clock.now();
        const passing = { n: this.passed.length + 1, from, at, bytes, name: nameOf(bytes) };
        this.passed.push(passing);
        for (const { bytes: instead = bytes, laterMs = 0 } of this.path(passing)) {
          this.#after(this.latencyMs + laterMs, () => to().receive(instead));
        }
      },
      hangUp: () => {
        if (this.protocol === 'tcp') this.#after(this.latencyMs, () => to().closed());
      },
    };
  }

  #after(ms: number, action: () => void): void {
    const cancel = this.clock.setTimer(ms, () => {
      this.#underWay.delete(cancel);
      action();
    });
    this.#underWay.add(cancel);
  }
}

/** An end without socket and clock. */
export interface Drivable {
  readonly deadline: number | undefined;
  readonly state: string;
  take(now: number): readonly Uint8Array[];
  receive(bytes: Uint8Array, now: number): void;
  tick(now: number): void;
  transportClosed(): void;
}

const OVER = new Set(['ended', 'closed']);

/** A party with its timer, at the beginning of its lane. */
export class Driven<P extends Drivable = Reference> implements Post {
  readonly party: P;
  readonly #clock: Clock;
  readonly #lane: Lane;
  #cancelTimer: CancelTimer = () => undefined;
  #open = true;

  constructor(party: P, clock: Clock, lane: Lane) {
    this.party = party;
    this.#clock = clock;
    this.#lane = lane;
  }

  do(action: (party: P, now: number) => void): void {
    const { party } = this;
    action(party, this.#clock.now());
    for (const bytes of party.take(this.#clock.now())) this.#lane.send(bytes);
    this.#cancelTimer();
    const { deadline } = party;
    if (deadline !== undefined) {
      const tick = (): void => this.do((_party, now) => party.tick(now));
      this.#cancelTimer = this.#clock.setTimer(deadline - this.#clock.now(), tick);
    }
    if (this.#open && OVER.has(party.state)) {
      this.#open = false;
      this.#lane.hangUp();
    }
  }

  receive(bytes: Uint8Array): void {
    this.do((party, now) => party.receive(bytes, now));
  }

  closed(): void {
    this.do((party) => party.transportClosed());
  }
}

/** Two parties in memory. */
export function join<C extends Drivable, S extends Drivable>(way: Way, client: C, server: S) {
  return way.connect(
    (lane) => new Driven(client, way.clock, lane),
    (lane) => new Driven(server, way.clock, lane),
  );
}

/** A party of the engine; as a server it knows the key of every device. */
export function engineParty(
  party: Party,
): Drivable & { readonly party: Party; readonly events: PartyEvent[] } {
  const events: PartyEvent[] = [];
  const take = (now: number): Uint8Array[] => {
    const taken = party.take();
    events.push(...taken.events);
    if (!taken.events.some(({ type }) => type === 'pskWanted')) return taken.outbound;
    party.providePsk(new Secret(PSK), now);
    return [...taken.outbound, ...take(now)];
  };
  return {
    ...{ party, events, take },
    get deadline() {
      return party.deadline;
    },
    get state() {
      return party.state;
    },
    receive: (bytes, now) => party.receive(bytes, now),
    tick: (now) => party.tick(now),
    transportClosed: () => party.transportClosed(),
  };
}

/** In place of a socket of the engine. */
export function engineSocket(handlers: TransportHandlers, lane: Lane): Transport & Post {
  let open = true;
  const end = (): boolean => open && !(open = false);
  return {
    write(bytes) {
      if (open) lane.send(bytes);
      return true;
    },
    pause: () => undefined,
    resume: () => undefined,
    close() {
      if (!end()) return;
      lane.hangUp();
      queueMicrotask(() => handlers.closed());
    },
    receive(bytes) {
      if (open) handlers.data(bytes);
    },
    closed() {
      if (end()) handlers.closed();
    },
  };
}

export function tcpPost(socket: Socket, lane: Lane): Post {
  socket.on('data', (chunk) => lane.send(chunk));
  socket.on('close', () => lane.hangUp());
  return { receive: (bytes) => void socket.write(bytes), closed: () => void socket.end() };
}
