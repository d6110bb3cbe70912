/** What a client and a server's session offer alike: messages out and in, PING, REKEY (protocol §6). */
import { EventEmitter } from 'node:events';
import { checkOptions, checkSeconds, toBytes } from '../check.js';
import { ConnectionClosedError, NotConnectedError, type USMPError } from '../errors.js';
import type { Channel, ChannelHooks, News } from './channel.js';
import { guarded } from './guarded.js';

export interface EndpointEvents {
  /** The connection is open and the handshake begins. */
  handshaking: [];
  /** The handshake is done. */
  established: [sessionId: string];
  /** A message, when somebody listens; otherwise it waits for `recv`. */
  message: [message: Buffer];
  /** The first authenticated frame of the other side: the session is known to live (protocol §5.2). */
  proven: [];
  /** The keys were changed, by this side or the other. */
  rekeyed: [by: 'us' | 'peer'];
  /** The session ended: with the reason, or nothing when it was closed from here. */
  close: [reason: USMPError | undefined];
}

/** A close takes less than a second: this, and what timers may be late. */
export const CLOSE_MS = 900;

/** Seconds: a month. */
const MAX_TIMEOUT = 31 * 86_400;

export abstract class Endpoint extends EventEmitter<EndpointEvents> implements AsyncIterable<Buffer> {
  #isPaused = false;

  constructor() {
    super();
    (this as EventEmitter).on('newListener', (event) => {
      if (event === 'message') queueMicrotask(() => this.#emitWaiting());
    });
  }

  /** The last session's, which may be over; undefined when there never was one. */
  protected abstract get channel(): Channel | undefined;

  protected channelHooks(): ChannelHooks {
    return { onNews: (news) => this.onNews(news) };
  }

  /** What the session tells, in its order. @returns false for a message that nobody listens for. */
  protected onNews(news: News): boolean {
    switch (news.type) {
      case 'message':
        if (this.#isPaused) return false;
        this.#emitWaiting();
        return this.#emitMessage(news.message);
      case 'established':
        return this.emit('established', news.session.sessionId);
      case 'rekeyed':
        return this.emit('rekeyed', news.by);
      case 'handshaking':
      case 'proven':
        return this.emit(news.type);
      case 'ended':
        return true;
    }
  }

  /**
   * Sends a message of at most 1,808 bytes; a string as UTF-8. Messages arrive in the order of the calls.
   * Resolves when it was handed to the transport (TCP) or acknowledged by UTACK (UDP).
   * @throws PayloadError when it is too long, NotConnectedError without a session, ConnectionClosedError or
   * USMPTimeoutError when the session ended before it left.
   */
  async send(message: string | Uint8Array): Promise<void> {
    await this.#anyChannel().send(toBytes('message', message));
  }

  /**
   * The next message; PING and PONG never surface.
   * @param options.timeout seconds; none waits without limit.
   * @throws USMPTimeoutError after the timeout, ConnectionClosedError (or what ended the session) once it is over
   * and all that had arrived was received, NotConnectedError when it was never open.
   */
  async recv(options: { timeout?: number } = {}): Promise<Buffer> {
    const { timeout = 0 } = checkOptions('options', options);
    return this.#anyChannel().inbox.take(checkSeconds('timeout', timeout, { max: MAX_TIMEOUT }));
  }

  /**
   * PINGs keep to the pace that the other side allows, four a second without a message between them; those who ask at
   * the same time share one.
   * @returns the round-trip time in milliseconds.
   */
  async ping(): Promise<number> {
    return this.#anyChannel().ping();
  }

  /**
   * Changes the session's keys (protocol §3.8).
   * @param options.force over UDP, also when more than 63 frames were sent under the present keys: the reference SDK
   * loses what follows then, this package and the reference C core do not.
   * @throws USMPError `USMP_REKEY_TOO_LATE` over UDP after 63 frames: open a new session for new keys;
   * `USMP_REKEY_PENDING` while a change of keys is under way.
   */
  async rekey(options: { force?: boolean } = {}): Promise<void> {
    const { force = false } = checkOptions('options', options);
    await this.#anyChannel().rekey(force);
  }

  /**
   * Takes no more messages: they wait at the other side, in this session and those to come, until `resume`. One that
   * had arrived, or that shows a new session to live, waits here.
   */
  pause(): void {
    this.#isPaused = true;
    this.channel?.setWanted(false);
  }

  resume(): void {
    this.#isPaused = false;
    this.channel?.setWanted(this.mayTake());
    this.#emitWaiting();
  }

  /** Whether messages are taken from the other side when nobody has asked for a pause. */
  protected mayTake(): boolean {
    return true;
  }

  protected get isPaused(): boolean {
    return this.#isPaused;
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

  #anyChannel(): Channel {
    if (!this.channel) throw new NotConnectedError();
    return this.channel;
  }

  /** Hands messages that came before there was a listener to the listener. */
  #emitWaiting(): void {
    while (!this.#isPaused && this.listenerCount('message') > 0) {
      const message = this.channel?.inbox.poll();
      if (!message) return;
      this.#emitMessage(message);
    }
  }

  /** @returns false when nobody listens. A listener that throws has had its message, and the next one gets its own. */
  #emitMessage(message: Buffer): boolean {
    return guarded(() => this.emit('message', message)) ?? true;
  }
}
