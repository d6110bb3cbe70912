/** Opens the port of a server: over TCP, over UDP, or the same one over both. */
import type { Clock } from '../clock.js';
import type { Cookies } from '../handshake/cookie.js';
import type { Protocol } from '../transport/transport.js';
import { explainListenFailure, type Incoming, type Listener } from './listener.js';
import type { ServerProtocol } from './options.js';
import { listenTcp } from './tcp-listener.js';
import { listenUdp } from './udp-listener.js';

export interface ListenOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly protocol: ServerProtocol;
  readonly incoming: Incoming;
  readonly clock: Clock;
  readonly cookies: Cookies;
  readonly maxHelloRetriesPerSecond: number;
}

/** A port that the system chose for TCP may be taken over UDP; then it chooses again. */
const MAX_CHOICES = 10;

/** @throws USMPError */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { protocol, port } = options;
  if (protocol !== 'both') return open(protocol, options);
  for (let choices = 1; ; choices++) {
    const tcp = await open('tcp', options);
    try {
      return joined(tcp, await open('udp', { ...options, port: tcp.port }));
    } catch (error) {
      await tcp.close();
      if (port !== 0 || choices === MAX_CHOICES) throw error;
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

const joined = (tcp: Listener, udp: Listener): Listener => ({
  port: tcp.port,
  close: async (after) => {
    await Promise.all([tcp.close(after), udp.close(after)]);
  },
});
