/** The rows about strangers and neighbours: strangers, health, flood, unauthenticated. */
import { around, device, disconnectAll, entered, openBeside } from './devices.js';
import { ROOM, startGateway, type Gateway } from './gateway.js';
import { figure, ms, percentile } from './report.js';
import { needFiles, scaled, sleep, type Scene } from './scene.js';
import { troubleFor, type Mischief } from './trouble.js';

interface Tries {
  readonly succeeded: number;
  readonly count: number;
  /** Milliseconds until in, of those who were. */
  readonly p99: number;
}

/** One device after the other comes, and leaves. */
async function tries(gateway: Gateway, count: number): Promise<Tries> {
  const PAUSE_MS = 50;
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const client = device(gateway, { timeout: 2 });
    const start = performance.now();
    if (await entered(client)) times.push(performance.now() - start);
    await client.disconnect(100);
    await sleep(PAUSE_MS);
  }
  return { succeeded: times.length, count, p99: percentile(times, 0.99) };
}

const show = ({ succeeded, count, p99 }: Tries): string => `${succeeded} of ${count} in, p99 ${ms(p99)}`;

/** How devices get in, and what sessions see, before, during and after what a neighbour does. */
async function beside(row: string, what: string, scene: Scene, mischief: Mischief, count: number) {
  const gateway = await startGateway({ protocol: scene.protocol, ...ROOM });
  const established = await openBeside(gateway);
  const trouble = await troubleFor(gateway, mischief);
  const few = Math.max(3, Math.round(count / 5));
  const before = await tries(gateway, few);
  const { result: during, text } = await around(established, async () => {
    await trouble.begin();
    await sleep(1_000); // enough failures for a lockout, if there were one, before the good devices come
    return tries(gateway, count);
  });
  const { count: acts } = await trouble.tell();
  await trouble.end();
  const after = await tries(gateway, few);
  figure(row, `${what} (${acts} of them)`, show(during), 'all', during.succeeded === during.count);
  figure(row, 'devices that come before; after', `${show(before)}; ${show(after)}`);
  figure(row, 'sessions: p99 before, during, after', text);
  await disconnectAll(established);
  await gateway.close();
}

export async function strangers(scene: Scene): Promise<void> {
  if (scene.protocol === 'udp') return; // it is about TCP connections
  for (const addresses of [1, 20]) {
    const what = `ten silent connections from each of ${addresses} addresses`;
    const mischief = { type: 'silent', addresses, each: 10 } as const;
    await beside(`strangers ${scene.protocol}`, what, scene, mischief, scaled(138, scene.scale));
  }
}

export async function health(scene: Scene): Promise<void> {
  const row = `health ${scene.protocol}`;
  const everyMs = 200;
  if (scene.protocol !== 'udp') {
    const mischief = { type: 'health', everyMs } as const;
    await beside(row, 'connect and close', scene, mischief, scaled(116, scene.scale));
  }
  const mischief = { type: 'wrongPsk', everyMs } as const;
  await beside(row, 'a neighbour with a wrong PSK', scene, mischief, scaled(58, scene.scale));
}

const FLOOD_PER_SECOND = 9_500;

export async function flood(scene: Scene): Promise<void> {
  if (scene.protocol === 'tcp') return; // it is about UDP
  const row = `flood ${scene.protocol}`;
  // From an address of its own, and from that of the devices.
  for (const from of ['127.0.0.2', '127.0.0.1']) {
    const gateway = await startGateway({ protocol: scene.protocol, ...ROOM });
    const established = await openBeside(gateway);
    const crowd = await troubleFor(gateway, { type: 'flood', perSecond: FLOOD_PER_SECOND, from });
    const { result, during, text } = await around(established, async () => {
      await crowd.begin();
      await sleep(Math.max(1_000, 5_000 * scene.scale));
      const { count, seconds } = await crowd.tell();
      return { rate: count / seconds, late: await tries(gateway, scaled(10, scene.scale)) };
    });
    await crowd.end();
    const what = `${result.rate.toFixed(0)} HELLOs a second from ${from}: p99 before, during, after`;
    figure(row, what, text, 'under 200 ms', during < 200);
    figure(row, 'devices that come meanwhile', show(result.late));
    await disconnectAll(established);
    await gateway.close();
  }
}

/** What the gateway keeps while strangers hold all that they get: no more, however many they are. */
export async function unauthenticated({ protocol, scale }: Scene): Promise<void> {
  const row = `unauthenticated ${protocol}`;
  const counts = [500, 2_000, 5_000].map((count) => scaled(count, scale));
  needFiles(Math.max(...counts));
  // So that the fewest strangers are more than it takes.
  const maxHandshakes = Math.max(2, Math.round(256 * scale));
  const gateway = await startGateway({ protocol, ...ROOM, maxHandshakes });
  const before = await gateway.measure();
  const kept: number[] = [];
  for (const count of counts) {
    const crowd = await troubleFor(gateway, { type: 'strangers', count });
    await crowd.begin();
    const kb = ((await gateway.measure()).heap - before.heap) / 1_000;
    kept.push(kb);
    figure(row, `${count} strangers, ${maxHandshakes} handshakes at most`, `${kb.toFixed(0)} KB heap kept`);
    await crowd.end();
  }
  await gateway.close();
  const [least, most] = [Math.min(...kept), Math.max(...kept)];
  const seen = `${least.toFixed(0)} to ${most.toFixed(0)} KB`;
  figure(
    row,
    'kept, however many strangers',
    seen,
    'within 20 % or 200 KB',
    most - least < Math.max(200, 0.2 * most),
  );
}
