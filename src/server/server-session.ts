/** One device's session, on the server's side (protocol §6.2). */
import { inspect } from 'node:util';
import type { USMPError } from '../errors.js';
import type { Carrier } from '../delivery/courier.js';
import type { Channel, News } from '../endpoint/channel.js';
import type { KeyUsed } from '../handshake/handshake.js';
import { CLOSE_MS, Endpoint } from '../endpoint/endpoint.js';
import type { Protocol } from '../transport/transport.js';
import type { Remote } from './listener.js';

export interface SessionFacts {
  /** As `aa:bb:cc:dd:ee:ff`. */
  readonly deviceId: string;
  /** 32 hex digits. */
  readonly sessionId: string;
  readonly protocol: Protocol;
  /** Where the device is. Over UDP that may change, without a new session. */
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Whoever keeps an account of a session. Called in the session's order, before its own listeners. */
export interface SessionObserver {
  received(): void;
  sent(): void;
  roundTrip(ms: number): void;
  rekeyed(by: 'us' | 'peer'): void;
  ended(reason: USMPError | undefined): void;
}

export class ServerSession extends Endpoint implements SessionFacts {
  readonly deviceId: string;
  readonly sessionId: string;
  readonly protocol: Protocol;
  /** Which of the device's keys it came in with, by its place in the look-up's answer; 0 for the first or only one. */
  readonly keyIndex: number;
  /** @internal By which that key is known again. */
  readonly keyMark: string | undefined;
  /** @internal */
  observer: SessionObserver | undefined;
  readonly #channel: Channel;
  #carrier: Carrier | undefined;
  /** Why it is closed from here, where that has a reason. */
  #ending: USMPError | undefined;
  /** It has sent more than it may for now. */
  #isHeld = false;
  #remote: Remote;

  /** Takes over an established channel; messages that came before wait in its inbox. */
  constructor(channel: Channel, facts: SessionFacts, key?: KeyUsed) {
    super();
    this.#channel = channel;
    this.deviceId = facts.deviceId;
    this.sessionId = facts.sessionId;
    this.protocol = facts.protocol;
    this.#remote = { address: facts.remoteAddress, port: facts.remotePort };
    this.keyIndex = key?.index ?? 0;
    this.keyMark = key?.mark;
    channel.hooks = this.channelHooks();
    void channel.closed.then((reason) => this.emit('close', this.#ending ?? reason));
  }

  /** @internal How a mailbox sends over it: always the same one, made for the first that has something to send. */
  get carrier(): Carrier {
    return (this.#carrier ??= {
      send: (message) => this.send(message),
      ping: () => this.ping(),
      withdraw: () => this.#channel.withdraw(),
      changeKeys: () => this.rekey(),
    });
  }

  get remoteAddress(): string {
    return this.#remote.address;
  }

  get remotePort(): number {
    return this.#remote.port;
  }

  /** @internal The device is at another address now. */
  moved(remote: Remote): void {
    this.#remote = remote;
  }

  get connected(): boolean {
    return this.#channel.isEstablished;
  }

  /** UDP: datagrams that were sent to the device again. */
  get repeats(): number {
    return this.#channel.repeats;
  }

  override async send(message: string | Uint8Array): Promise<void> {
    await super.send(message);
    this.observer?.sent();
  }

  override async ping(): Promise<number> {
    const ms = await super.ping();
    this.observer?.roundTrip(ms);
    return ms;
  }

  /** @internal Takes no messages, whatever its owner wants, or takes them again. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!this.isPaused) this.#channel.setWanted(!isHeld);
  }

  /** @internal As `bye`, and tells this reason; within so many milliseconds. */
  async end(reason: USMPError | undefined, withinMs = CLOSE_MS): Promise<void> {
    if (this.connected) this.#ending ??= reason;
    await this.#channel.close(withinMs);
  }

  /** Sends what is queued and BYE, and closes; within a second. */
  async bye(): Promise<void> {
    await this.end(undefined);
  }

  /** Ends the session at once, without BYE. */
  abort(reason: USMPError): void {
    this.#channel.abort(reason);
  }

  [inspect.custom](): string {
    return `ServerSession ${this.deviceId} from ${this.protocol}://${this.remoteAddress}:${this.remotePort}`;
  }

  protected override mayTake(): boolean {
    return !this.#isHeld;
  }

  protected override onNews(news: News): boolean {
    switch (news.type) {
      case 'message':
        this.observer?.received();
        break;
      case 'rekeyed':
        this.observer?.rekeyed(news.by);
        break;
      case 'ended':
        this.observer?.ended(this.#ending ?? news.reason);
        break;
      default:
    }
    return super.onNews(news);
  }

  protected override get channel(): Channel {
    return this.#channel;
  }
}
