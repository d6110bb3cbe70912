/**
 * A gateway without sockets: the server's side of the engine joined to a client's `dial` in memory, under one clock,
 * with a hand on the path between. What it does wrong is set by the test.
 */
import type { Clock } from '../../src/clock.js';
import { systemRandom } from '../../src/crypto/random.js';
import { Secret, toPsk } from '../../src/crypto/secret.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import type { Dial, Transport, TransportHandlers } from '../../src/transport/transport.js';
import { Channel } from '../../src/endpoint/channel.js';
import { FrameType } from '../../src/wire/constants.js';
import { Party } from '../../src/party/party.js';
import { ConnectionClosedError } from '../../src/errors.js';
import type { ClientEnvironment } from '../../src/client/options.js';
import { kindOf, newLink } from './links.js';

export const PSK = 'a key of enough bytes';

interface End {
  readonly handlers: TransportHandlers;
  open: boolean;
}

export class MemoryGateway {
  readonly #clock: Clock;
  readonly #psk: Secret;
  /** What a dial meets: a gateway, a refusal, a connection that never opens, or one that opens and stays silent. */
  mode: 'up' | 'refusing' | 'unreachable' | 'silent' = 'up';
  /** Bytes are lost without a trace in this direction. */
  lost: { toGateway: boolean; toClient: boolean } = { toGateway: false, toClient: false };
  /** TCP: the gateway takes no more bytes. */
  stalled = false;
  readonly dials: number[] = [];
  readonly sessions: Channel[] = [];
  readonly received: string[] = [];
  /** PINGs answered, and REKEYs taken, over all sessions. */
  pings = 0;
  rekeys = 0;
  /** Called with each message; echoes by default. */
  onMessage: (message: Buffer, session: Channel) => void = (message, session) => void session.send(message);
  /** Called once SESSION_OK is on its way to the client. */
  onEstablished: () => void = () => undefined;
  #client: End | undefined;

  constructor(clock: Clock, psk: string | Uint8Array = PSK) {
    this.#clock = clock;
    this.#psk = toPsk(psk);
  }

  get environment(): ClientEnvironment {
    return {
      clock: this.#clock,
      random: systemRandom,
      dial: { tcp: this.#dial('tcp'), udp: this.#dial('udp') },
    };
  }

  /** The connection breaks under both ends. */
  cut(): void {
    for (const session of this.sessions.splice(0)) session.abort(new ConnectionClosedError('cut'));
    const client = this.#client;
    if (client?.open) {
      client.open = false;
      client.handlers.closed();
    }
  }

  #dial(protocol: 'tcp' | 'udp'): Dial {
    return (_target, handlers) => {
      this.dials.push(this.#clock.now());
      const client: End = { handlers, open: true };
      this.#client = client;
      const end = (error?: NodeJS.ErrnoException): void => {
        if (!client.open) return;
        client.open = false;
        queueMicrotask(() => handlers.closed(error));
      };
      let toServer: TransportHandlers | undefined;
      queueMicrotask(() => {
        if (this.mode === 'refusing') end(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
        if (this.mode === 'up') toServer = this.#accept(protocol, client, end);
        if (this.mode === 'up' || this.mode === 'silent') handlers.open();
      });
      return {
        write: (bytes) => {
          const copy = Uint8Array.from(bytes);
          if (this.stalled) return false;
          queueMicrotask(() => {
            if (!this.lost.toGateway) toServer?.data(copy); // also what was written just before the end
          });
          return true;
        },
        pause: () => undefined,
        resume: () => undefined,
        close: () => {
          end();
          if (protocol === 'tcp') queueMicrotask(() => toServer?.closed());
        },
      };
    };
  }

  #accept(protocol: 'tcp' | 'udp', client: End, endClient: () => void): TransportHandlers {
    let server!: TransportHandlers;
    let serverOpen = true;
    const close = (): void => {
      if (!serverOpen) return;
      serverOpen = false;
      queueMicrotask(() => server.closed());
      if (protocol === 'tcp') endClient();
    };
    const transport: Transport = {
      write: (bytes) => {
        const copy = Uint8Array.from(bytes);
        if (copy[0] === 0xcd && copy[3] === FrameType.PONG) this.pings += 1;
        queueMicrotask(() => {
          if (!this.lost.toClient && client.open) client.handlers.data(copy);
        });
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      close,
    };
    const party = new Party({
      handshake: new ServerHandshake({ random: systemRandom }),
      link: newLink(kindOf(protocol), 'server'),
      suite: 'aes-256-gcm',
      random: systemRandom,
      times: { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 60_000 },
    });
    const channel: Channel = new Channel({
      party,
      clock: this.#clock,
      open: (handlers) => {
        server = {
          ...handlers,
          closed: (error) => {
            serverOpen = false;
            handlers.closed(error);
          },
        };
        return transport;
      },
      connectTimeoutMs: 10_000,
      explain: () => new ConnectionClosedError('cut'),
      hooks: {
        findPsk: () => Promise.resolve(new Secret(this.#psk.bytes)),
        onNews: (news) => {
          if (news.type === 'rekeyed') this.rekeys += 1;
          if (news.type !== 'message') return true;
          this.received.push(news.message.toString());
          this.onMessage(news.message, channel);
          return true;
        },
      },
    });
    channel.established.then(
      () => queueMicrotask(() => queueMicrotask(() => this.onEstablished())),
      () => undefined,
    );
    channel.start();
    this.sessions.push(channel);
    return server;
  }
}
