/** Devices: opened one, a few or all at once, and what they see of the gateway. */
import { once } from 'node:events';
import type { Protocol, ServerProtocol, USMPClient as Device } from '../../src/index.js';
import { systemClock } from '../../src/clock.js';
import { systemRandom } from '../../src/crypto/random.js';
import type { Dial } from '../../src/transport/transport.js';
import { USMPClient } from './engine.js';
import { PSK, type Gateway } from './gateway.js';
import { ms, percentile } from './report.js';
import { sleep } from './scene.js';

export type { Device };

export interface DeviceOptions {
  readonly id?: string;
  readonly psk?: string;
  readonly protocol?: Protocol;
  /** Seconds for each of connection and handshake. */
  readonly timeout?: number;
  readonly port?: number;
  /** Where it comes from (`dials.ts`); any free port of 127.0.0.1 by default. */
  readonly dial?: Readonly<Record<Protocol, Dial>>;
}

let made = 0;

/** Its id is another one in each process. */
export function device(gateway: Pick<Gateway, 'port' | 'protocol'>, options: DeviceOptions = {}): Device {
  const { timeout = 10, dial } = options;
  made += 1;
  const id = `02${(process.pid % 0x10000).toString(16).padStart(4, '0')}${made.toString(16).padStart(6, '0')}`;
  const settings = {
    host: '127.0.0.1',
    port: options.port ?? gateway.port,
    protocol: options.protocol ?? carrier(gateway.protocol),
    psk: options.psk ?? PSK,
    deviceId: options.id ?? id,
    connectTimeout: timeout,
    handshakeTimeout: timeout,
    keepalive: 0,
  };
  return dial
    ? new USMPClient(settings, { clock: systemClock, random: systemRandom, dial })
    : new USMPClient(settings);
}

const carrier = (protocol: ServerProtocol): Protocol =>
  protocol === 'both' ? (made % 2 === 0 ? 'tcp' : 'udp') : protocol;

/** Whether it got in. */
export async function entered(client: Device): Promise<boolean> {
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  }
}

export function disconnectAll(clients: readonly Device[]): Promise<unknown> {
  return Promise.all(clients.map((client) => client.disconnect(500)));
}

/** Opens them a few at a time, so that the opening is no storm of its own; those that failed are left out. */
export async function openFleet(gateway: Gateway, count: number): Promise<Device[]> {
  const AT_ONCE = 8;
  const fleet: Device[] = [];
  let left = count;
  const open = async (): Promise<void> => {
    while (left-- > 0) {
      const client = device(gateway);
      if (await entered(client)) fleet.push(client);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, open));
  return fleet;
}

/** Milliseconds from a message to its echo. */
export async function echo(client: Device): Promise<number> {
  const start = performance.now();
  const back = once(client, 'message');
  await client.send('a reading');
  await back;
  return performance.now() - start;
}

/** What has not come back by then counts as that. */
const LOST_MS = 5_000;

/** Round trips of sessions that echo, each at most so often a second, until stopped. */
export function echoing(fleet: readonly Device[], perSecond: number): () => Promise<number[]> {
  const times: number[] = [];
  let going = true;
  const all = fleet.map(async (client) => {
    await sleep((Math.random() * 1_000) / perSecond);
    while (going) {
      const time = (await Promise.race([echo(client).catch(() => undefined), sleep(LOST_MS)])) ?? LOST_MS;
      times.push(time);
      await sleep(Math.max(0, 1_000 / perSecond - time));
    }
  });
  return async () => {
    going = false;
    await Promise.all(all);
    return times;
  };
}

/** Sessions that echo beside a trouble: enough of them that a tenth of a second has a p99. */
const BESIDE = 20;
const BESIDE_PER_SECOND = 50;
const QUIET_MS = 3_000;

export interface Around<T> {
  readonly result: T;
  readonly before: number;
  readonly during: number;
  readonly after: number;
  /** The p99 of each as text, and how many round trips there were during the trouble. */
  readonly text: string;
}

/** The p99 of sessions that echo, before, during and after a trouble, whose makers are processes of their own. */
export async function around<T>(fleet: readonly Device[], trouble: () => Promise<T>): Promise<Around<T>> {
  const spell = async <R>(what: () => Promise<R>): Promise<{ times: number[]; result: R }> => {
    const stop = echoing(fleet, BESIDE_PER_SECOND);
    const result = await what();
    return { times: await stop(), result };
  };
  const p99 = (times: readonly number[]): number => percentile(times, 0.99);
  const first = await spell(() => sleep(QUIET_MS));
  const { times, result } = await spell(trouble);
  const last = await spell(() => sleep(QUIET_MS));
  const [before, during, after] = [p99(first.times), p99(times), p99(last.times)];
  const text = `${ms(before)}, ${ms(during)} (of ${times.length}), ${ms(after)}`;
  return { result, before, during, after, text };
}

export const openBeside = (gateway: Gateway): Promise<Device[]> => openFleet(gateway, BESIDE);
