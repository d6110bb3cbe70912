/** What a client and a server's session offer alike: messages out and in, PING, REKEY (protocol §6). */
import { EventEmitter } from 'node:events';
import { checkSeconds, toBytes } from '../check.js';
import { ConnectionClosedError, NotConnectedError, type USMPError } from '../errors.js';
import type { Channel, ChannelHooks } from './channel.js';
import { guarded } from './guarded.js';

export interface EndpointEvents {
  /** The connection is open and the handshake begins. */
  handshaking: [];
  /** A message, when somebody listens; otherwise it waits for `recv`. */
  message: [message: Buffer];
  /** The first authenticated frame of the other side: the session is known to live (protocol §5.2). */
  proven: [];
  /** Either side changed the keys. */
  rekeyed: [];
  /** The session ended: with the reason, or nothing when it was closed from here. */
  close: [reason: USMPError | undefined];
}

/** Seconds: a month. */
const MAX_TIMEOUT = 31 * 86_400;

export abstract class Endpoint extends EventEmitter<EndpointEvents> implements AsyncIterable<Buffer> {
  constructor() {
    super();
    (this as EventEmitter).on('newListener', (event) => {
      if (event === 'message') queueMicrotask(() => this.#emitWaiting());
    });
  }

  /** The channel to send on; NotConnectedError without a session. */
  protected abstract openChannel(): Channel;

  /** The channel to receive from, which may have closed already; undefined when there never was one. */
  protected abstract lastChannel(): Channel | undefined;

  protected channelHooks(): ChannelHooks {
    return {
      onMessage: (message) => {
        this.#emitWaiting();
        return this.#emitMessage(message);
      },
      onHandshaking: () => void this.emit('handshaking'),
      onProven: () => void this.emit('proven'),
      onRekeyed: () => void this.emit('rekeyed'),
    };
  }

  /**
   * Sends a message of at most 1,808 bytes; a string as UTF-8. Messages arrive in the order of the calls.
   * Resolves when it was handed to the transport (TCP) or acknowledged by UTACK (UDP).
   * @throws PayloadError when it is too long, NotConnectedError without a session, ConnectionClosedError or
   * USMPTimeoutError when the session ended before it left.
   */
  async send(message: string | Uint8Array): Promise<void> {
    await this.openChannel().send(toBytes('message', message));
  }

  /**
   * The next message; PING and PONG never surface.
   * @param options.timeout seconds; none waits without limit.
   * @throws USMPTimeoutError after the timeout, ConnectionClosedError (or what ended the session) once it is over
   * and all that had arrived was received, NotConnectedError when it was never open.
   */
  async recv(options: { timeout?: number } = {}): Promise<Buffer> {
    const channel = this.lastChannel();
    if (!channel) throw new NotConnectedError();
    return channel.inbox.take(checkSeconds('timeout', options.timeout ?? 0, { max: MAX_TIMEOUT }));
  }

  /** @returns the round-trip time in milliseconds. */
  async ping(): Promise<number> {
    return this.openChannel().ping();
  }

  /** Changes the session's keys (protocol §3.8). */
  async rekey(): Promise<void> {
    await this.openChannel().rekey();
  }

  /** The messages until the session ends; throws when it ended other than by a close from here or a BYE. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      try {
        yield await this.recv();
      } catch (error) {
        if (error instanceof ConnectionClosedError && error.code !== 'USMP_LOST') return;
        throw error;
      }
    }
  }

  /** Hands messages that came before there was a listener to the listener. */
  #emitWaiting(): void {
    while (this.listenerCount('message') > 0) {
      const message = this.lastChannel()?.inbox.poll();
      if (!message) return;
      this.#emitMessage(message);
    }
  }

  /** @returns false when nobody listens. A listener that throws has had its message, and the next one gets its own. */
  #emitMessage(message: Buffer): boolean {
    return guarded(() => this.emit('message', message)) ?? true;
  }
}
