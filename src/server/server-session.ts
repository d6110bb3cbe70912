/** One device's session, on the server's side (protocol §6.2). */
import { inspect } from 'node:util';
import type { USMPError } from '../errors.js';
import type { Channel } from '../endpoint/channel.js';
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

export class ServerSession extends Endpoint implements SessionFacts {
  readonly deviceId: string;
  readonly sessionId: string;
  readonly protocol: Protocol;
  readonly #channel: Channel;
  #remote: Remote;

  /** Takes over an established channel; messages that came before wait in its inbox. */
  constructor(channel: Channel, facts: SessionFacts) {
    super();
    this.#channel = channel;
    this.deviceId = facts.deviceId;
    this.sessionId = facts.sessionId;
    this.protocol = facts.protocol;
    this.#remote = { address: facts.remoteAddress, port: facts.remotePort };
    channel.hooks = this.channelHooks();
    void channel.closed.then((reason) => this.emit('close', reason));
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

  /** Sends what is queued and BYE, and closes; within a second. */
  async bye(): Promise<void> {
    await this.#channel.close(CLOSE_MS);
  }

  /** Ends the session at once, without BYE. */
  abort(reason: USMPError): void {
    this.#channel.abort(reason);
  }

  [inspect.custom](): string {
    return `ServerSession ${this.deviceId} from ${this.protocol}://${this.remoteAddress}:${this.remotePort}`;
  }

  protected override get channel(): Channel {
    return this.#channel;
  }
}
