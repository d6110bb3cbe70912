/**
 * A client's and a server's `Party` joined in memory, with a hand on the path between them: the test decides what time
 * it is and what becomes of each chunk or datagram.
 */
import assert from 'node:assert/strict';
import type { Suite } from '../../src/crypto/aead.js';
import { Secret } from '../../src/crypto/secret.js';
import type { USMPError } from '../../src/errors.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import type { HandshakeStep } from '../../src/handshake/handshake.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { Party, type PartyEvent, type PartyTimes } from '../../src/party/party.js';
import { answerPlainHello } from '../../src/server/doorman.js';
import { FrameType, type LinkKind } from '../../src/wire/constants.js';
import type { Frame } from '../../src/wire/frame.js';
import { decodeHello } from '../../src/wire/payloads.js';
import { ascii, hex } from './hex.js';
import { newLink } from './links.js';
import { frameOf, nameOf, otherSide, pass, type Passing, type Path, type Side } from './path.js';
import { seededRandom } from './random.js';

/** One way through the path. */
export const LATENCY_MS = 5;
export const PSK = ascii('a key of enough bytes');
export const DEVICE_ID = hex('a4cf12000001');
const COOKIE = new Uint8Array(16).fill(0xc0);

export interface DuoOptions {
  readonly over?: LinkKind;
  readonly suite?: Suite;
  readonly path?: Path;
  readonly clientTimes?: Partial<PartyTimes>;
  readonly serverTimes?: Partial<PartyTimes>;
  /** What the server has for the device; undefined when it does not know it. */
  readonly serverPsk?: Uint8Array | undefined;
  /** Whether the server's side looks the key up at once; otherwise `providePsk` does, when the test wants it. */
  readonly findsPsk?: boolean;
  /** Datagrams: answer the first HELLO with HELLO_RETRY, as gateways do. */
  readonly asksCookie?: boolean;
  readonly seed?: number;
}

/** Copies of a session's keys, for frames that a party itself would not make. */
export interface Keys {
  readonly sessionId: Uint8Array;
  readonly fromClient: Uint8Array;
  readonly fromServer: Uint8Array;
}

class WatchedHandshake extends ClientHandshake {
  keys: Keys | undefined;

  override receive(frame: Frame): HandshakeStep {
    const step = super.receive(frame);
    if (step.established) {
      const { sessionId, txKey, rxKey } = step.established;
      this.keys = { sessionId, fromClient: txKey.bytes.slice(), fromServer: rxKey.bytes.slice() };
    }
    return step;
  }
}

/** One side: its party and what came out of it so far. */
export class End {
  readonly events: PartyEvent[] = [];
  readonly sent: Passing[] = [];

  constructor(
    readonly side: Side,
    readonly party: Party,
    readonly duo: Duo,
  ) {}

  get messages(): Uint8Array[] {
    return this.events.flatMap((event) => (event.type === 'message' ? [event.data] : []));
  }

  get texts(): string[] {
    return this.messages.map((data) => Buffer.from(data).toString());
  }

  /** As `texts`, but one that came again right behind itself counts once: it was under way at a REKEY over UDP. */
  get textsOnce(): string[] {
    return this.texts.filter((text, i, all) => i === 0 || text !== all[i - 1]);
  }

  has(type: PartyEvent['type']): boolean {
    return this.count(type) > 0;
  }

  count(type: PartyEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** With what the session ended, `'closed'` when it was closed from this side, undefined while it lasts. */
  get ending(): USMPError | 'closed' | undefined {
    const last = this.events.find((event) => event.type === 'closed');
    return last && (last.error ?? 'closed');
  }

  /** The code of the error with which the session ended. */
  get code(): string | undefined {
    const { ending } = this;
    return typeof ending === 'object' ? ending.code : ending;
  }

  send(message: string | Uint8Array): number {
    const bytes = typeof message === 'string' ? ascii(message) : message;
    return this.#do((now) => this.party.send(bytes, now));
  }

  ping(): number {
    return this.#do((now) => this.party.ping(now));
  }

  rekey(force = false): number {
    return this.#do((now) => this.party.rekey(now, force));
  }

  close(timeoutMs = 1000): void {
    this.#do((now) => this.party.close(now, timeoutMs));
  }

  setWritable(writable: boolean): void {
    this.#do((now) => this.party.setWritable(writable, now));
  }

  setReceiving(receiving: boolean): void {
    this.#do((now) => this.party.setReceiving(receiving, now));
  }

  /** As if this had come from the network. */
  receive(bytes: Uint8Array): void {
    this.#do((now) => void this.party.receive(bytes, now));
  }

  #do<T>(action: (now: number) => T): T {
    try {
      return action(this.duo.now);
    } finally {
      this.duo.collect(this);
    }
  }
}

type Flying = { readonly at: number; readonly to: Side } & (
  { readonly kind: 'bytes'; readonly bytes: Uint8Array } | { readonly kind: 'end' }
);

export class Duo {
  now = 0;
  path: Path;
  readonly over: LinkKind;
  readonly client: End;
  readonly server: End;
  /** For a look at whether it is still held on to. */
  readonly serverHandshake: WeakRef<ServerHandshake>;
  /** Everything that was put on the wire, whatever became of it. */
  readonly wire: Passing[] = [];
  readonly #options: DuoOptions;
  readonly #handshake: WatchedHandshake;
  #pskWanted = false;
  /** In the order of sending; what arrives at the same time arrives in this order. */
  readonly #flying: Flying[] = [];

  constructor(options: DuoOptions = {}) {
    this.#options = options;
    this.over = options.over ?? 'stream';
    this.path = options.path ?? pass;
    const { seed = 1, suite = 'aes-256-gcm' } = options;
    const clientRandom = seededRandom(seed);
    const serverRandom = seededRandom(seed + 1_000_000);
    this.#handshake = new WatchedHandshake({
      psk: new Secret(PSK),
      deviceId: DEVICE_ID,
      random: clientRandom,
    });
    const off = { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 };
    this.client = new End(
      'client',
      new Party({
        handshake: this.#handshake,
        link: newLink(this.over, 'client'),
        suite,
        random: clientRandom,
        times: { ...off, ...options.clientTimes },
      }),
      this,
    );
    const serverHandshake = new ServerHandshake({ random: serverRandom });
    this.serverHandshake = new WeakRef(serverHandshake);
    this.server = new End(
      'server',
      new Party({
        handshake: serverHandshake,
        link: newLink(this.over, 'server'),
        suite,
        random: serverRandom,
        times: { ...off, ...options.serverTimes },
      }),
      this,
    );
  }

  get keys(): Keys {
    assert.ok(this.#handshake.keys, 'there is no session');
    return this.#handshake.keys;
  }

  get ends(): readonly [End, End] {
    return [this.client, this.server];
  }

  start(): this {
    this.server.party.start(this.now);
    this.client.party.start(this.now);
    this.collect(this.server);
    this.collect(this.client);
    return this;
  }

  /** Starts, and goes on until both sides have the session. */
  establish(limitMs = 10_000): this {
    this.start().until(() => this.ends.every(({ party }) => party.state === 'established'), limitMs);
    // The last acknowledgements are still on their way.
    return this.run(2 * LATENCY_MS);
  }

  /** Lets so many messages pass each way, and forgets them: what comes now is behind so many frames. */
  seasoned(frames: number): this {
    if (frames === 0) return this;
    const { path } = this;
    this.path = pass;
    for (let sent = 0; sent < frames; sent += 50) {
      const part = Math.min(50, frames - sent);
      for (const end of this.ends) for (let i = 0; i < part; i++) end.send('before');
      this.until(() => this.ends.every((end) => end.count('sent') === sent + part));
      this.run(2 * LATENCY_MS);
    }
    this.path = path;
    for (const { events, sent } of this.ends) events.length = sent.length = 0;
    this.wire.length = 0;
    return this;
  }

  /** Lets this much time pass. */
  run(ms: number): this {
    const end = this.now + ms;
    while (this.#next() <= end) this.#step();
    this.now = end;
    return this;
  }

  /** @throws when it has not come about within the time. */
  until(done: () => boolean, limitMs = 60_000): this {
    const end = this.now + limitMs;
    while (!done()) {
      const next = this.#next();
      assert.ok(
        next <= end,
        `not within ${limitMs} ms; last on the wire: ${this.wire
          .slice(-6)
          .map(({ from, name }) => `${from}: ${name}`)
          .join(', ')}`,
      );
      this.#step();
    }
    return this;
  }

  /** Until nothing is on its way and nothing waits to be repeated. */
  quiet(limitMs = 60_000): this {
    return this.until(
      () => this.#flying.length === 0 && this.ends.every(({ party }) => party.deadline === undefined),
      limitMs,
    );
  }

  /** Puts bytes on the path as if this side had sent them. */
  inject(from: Side, bytes: Uint8Array, laterMs = LATENCY_MS): this {
    this.#flying.push({ kind: 'bytes', to: otherSide(from), at: this.now + laterMs, bytes });
    return this;
  }

  /** Takes out of a party what has come up, and puts it on the path. */
  collect(end: End): void {
    for (;;) {
      const { outbound, events } = end.party.take();
      if (outbound.length === 0 && events.length === 0) return;
      for (const bytes of outbound) this.#transmit(end, bytes);
      for (const event of events) {
        end.events.push(event);
        if (event.type === 'pskWanted') {
          this.#pskWanted = true;
          if (this.#options.findsPsk !== false) this.providePsk();
        }
        if (event.type === 'closed' && this.over === 'stream') {
          this.#flying.push({
            kind: 'end',
            to: otherSide(end.side),
            at: this.#arrivalInOrder(otherSide(end.side)),
          });
        }
      }
    }
  }

  /** Answers the server's question for the key, if it has one. */
  providePsk(psk = 'serverPsk' in this.#options ? this.#options.serverPsk : PSK): void {
    if (!this.#pskWanted) return;
    this.#pskWanted = false;
    this.server.party.providePsk(psk && new Secret(psk), this.now);
    this.collect(this.server);
  }

  #transmit(end: End, bytes: Uint8Array): void {
    const passing = {
      n: this.wire.length + 1,
      from: end.side,
      at: this.now,
      bytes,
      name: nameOf(bytes),
    };
    this.wire.push(passing);
    end.sent.push(passing);
    const to = otherSide(end.side);
    for (const arrival of this.path(passing)) {
      const at = this.over === 'stream' ? this.#arrivalInOrder(to) : this.now + LATENCY_MS;
      this.#flying.push({
        kind: 'bytes',
        to,
        at: at + (arrival.laterMs ?? 0),
        bytes: Uint8Array.from(arrival.bytes ?? bytes),
      });
    }
  }

  /** A stream keeps its order, whatever delays there are. */
  #arrivalInOrder(to: Side): number {
    return Math.max(
      this.now + LATENCY_MS,
      ...this.#flying.filter((flying) => flying.to === to).map(({ at }) => at),
    );
  }

  #next(): number {
    return Math.min(
      ...this.#flying.map(({ at }) => at),
      ...this.ends.map(({ party }) => party.deadline ?? Infinity),
    );
  }

  #step(): void {
    const at = this.#next();
    this.now = Math.max(this.now, at);
    const arriving = this.#flying.findIndex((flying) => flying.at <= this.now);
    if (arriving >= 0) {
      const [flying] = this.#flying.splice(arriving, 1);
      this.#arrive(flying!);
      return;
    }
    for (const end of this.ends) {
      const { deadline } = end.party;
      if (deadline === undefined || deadline > this.now) continue;
      end.party.tick(this.now);
      this.collect(end);
      assert.ok((end.party.deadline ?? Infinity) > this.now, 'a tick left its own deadline standing');
    }
  }

  #arrive(flying: Flying): void {
    const end = this[flying.to];
    if (flying.kind === 'end') end.party.transportClosed();
    else if (flying.to === 'server' && this.#answeredAtTheDoor(flying.bytes)) return;
    else end.party.receive(flying.bytes, this.now);
    this.collect(end);
  }

  /** What a UDP gateway does before there is a party: a HELLO without cookie is answered and forgotten. */
  #answeredAtTheDoor(bytes: Uint8Array): boolean {
    if (this.over !== 'datagram' || this.#options.asksCookie === false) return false;
    const frame = frameOf(bytes);
    if (frame?.type !== FrameType.HELLO || decodeHello(frame.payload).cookie) return false;
    for (const answer of answerPlainHello(frame, COOKIE)) this.#transmit(this.server, answer);
    return true;
  }
}
