/** The rows about strangers, neighbours and limits: strangers, health, limits, lookup, flood. */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import type { USMPClient } from '../../src/index.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeHello } from '../../src/wire/payloads.js';
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
  type Gateway,
} from './gateway.js';
import type { Scene } from './crowd.js';
import { figure, ms } from './report.js';

function stranger(port: number, localAddress: string): Socket {
  return connect({ host: '127.0.0.1', port, localAddress }).on('error', () => undefined);
}

/** One device after the other tries; how many get in. */
async function tries(gateway: Gateway, count: number, everyMs: number, scene: Scene): Promise<number> {
  let succeeded = 0;
  for (let n = 0; n < count; n++) {
    const client = device(gateway, scene.protocol, { timeout: 2 });
    if (await entered(client)) succeeded += 1;
    await client.disconnect(100);
    await sleep(everyMs);
  }
  return succeeded;
}

export async function strangers(scene: Scene): Promise<void> {
  if (scene.protocol === 'udp') return; // it is about TCP connections
  const count = Math.max(3, Math.round(138 * scene.scale));
  for (const addresses of [1, 20]) {
    const gateway = await startGateway({ protocol: 'tcp', ...ROOM });
    const open = new Set<Socket>();
    const dial = (n: number): void => {
      const socket = stranger(gateway.port, `127.0.0.${2 + (n % addresses)}`);
      open.add(socket);
      socket.on('close', () => open.delete(socket));
    };
    // They come again as soon as they are thrown out.
    const again = setInterval(() => {
      for (let n = open.size; n < 10 * addresses; n++) dial(n);
    }, 20);
    await sleep(200);
    const succeeded = await tries(gateway, count, 100, scene);
    clearInterval(again);
    for (const socket of open) socket.destroy();
    const what = `ten idle connections from each of ${addresses} addresses`;
    figure('strangers', what, `${succeeded} of ${count} tries`, 'all', succeeded === count);
    await gateway.close();
  }
}

export async function health(scene: Scene): Promise<void> {
  const row = `health ${scene.protocol}`;
  const count = Math.max(3, Math.round(58 * scene.scale));
  for (const neighbour of ['connect-and-close', 'wrong PSK'] as const) {
    if (scene.protocol === 'udp' && neighbour === 'connect-and-close') continue;
    const gateway = await startGateway({ protocol: scene.protocol, ...ROOM });
    const act = (): void => {
      if (neighbour === 'wrong PSK') {
        const client = device(gateway, scene.protocol, {
          id: '0a0000000001',
          psk: 'x'.repeat(20),
          timeout: 2,
        });
        void entered(client).then(() => client.disconnect(100));
      } else {
        const socket = stranger(gateway.port, '127.0.0.1');
        socket.on('connect', () => socket.destroy());
      }
    };
    // Enough failures for a lockout before the good devices come.
    for (let n = 0; n < 6; n++) {
      act();
      await sleep(100);
    }
    const timer = setInterval(act, 2_000 * Math.min(1, Math.max(0.05, scene.scale)));
    const succeeded = await tries(gateway, count, 1_000 * scene.scale, scene);
    clearInterval(timer);
    figure(row, neighbour, `${succeeded} of ${count} tries`, 'all', succeeded === count);
    await gateway.close();
  }
}

export async function limits({ protocol }: Scene): Promise<void> {
  const gateway = await startGateway({ protocol });
  const clients = Array.from({ length: 6 }, () => device(gateway, protocol, { timeout: 2 }));
  const outcomes: boolean[] = [];
  for (const client of clients) outcomes.push(await entered(client));
  await sleep(200);
  const seen = outcomes[5] ? 'told as connected, then closed' : 'refused';
  figure(`limits ${protocol}`, '6th session of an address', seen, 'refused', outcomes[5] === false);
  await disconnectAll(clients);
  await gateway.close();
}

export async function lookup({ protocol }: Scene): Promise<void> {
  for (const how of ['throws', 'slow'] as const) {
    const gateway = await startGateway({ protocol, lookup: how, ...ROOM });
    const client = device(gateway, protocol, { timeout: 4 });
    const first = await entered(client);
    const then = first || (await entered(client));
    const seen = `first try ${first ? 'in' : 'refused'}, then ${then ? 'in' : 'refused'}`;
    figure(`lookup ${protocol}`, how, seen, 'in', then);
    console.log(`  the server told: ${JSON.stringify((await gateway.measure()).refusals)}`);
    await client.disconnect(500);
    await gateway.close();
  }
}

const FLOOD_PER_SECOND = 9_500;

export async function flood(scene: Scene): Promise<void> {
  if (scene.protocol === 'tcp') return; // it is about UDP
  const gateway = await startGateway({ protocol: 'udp', ...ROOM });
  const fleet: USMPClient[] = await openFleet(gateway, 'udp', 50);
  const spell = async (): Promise<number> => {
    const stop = echoing(fleet, 10);
    await sleep(Math.max(1_000, 5_000 * scene.scale));
    return percentile(await stop(), 0.99);
  };
  const before = await spell();
  const socket = createSocket('udp4').on('message', () => undefined);
  const payload = encodeHello({ deviceId: new Uint8Array(6), clientPublic: new Uint8Array(32).fill(9) });
  const hello = encodeFrame({ type: FrameType.HELLO, seq: 0, payload });
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - start) / 1_000) * FLOOD_PER_SECOND;
    for (; sent < due; sent++) socket.send(hello, gateway.port, '127.0.0.1', () => undefined);
  }, 5);
  const during = await spell();
  clearInterval(timer);
  const rate = sent / ((performance.now() - start) / 1_000);
  socket.close();
  const after = await spell();
  const seen = `${ms(before)}, ${ms(during)}, ${ms(after)}`;
  figure(
    'flood udp',
    `${rate.toFixed(0)} HELLOs a second; p99 before, during, after`,
    seen,
    '200 ms',
    during < 200,
  );
  await disconnectAll(fleet);
  await gateway.close();
}

/** What the gateway keeps while strangers hold all that they get. */
export async function unauthenticated({ protocol, scale }: Scene): Promise<void> {
  const gateway = await startGateway({ protocol, ...ROOM });
  const before = await gateway.measure();
  const count = Math.max(20, Math.round(2_000 * scale));
  const release: (() => void)[] = [];
  for (let n = 0; n < count; n++) {
    const localAddress = `127.0.0.${2 + (n % 200)}`;
    if (protocol === 'tcp') {
      const socket = stranger(gateway.port, localAddress);
      release.push(() => void socket.destroy());
    } else {
      const socket = createSocket('udp4');
      const payload = encodeHello({ deviceId: new Uint8Array(6), clientPublic: new Uint8Array(32).fill(9) });
      const hello = encodeFrame({ type: FrameType.HELLO, seq: 0, payload });
      socket.bind(0, localAddress, () => socket.send(hello, gateway.port, '127.0.0.1', () => undefined));
      release.push(() => void socket.close());
    }
    if (n % 100 === 99) await sleep(20);
  }
  await sleep(300);
  const after = await gateway.measure();
  const kept = (after.heap - before.heap) / 1_000;
  const seen = `${kept.toFixed(0)} KB heap for ${count} strangers`;
  figure(`unauthenticated ${protocol}`, 'kept', seen, 'under 1,000 KB', kept < 1_000);
  for (const each of release) each();
  await gateway.close();
}
