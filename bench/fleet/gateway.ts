/** Starts the gateway process. */
import type { ServerOptions, ServerProtocol } from '../../src/index.js';
import { start } from './child.js';

export const PSK = 'a key for a fleet of devices';

export interface GatewayOptions extends Omit<Partial<ServerOptions>, 'psk'> {
  readonly protocol: ServerProtocol;
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
  readonly protocol: ServerProtocol;
  measure(): Promise<Measure>;
  close(): Promise<void>;
}

/** Room for every device of a row, which the defaults (100 sessions, 5 an address) do not have. */
export const ROOM = { maxConnections: 20_000, maxConnectionsPerIp: 20_000 };

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const child = start('gateway-process.ts', options);
  return {
    port: await child.ask<number>(),
    protocol: options.protocol,
    measure: () => child.ask<Measure>('measure'),
    close: () => child.end('close'),
  };
}
