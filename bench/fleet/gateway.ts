/** Starts the gateway process, and opens devices to it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { USMPClient, type Protocol, type ServerOptions } from '../../src/index.js';

export const PSK = 'a key for a fleet of devices';

export interface GatewayOptions extends Omit<Partial<ServerOptions>, 'psk'> {
  /** How the look-up of a key behaves: takes 1 s, or throws the first time. */
  readonly lookup?: 'slow' | 'throws';
}

export interface Measure {
  readonly rss: number;
  /** Heap and what it holds outside, in bytes, after garbage collection. */
  readonly heap: number;
  readonly cpuMs: number;
  /** Since the measure before. */
  readonly loopP99Ms: number;
  readonly sessions: number;
  /** How often each reason was told. */
  readonly refusals: Record<string, number>;
}

export interface Gateway {
  readonly port: number;
  measure(): Promise<Measure>;
  close(): Promise<void>;
}

/** Room for every device of a row, which the defaults (100 sessions, 5 an address) do not have. */
export const ROOM = { maxConnections: 20_000, maxConnectionsPerIp: 20_000 };

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const child = fork(path.join(__dirname, 'gateway-process.ts'), [JSON.stringify(options)], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  const answer = async <T>(): Promise<T> => {
    const ended = new AbortController();
    try {
      const [value] = (await Promise.race([
        once(child, 'message', ended),
        once(child, 'exit', ended).then(() => Promise.reject(new Error('the gateway process ended'))),
      ])) as [T];
      return value;
    } finally {
      ended.abort();
    }
  };
  const port = await answer<number>();
  return {
    port,
    measure() {
      child.send('measure');
      return answer<Measure>();
    },
    async close() {
      const closed = once(child, 'exit');
      child.send('close');
      await closed;
    },
  };
}

export interface DeviceOptions {
  readonly id?: string;
  readonly psk?: string;
  readonly timeout?: number;
  readonly port?: number;
}

let made = 0;

export function device(gateway: Gateway, protocol: Protocol, options: DeviceOptions = {}): USMPClient {
  const timeout = options.timeout ?? 10;
  return new USMPClient({
    host: '127.0.0.1',
    port: options.port ?? gateway.port,
    protocol,
    psk: options.psk ?? PSK,
    deviceId: options.id ?? (0x020000000000 + ++made).toString(16).padStart(12, '0'),
    connectTimeout: timeout,
    handshakeTimeout: timeout,
    keepalive: 0,
  });
}

/** Whether it got in. */
export async function entered(client: USMPClient): Promise<boolean> {
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  }
}

export function disconnectAll(clients: readonly USMPClient[]): Promise<unknown> {
  return Promise.all(clients.map((client) => client.disconnect(500)));
}

/** Opens them a few at a time, so that the opening is no storm of its own; those that failed are left out. */
export async function openFleet(gateway: Gateway, protocol: Protocol, count: number): Promise<USMPClient[]> {
  const AT_ONCE = 8; // below the ten handshakes that a gateway takes
  const fleet: USMPClient[] = [];
  let left = count;
  const open = async (): Promise<void> => {
    while (left-- > 0) {
      const client = device(gateway, protocol);
      if (await entered(client)) fleet.push(client);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, open));
  return fleet;
}

/** Milliseconds from a message to its echo. */
export async function echo(client: USMPClient): Promise<number> {
  const start = performance.now();
  const back = once(client, 'message');
  await client.send('a reading');
  await back;
  return performance.now() - start;
}

/** Round trips of sessions that echo, each at most so often a second, until stopped. */
export function echoing(fleet: readonly USMPClient[], perSecond: number): () => Promise<number[]> {
  const times: number[] = [];
  let going = true;
  const all = fleet.map(async (client) => {
    await sleep((Math.random() * 1_000) / perSecond);
    while (going) {
      const time = await Promise.race([echo(client).catch(() => undefined), sleep(5_000)]);
      times.push(time ?? 5_000); // what has not come back by then counts as that
      await sleep(Math.max(0, 1_000 / perSecond - (time ?? 0)));
    }
  });
  return async () => {
    going = false;
    await Promise.all(all);
    return times;
  };
}

export function sleep(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}

export function percentile(times: number[], share: number): number {
  times.sort((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
}
