/** One session to a gateway, from `connect` to `disconnect` (protocol §6.1). */
import { inspect, isDeepStrictEqual } from 'node:util';
import { hostAndPort } from '../check.js';
import { equalProofs } from '../crypto/proofs.js';
import { ClientHandshake } from '../handshake/client.js';
import { Channel, type News } from '../endpoint/channel.js';
import { CLOSE_MS, Endpoint } from '../endpoint/endpoint.js';
import { DatagramLink, REPEATS } from '../link/datagram-link.js';
import { StreamLink } from '../link/stream-link.js';
import { Party } from '../party/party.js';
import type { Protocol } from '../transport/transport.js';
import { formatDeviceId } from '../wire/device-id.js';
import { explainConnectFailure } from './explain.js';
import {
  checkClientOptions,
  systemEnvironment,
  type CheckedClientOptions,
  type ClientEnvironment,
  type ClientOptions,
} from './options.js';

/** For the PONG, where no PONG is waited for to keep the session. */
const PING_TIMEOUT_MS = 10_000;

type State =
  /** With the last session, if there was one: messages of it can still be received. */
  | { readonly at: 'disconnected'; readonly channel?: Channel; readonly sessionId?: string | undefined }
  | { readonly at: 'connecting'; readonly channel: Channel; readonly connected: Promise<void> }
  | { readonly at: 'connected'; readonly channel: Channel; readonly sessionId: string };

export class USMPClient extends Endpoint {
  readonly #options: CheckedClientOptions;
  readonly #environment: ClientEnvironment;
  #state: State = { at: 'disconnected' };
  #failures = 0;

  /** @throws ArgumentError naming the option that is not usable. Nothing is sent before `connect`. */
  constructor(options: ClientOptions, environment: ClientEnvironment = systemEnvironment) {
    super();
    this.#options = checkClientOptions(options, environment.random);
    this.#environment = environment;
  }

  get host(): string {
    return this.#options.host;
  }

  get port(): number {
    return this.#options.port;
  }

  get protocol(): Protocol {
    return this.#options.protocol;
  }

  /** Such as `tcp://gw.local:9000`. */
  get url(): string {
    return `${this.protocol}://${hostAndPort(this.host, this.port)}`;
  }

  /** As `aa:bb:cc:dd:ee:ff`. */
  get deviceId(): string {
    return formatDeviceId(this.#options.deviceId);
  }

  get connected(): boolean {
    return this.#state.at === 'connected' && this.#state.channel.isEstablished;
  }

  /** 32 hex digits while connected. */
  get sessionId(): string | undefined {
    return this.connected ? this.#sessionId : undefined;
  }

  /** Of the session that a message that is handed out now is from: this one, or the last one. */
  get messageSessionId(): string {
    return this.#sessionId ?? '';
  }

  /** Whether what has no receipt when the gateway changes keys may be acknowledged and thrown away (protocol §3.9). */
  get losesAtRekey(): boolean {
    return this.#options.protocol === 'udp';
  }

  /**
   * Opens the session. While it is being opened or open, further calls share its outcome.
   * @throws HandshakeError when the gateway refuses or does not answer, AuthError when it cannot prove that it
   * knows the PSK, ConnectionClosedError or USMPTimeoutError when it cannot be reached, FrameError when it does not
   * speak USMP. `code` tells exactly; the message says what to check.
   */
  connect(): Promise<void> {
    if (this.#state.at === 'connecting') return this.#state.connected;
    if (this.#state.at === 'connected') {
      const { channel } = this.#state;
      // Saying BYE: the next session is opened after that.
      return channel.isEstablished ? Promise.resolve() : channel.closed.then(() => this.connect());
    }
    const channel = this.#open();
    channel.setWanted(!this.isPaused);
    const connected = channel.established.then(() => undefined);
    this.#state = { at: 'connecting', channel, connected };
    void channel.closed.then((reason) => {
      channel.established.then(
        () => this.emit('close', reason),
        () => (this.#failures += 1),
      );
    });
    return connected;
  }

  /**
   * Sends what is queued and BYE, and closes; within a second. Harmless when there is no session.
   * @param withinMs milliseconds, when it has less time than that.
   */
  async disconnect(withinMs = CLOSE_MS): Promise<void> {
    await this.channel?.close(withinMs);
  }

  /** Takes back the messages that wait to be sent: their `send` is rejected with `USMP_WITHDRAWN`. */
  withdraw(): void {
    this.channel?.withdraw();
  }

  /** Whether a client with these options would be the same as this one. */
  isAlike(options: ClientOptions): boolean {
    const { psk, ...others } = checkClientOptions(options, this.#environment.random);
    const { psk: ownPsk, ...own } = this.#options;
    const samePsk = equalProofs(psk.bytes, ownPsk.bytes);
    psk.wipe();
    return samePsk && isDeepStrictEqual(others, own);
  }

  [inspect.custom](): string {
    return `USMPClient ${this.url} ${this.deviceId} ${this.#state.at}`;
  }

  protected override onNews(news: News): boolean {
    const state = this.#state;
    if (news.type === 'established' && state.at === 'connecting') {
      this.#state = { at: 'connected', channel: state.channel, sessionId: news.session.sessionId };
    } else if (news.type === 'ended' && state.at !== 'disconnected') {
      this.#state = { at: 'disconnected', channel: state.channel, sessionId: this.#sessionId };
    }
    return super.onNews(news);
  }

  protected override get channel(): Channel | undefined {
    return this.#state.channel;
  }

  get #sessionId(): string | undefined {
    return this.#state.at === 'connecting' ? undefined : this.#state.sessionId;
  }

  #open(): Channel {
    const { psk, deviceId, protocol, suite, host, port, handshakeMs, keepaliveMs, pongTimeoutMs } =
      this.#options;
    const { clock, random, dial } = this.#environment;
    return new Channel({
      party: new Party({
        handshake: new ClientHandshake({ psk, deviceId, random }),
        link: protocol === 'tcp' ? new StreamLink() : new DatagramLink(REPEATS.client),
        suite,
        random,
        times: { handshakeMs, keepaliveMs, pongTimeoutMs, sessionTimeoutMs: 0 },
      }),
      clock,
      open: (handlers) => dial[protocol]({ host, port, failures: this.#failures }, handlers),
      connectTimeoutMs: this.#options.connectMs,
      ...(pongTimeoutMs === 0 && { pingTimeoutMs: PING_TIMEOUT_MS }),
      explain: (error, isResolving) => explainConnectFailure({ host, port, protocol }, error, isResolving),
      hooks: this.channelHooks(),
    });
  }
}
