/** Two `Channel`s joined in memory under one clock, with a transport whose every turn the test decides. */
import { Secret } from '../../src/crypto/secret.js';
import { systemRandom } from '../../src/crypto/random.js';
import { ConnectionClosedError, USMPTimeoutError } from '../../src/errors.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import type { Transport, TransportHandlers } from '../../src/transport/transport.js';
import { Channel, type ChannelHooks, type ChannelOptions } from '../../src/endpoint/channel.js';
import { Party } from '../../src/party/party.js';
import type { Protocol } from '../../src/transport/transport.js';
import { FakeClock, settle } from './clock.js';
import { testCode } from './errors.js';
import { kindOf, newLink } from './links.js';
import { DEVICE_ID, PSK } from './wire-tap.js';

/** One end of the transport. */
export class LineEnd {
  handlers!: TransportHandlers;
  other!: LineEnd;
  paused = false;
  closed = false;
  /** `write` asks to wait for `drain`. */
  full = false;
  /** What is written is lost. */
  lost = false;
  written = 0;
  isResolving = false;
  readonly #held: Uint8Array[] = [];

  constructor(readonly protocol: Protocol) {}

  readonly open = (handlers: TransportHandlers): Transport => {
    this.handlers = handlers;
    const isResolving = (): boolean => this.isResolving;
    return {
      write: (bytes) => {
        const copy = Uint8Array.from(bytes);
        this.written += 1;
        if (!this.lost && !this.closed) queueMicrotask(() => this.other.#deliver(copy));
        return !this.full;
      },
      pause: () => (this.paused = true),
      resume: () => this.#resume(),
      close: () => this.break(),
      get isResolving() {
        return isResolving();
      },
    };
  };

  /** The socket has room again. */
  drain(): void {
    this.full = false;
    this.handlers.drain();
  }

  /** The connection ends; over TCP for both. */
  break(error?: NodeJS.ErrnoException): void {
    if (this.closed) return;
    this.closed = true;
    queueMicrotask(() => this.handlers.closed(error));
    if (this.protocol === 'tcp') queueMicrotask(() => this.other.break());
  }

  #deliver(bytes: Uint8Array): void {
    if (this.closed) return;
    if (this.paused && this.protocol === 'tcp') this.#held.push(bytes);
    else this.handlers.data(bytes);
  }

  #resume(): void {
    this.paused = false;
    for (const bytes of this.#held.splice(0)) this.#deliver(bytes); // which may pause it again
  }
}

export interface LineOptions {
  readonly protocol?: Protocol;
  readonly clientHooks?: ChannelHooks;
  readonly serverHooks?: ChannelHooks;
  /** Of the client; the server has ten seconds. */
  readonly handshakeMs?: number;
  /** One of its own by default. */
  readonly clock?: FakeClock;
}

export const NO_NAME = new USMPTimeoutError('no address', { code: testCode('TEST_NO_NAME') });
export const NO_ANSWER = new USMPTimeoutError('nothing opened', { code: testCode('TEST_NOT_OPENED') });

export class Line {
  readonly clock: FakeClock;
  readonly protocol: Protocol;
  readonly clientEnd: LineEnd;
  readonly serverEnd: LineEnd;
  readonly client: Channel;
  readonly server: Channel;

  constructor(options: LineOptions = {}) {
    this.protocol = options.protocol ?? 'tcp';
    this.clock = options.clock ?? new FakeClock();
    this.clientEnd = new LineEnd(this.protocol);
    this.serverEnd = new LineEnd(this.protocol);
    this.clientEnd.other = this.serverEnd;
    this.serverEnd.other = this.clientEnd;
    const party = (handshake: ClientHandshake | ServerHandshake, handshakeMs = 10_000): Party =>
      new Party({
        handshake,
        link: newLink(kindOf(this.protocol), handshake.role),
        suite: 'aes-256-gcm',
        random: systemRandom,
        times: { handshakeMs, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 },
      });
    const common: Pick<ChannelOptions, 'clock' | 'connectTimeoutMs' | 'explain'> = {
      clock: this.clock,
      connectTimeoutMs: 3_000,
      explain: (error, isResolving) => {
        if (error) return new ConnectionClosedError(error.message, { code: testCode(`TEST_${error.code}`) });
        return isResolving ? NO_NAME : NO_ANSWER;
      },
    };
    this.server = new Channel({
      ...common,
      party: party(new ServerHandshake({ random: systemRandom })),
      open: this.serverEnd.open,
      hooks: { findPsk: () => Promise.resolve(new Secret(PSK)), ...options.serverHooks },
    });
    this.client = new Channel({
      ...common,
      party: party(
        new ClientHandshake({ psk: new Secret(PSK), deviceId: DEVICE_ID, random: systemRandom }),
        options.handshakeMs,
      ),
      open: this.clientEnd.open,
      hooks: options.clientHooks ?? {},
    });
  }

  /** Opens the transport at both ends. */
  open(): void {
    this.server.start();
    this.clientEnd.handlers.open();
  }

  async establish(): Promise<this> {
    this.open();
    await Promise.all([this.client.established, this.server.established]);
    await settle();
    return this;
  }
}

/** What became of a promise so far. */
export async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending';
  promise.then(
    () => (state = 'resolved'),
    (error: unknown) => (state = (error as { code?: string }).code ?? 'rejected'),
  );
  await settle();
  return state;
}
