/** The rows about many devices: storm, load, idle. */
import type { Protocol } from '../../src/index.js';
import {
  device,
  disconnectAll,
  echoing,
  entered,
  openFleet,
  percentile,
  ROOM,
  sleep,
  startGateway,
} from './gateway.js';
import { figure, ms } from './report.js';

export interface Scene {
  readonly protocol: Protocol;
  /** Multiplies counts and durations. */
  readonly scale: number;
}

const scaled = (count: number, scale: number): number => Math.max(1, Math.round(count * scale));

export async function storm({ protocol, scale }: Scene): Promise<void> {
  const row = `storm ${protocol}`;
  for (const size of [40, 200, 1_000].map((count) => scaled(count, scale))) {
    const gateway = await startGateway({ protocol, ...ROOM });
    const established = await openFleet(gateway, protocol, 5);
    let stop = echoing(established, 20);
    await sleep(1_000);
    const before = percentile(await stop(), 0.99);
    const clients = Array.from({ length: size }, () => device(gateway, protocol, { timeout: 15 }));
    stop = echoing(established, 20);
    const start = performance.now();
    let last = start;
    const outcomes = await Promise.all(
      clients.map(async (client) => {
        const isIn = await entered(client);
        if (isIn) last = performance.now();
        return isIn;
      }),
    );
    const during = percentile(await stop(), 0.99);
    const count = outcomes.filter(Boolean).length;
    const seconds = (last - start) / 1_000;
    const seen = `${count} in within ${seconds.toFixed(2)} s, ${(count / seconds).toFixed(0)} a second`;
    figure(row, `${size} at once`, seen, 'all within 15 s', count === size && seconds <= 15);
    figure(row, 'p99 before, during', `${ms(before)}, ${ms(during)}`, 'below twice', during < 2 * before);
    figure(row, 'event-loop delay p99', ms((await gateway.measure()).loopP99Ms));
    await disconnectAll([...established, ...clients]);
    await gateway.close();
  }
}

export async function load({ protocol, scale }: Scene): Promise<void> {
  const row = `load ${protocol}`;
  const costs: number[] = [];
  for (const [size, perSecond] of [
    [1, 200],
    [scaled(1_000, scale), 5],
  ] as const) {
    const gateway = await startGateway({ protocol, ...ROOM });
    const fleet = await openFleet(gateway, protocol, size);
    const before = await gateway.measure();
    const stop = echoing(fleet, perSecond);
    const seconds = Math.max(1, 10 * scale);
    await sleep(seconds * 1_000);
    const times = await stop();
    const after = await gateway.measure();
    costs.push((after.cpuMs - before.cpuMs) / times.length);
    const p99 = percentile(times, 0.99);
    const seen = `p50 ${ms(percentile(times, 0.5))}, p99 ${ms(p99)}`;
    figure(row, `${fleet.length} sessions × ${perSecond} msg/s`, seen, 'p99 under 50 ms', p99 < 50);
    figure(row, 'messages a second', (times.length / seconds).toFixed(0));
    figure(row, 'event-loop delay p99', ms(after.loopP99Ms));
    await disconnectAll(fleet);
    await gateway.close();
  }
  const [one = NaN, many = NaN] = costs;
  figure(row, 'server CPU a message, many to one', (many / one).toFixed(2), 'at most 1.2', many / one <= 1.2);
}

export async function idle({ protocol, scale }: Scene): Promise<void> {
  const gateway = await startGateway({ protocol, ...ROOM });
  const warm = await openFleet(gateway, protocol, 20); // what the first sessions load belongs to no session
  const before = await gateway.measure();
  const fleet = await openFleet(gateway, protocol, scaled(protocol === 'tcp' ? 10_000 : 5_000, scale));
  const after = await gateway.measure();
  const kb = (bytes: number): number => bytes / 1_000 / fleet.length;
  const [heap, rss] = [kb(after.heap - before.heap), kb(after.rss - before.rss)];
  const seen = `${heap.toFixed(1)} KB heap, ${rss.toFixed(1)} KB RSS`;
  figure(`idle ${protocol}`, `a session of ${fleet.length}`, seen, 'RSS under 20 KB', rss < 20);
  await disconnectAll([...warm, ...fleet]);
  await gateway.close();
}
