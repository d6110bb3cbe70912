/**
 * Opens the port of a server: over TCP, over UDP, or the same one over both. Each is a listener of its own, so that other
 * settings open what is missing and close what is not wanted, and leave the other one alone.
 */
import type { Clock } from '../clock.js';
import type { Random } from '../crypto/random.js';
import type { Cookies } from '../handshake/cookie.js';
import { PROTOCOLS, type Protocol } from '../transport/transport.js';
import { explainListenFailure, type Incoming, type Listener } from './listener.js';
import type { ServerProtocol } from './options.js';
import { listenTcp } from './tcp-listener.js';
import { listenUdp } from './udp-listener.js';

export interface Where {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly protocol: ServerProtocol;
}

export interface ListenOptions extends Where {
  readonly incoming: Incoming;
  readonly clock: Clock;
  readonly cookies: Cookies;
  readonly maxHelloRetriesPerSecond: number;
  readonly random: Random;
}

type Listeners = ReadonlyMap<Protocol, Listener>;

/** A port that the system chose for TCP may be taken over UDP; then it chooses again. */
const MAX_CHOICES = 10;

const protocolsOf = (protocol: ServerProtocol): readonly Protocol[] =>
  protocol === 'both' ? PROTOCOLS : [protocol];

/** What is listened on. */
export class Listening {
  constructor(
    /** As it was asked for. */
    readonly where: Where,
    readonly listeners: Listeners = new Map(),
  ) {}

  get isEmpty(): boolean {
    return this.listeners.size === 0;
  }

  /** Undefined when there is no listener. */
  get port(): number | undefined {
    const [first] = this.listeners.values();
    return first?.port;
  }

  /** Whether these settings want the same address and port, over whatever. */
  isAt({ host, port }: Where): boolean {
    return host === this.where.host && (port === this.where.port || port === this.port);
  }

  /** Whether these settings want something that is not open. */
  lacks({ protocol }: Where): boolean {
    return protocolsOf(protocol).some((each) => !this.listeners.has(each));
  }

  /** What stays under these settings, and what does not. */
  split(after: Where): { staying: Listening; leaving: Listening } {
    const wanted = this.isAt(after) ? protocolsOf(after.protocol) : [];
    const part = (stays: boolean): Listening =>
      new Listening(
        this.where,
        new Map([...this.listeners].filter(([protocol]) => wanted.includes(protocol) === stays)),
      );
    return { staying: part(true), leaving: part(false) };
  }

  /** Takes nothing new. @param after UDP: the sessions are over, which share the listener's socket. */
  async close(after?: Promise<unknown>): Promise<void> {
    await Promise.all(Array.from(this.listeners.values(), (listener) => listener.close(after)));
  }
}

/**
 * Opens what is not open yet, all of it or nothing.
 * @param staying what is, at the same address and port.
 * @throws USMPError
 */
export async function listen(options: ListenOptions, staying?: Listening): Promise<Listening> {
  const { host, protocol } = options;
  const isOpen = staying?.port !== undefined;
  const port = staying?.port ?? options.port;
  for (let choices = 1; ; choices++) {
    const opened = new Map<Protocol, Listener>();
    try {
      for (const each of protocolsOf(protocol)) {
        if (staying?.listeners.has(each)) continue;
        const [first] = opened.values();
        opened.set(each, await open(each, { ...options, port: first?.port ?? port }));
      }
      const where = { host, port: options.port, protocol };
      return new Listening(where, new Map([...(staying?.listeners ?? []), ...opened]));
    } catch (error) {
      const mayChooseAgain = port === 0 && !isOpen && opened.size > 0 && choices < MAX_CHOICES;
      for (const listener of opened.values()) await listener.close();
      if (!mayChooseAgain) throw error;
    }
  }
}

async function open(protocol: Protocol, options: ListenOptions): Promise<Listener> {
  const { host, port, incoming } = options;
  try {
    return protocol === 'tcp'
      ? await listenTcp(host, port, incoming)
      : await listenUdp(host, port, incoming, options);
  } catch (error) {
    throw explainListenFailure({ host, port, protocol }, error as NodeJS.ErrnoException);
  }
}
