/**
 * `npm run bench:doorman`: a server in a process of its own, and what crowds and strangers do to it: a thousand devices
 * at once over TCP and over UDP, and a flood of HELLOs without cookie beside sessions that echo. Prints figures.
 */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { USMPClient, USMPServer, type Protocol } from '../src/index.js';
import { createCookies } from '../src/handshake/cookie.js';
import { Doorman } from '../src/server/doorman.js';
import { FrameType } from '../src/wire/constants.js';
import { encodeFrame } from '../src/wire/frame.js';
import { randomBytes } from 'node:crypto';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '9500' },
    role: { type: 'string', default: 'all' },
    port: { type: 'string', default: '0' },
    /** Where the flood comes from; 127.0.0.1 is the devices' own address. */
    from: { type: 'string', default: '127.0.0.2' },
  },
});
const HOST = '127.0.0.1';
const PSK = 'a key for a crowd of devices';
const ECHOING = 50;
const PROTOCOLS = ['tcp', 'udp'] as const;
const DEVICES = Number(values.devices);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const at = (times: number[], share: number): string => {
  const sorted = [...times].sort((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN).toFixed(0);
};

const start = (role: string, port = 0) =>
  fork(
    __filename,
    [
      '--role',
      role,
      '--port',
      String(port),
      '--rate',
      values.rate,
      '--from',
      values.from,
      '--devices',
      values.devices,
    ],
    {
      execArgv: ['--import', 'tsx'],
    },
  );

async function serve(): Promise<void> {
  const server = new USMPServer({
    ...{ host: HOST, port: 0, psk: PSK, protocol: 'both' as const },
    ...{ maxConnections: 10_000, maxConnectionsPerIp: 10_000 },
  });
  server.on('session', (session) => session.on('message', (each) => void session.send(each).catch(() => 0)));
  await server.listen();
  process.send?.(server.port);
}

function flood(): void {
  const socket = createSocket('udp4').bind(0, values.from);
  const each = Number(values.rate) / 100;
  const from = performance.now();
  let sent = 0;
  setInterval(() => {
    for (const due = ((performance.now() - from) / 10) * each; sent < due; sent++) {
      const hello = encodeFrame({ type: FrameType.HELLO, seq: 0, payload: randomBytes(38) });
      socket.send(hello, Number(values.port), HOST, () => undefined);
    }
  }, 10);
}

const client = (port: number, protocol: Protocol): USMPClient =>
  new USMPClient({ ...{ host: HOST, port, psk: PSK, protocol }, handshakeTimeout: 15 });

/** A million sealed frames of sessions that do not exist, at a door with a thousand that do. */
function forged(): void {
  const cookies = createCookies((count) => randomBytes(count));
  const doorman = new Doorman<object>({ cookies, maxHelloRetriesPerSecond: 2_000, random: randomBytes });
  for (let n = 0; n < 1_000; n++) {
    const session = {};
    doorman.began(session, { address: HOST, port: n }, randomBytes(66));
    doorman.established(session, randomBytes(16));
  }
  const frames = Array.from({ length: 1_000 }, () =>
    encodeFrame({ type: FrameType.DATA, seq: 0, payload: randomBytes(60) }),
  );
  const from = performance.now();
  for (let n = 0; n < 1_000_000; n++)
    doorman.decide(frames[n % 1_000] ?? randomBytes(1), { address: HOST, port: 1 }, 0);
  const ms = performance.now() - from;
  console.log(`1,000,000 forged frames: ${(ms / 1_000).toFixed(2)} µs each at the door`);
}

/** All at once, each trying again at once when it is refused, for 15 s. */
async function storm(port: number, protocol: Protocol): Promise<void> {
  const from = performance.now();
  const times: number[] = [];
  let failures = 0;
  const clients = await Promise.all(
    Array.from({ length: DEVICES }, async () => {
      const device = client(port, protocol);
      while (performance.now() - from < 15_000) {
        try {
          await device.connect();
          times.push(performance.now() - from);
          break;
        } catch {
          failures += 1;
          await device.disconnect();
        }
      }
      return device;
    }),
  );
  console.log(
    `${protocol}: ${times.length} of ${DEVICES} in, half after ${at(times, 0.5)} ms, all after ${at(times, 1)} ms, ` +
      `${failures} attempts failed`,
  );
  await Promise.all(clients.map((device) => device.disconnect()));
}

async function echoes(clients: USMPClient[], ms: number): Promise<string> {
  const times: number[] = [];
  const until = performance.now() + ms;
  await Promise.all(
    clients.map(async (device) => {
      while (performance.now() < until) {
        const from = performance.now();
        await device.send('x');
        await device.recv({ timeout: 30 });
        times.push(performance.now() - from);
        await pause(20);
      }
    }),
  );
  return `${times.length} echoes, p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms`;
}

async function all(): Promise<void> {
  const server = start('server');
  const [port] = (await once(server, 'message')) as [number];
  forged();
  for (const protocol of PROTOCOLS) {
    const beside = Array.from({ length: 20 }, () => client(port, protocol));
    for (const device of beside) await device.connect();
    console.log(`${protocol}, 20 sessions: ${await echoes(beside, 3_000)}`);
    // In a process of its own, so that it is the server whose time is measured.
    const storming = start(`storm-${protocol}`, port);
    const [echoed] = await Promise.all([echoes(beside, 5_000), once(storming, 'exit')]);
    console.log(`${protocol}, the 20 sessions in the first 5 s of that: ${echoed}`);
    await Promise.all(beside.map((device) => device.disconnect()));
  }
  for (const protocol of PROTOCOLS) {
    const clients = Array.from({ length: ECHOING }, () => client(port, protocol));
    for (const device of clients) await device.connect();
    console.log(`${protocol}, ${ECHOING} sessions: ${await echoes(clients, 4_000)}`);
    const flooding = start('flood', port);
    await pause(1_500);
    console.log(`${protocol}, beside ${values.rate} HELLOs a second: ${await echoes(clients, 5_000)}`);
    const from = performance.now();
    const late = client(port, 'udp');
    const outcome = await late.connect().then(
      () => `in after ${(performance.now() - from).toFixed(0)} ms`,
      (error: unknown) => String(error),
    );
    console.log(`a device that comes over udp meanwhile: ${outcome}`);
    flooding.kill();
    await Promise.all([...clients, late].map((device) => device.disconnect()));
  }
  server.kill();
}

if (values.role === 'server') void serve();
else if (values.role === 'flood') flood();
else if (values.role === 'storm-tcp') void storm(Number(values.port), 'tcp').then(() => process.exit());
else if (values.role === 'storm-udp') void storm(Number(values.port), 'udp').then(() => process.exit());
else void all();
