/** The rows about many devices: storm, load, idle. */
import { around, disconnectAll, echoing, openBeside, openFleet } from './devices.js';
import { ROOM, startGateway } from './gateway.js';
import { figure, ms, percentile } from './report.js';
import { needFiles, scaled, sleep, type Scene } from './scene.js';
import { troubleFor } from './trouble.js';

/** Seconds within which all have to be in. */
const ALL_IN = 15;

export async function storm({ protocol, scale }: Scene): Promise<void> {
  const row = `storm ${protocol}`;
  for (const size of [40, 200, 1_000].map((count) => scaled(count, scale))) {
    needFiles(size);
    const gateway = await startGateway({ protocol, ...ROOM });
    const established = await openBeside(gateway);
    const crowd = await troubleFor(gateway, { type: 'storm', size, timeout: ALL_IN });
    await gateway.measure();
    const { result, before, during, text } = await around(established, () => crowd.begin());
    const { count, seconds } = result;
    const seen = `${count} in within ${seconds.toFixed(2)} s, ${(count / seconds).toFixed(0)} a second`;
    figure(row, `${size} at once`, seen, `all within ${ALL_IN} s`, count === size && seconds <= ALL_IN);
    figure(row, 'p99 before, during, after', text, 'during below twice before', during < 2 * before);
    figure(row, 'event-loop delay p99', ms((await gateway.measure()).loopP99Ms));
    await crowd.end();
    await disconnectAll(established);
    await gateway.close();
  }
}

export async function load({ protocol, scale }: Scene): Promise<void> {
  const row = `load ${protocol}`;
  const costs: number[] = [];
  for (const [size, perSecond] of [
    [1, 200],
    [scaled(100, scale), 20],
    [scaled(1_000, scale), 5],
  ] as const) {
    needFiles(size);
    const gateway = await startGateway({ protocol, ...ROOM });
    const fleet = await openFleet(gateway, size);
    const before = await gateway.measure();
    const stop = echoing(fleet, perSecond);
    const seconds = Math.max(1, 10 * scale);
    await sleep(seconds * 1_000);
    const times = await stop();
    const after = await gateway.measure();
    const cost = (after.cpuMs - before.cpuMs) / times.length;
    costs.push(cost);
    const p99 = percentile(times, 0.99);
    const seen = `p50 ${ms(percentile(times, 0.5))}, p99 ${ms(p99)}`;
    figure(row, `${fleet.length} sessions × ${perSecond} msg/s`, seen, 'p99 under 50 ms', p99 < 50);
    const rate = (times.length / seconds).toFixed(0);
    figure(row, 'messages a second, server CPU each', `${rate}, ${(cost * 1_000).toFixed(0)} µs`);
    figure(row, 'event-loop delay p99', ms(after.loopP99Ms));
    await disconnectAll(fleet);
    await gateway.close();
  }
  const ratio = (costs.at(-1) ?? NaN) / (costs[0] ?? NaN);
  figure(row, 'server CPU a message, many to one', ratio.toFixed(2), 'at most 1.2', ratio <= 1.2);
}

export async function idle({ protocol, scale }: Scene): Promise<void> {
  const count = scaled(protocol === 'udp' ? 5_000 : 10_000, scale);
  needFiles(count);
  const gateway = await startGateway({ protocol, ...ROOM });
  const warm = await openFleet(gateway, 20); // what the first sessions load belongs to no session
  const before = await gateway.measure();
  const start = performance.now();
  const fleet = await openFleet(gateway, count);
  const perSecond = fleet.length / ((performance.now() - start) / 1_000);
  const after = await gateway.measure();
  const kb = (bytes: number): number => bytes / 1_000 / fleet.length;
  const [heap, rss] = [kb(after.heap - before.heap), kb(after.rss - before.rss)];
  const seen = `${heap.toFixed(1)} KB heap, ${rss.toFixed(1)} KB RSS`;
  figure(`idle ${protocol}`, `a session of ${fleet.length}`, seen, 'both under 20 KB', rss < 20 && heap < 20);
  figure(`idle ${protocol}`, 'handshakes a second, eight at a time', perSecond.toFixed(0));
  await disconnectAll([...warm, ...fleet]);
  await gateway.close();
}
