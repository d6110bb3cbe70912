/**
 * `npm run bench:fairness -- --messages 400000`: one session that sends without end, and one to which a gateway sends
 * without end, each beside a ticker and a session that echoes, all in one process; prints what each of them got.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { USMPClient, USMPServer, PROTOCOLS, type Protocol, type ServerSession } from '../src/index.js';

const { values } = parseArgs({ options: { messages: { type: 'string', default: '400000' } } });
const MESSAGES = { tcp: Number(values.messages), udp: Math.ceil(Number(values.messages) / 40) };
const HOST = '127.0.0.1';
const PSK = 'a key for a fair share';
const TICK_MS = 10;
const message = Buffer.alloc(20, 'x');

interface Pair {
  readonly client: USMPClient;
  readonly session: ServerSession;
  readonly close: () => Promise<void>;
}

async function open(protocol: Protocol): Promise<Pair> {
  const server = new USMPServer({ host: HOST, port: 0, psk: PSK, protocol });
  await server.listen();
  const client = new USMPClient({ host: HOST, port: server.port, psk: PSK, protocol });
  const [[session]] = await Promise.all([
    once(server, 'session') as Promise<[ServerSession]>,
    client.connect(),
  ]);
  const close = async (): Promise<void> => {
    await client.disconnect();
    await server.close();
  };
  return { client, session, close };
}

/** A timer every 10 ms. @returns how many of its ticks came, and the longest gap between two. */
function ticker() {
  const from = performance.now();
  let last = from;
  let ticks = 0;
  let longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    ticks += 1;
    longest = Math.max(longest, now - last);
    last = now;
  }, TICK_MS);
  return (): string => {
    clearInterval(timer);
    const now = performance.now();
    longest = Math.max(longest, now - last);
    return `${ticks} of ${Math.floor((now - from) / TICK_MS)} ticks, longest gap ${longest.toFixed(0)} ms`;
  };
}

/** A session that sends a message, waits for its echo, and begins again after a while. */
async function bystander(protocol: Protocol) {
  const { client, session, close } = await open(protocol);
  session.on('message', (each) => void session.send(each));
  const times: number[] = [];
  let isOn = true;
  const run = (async () => {
    while (isOn) {
      const from = performance.now();
      await client.send(message);
      await client.recv();
      times.push(performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
  })();
  return async (): Promise<string> => {
    isOn = false;
    await run;
    await close();
    times.sort((a, b) => a - b);
    const at = (share: number): string => (times[Math.floor(times.length * share)] ?? NaN).toFixed(1);
    return `${times.length} echoes, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
  };
}

type Load = (pair: Pair, count: number) => Promise<void>;

const sending: Load = async ({ client, session }, count) => {
  session.on('message', () => undefined);
  for (let i = 0; i < count; i++) await client.send(message);
};

const receiving: Load = async ({ client, session }, count) => {
  let received = 0;
  const all = new Promise<void>((resolve) => {
    client.on('message', () => {
      received += 1;
      if (received === count) resolve();
    });
  });
  for (let sent = 0; sent < count; sent += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - sent) }, () => session.send(message)));
  }
  await all;
};

/** @returns messages a second. */
async function rate(protocol: Protocol, load: Load, count: number): Promise<number> {
  const pair = await open(protocol);
  const from = performance.now();
  await load(pair, count);
  const perSecond = (count / (performance.now() - from)) * 1_000;
  await pair.close();
  return perSecond;
}

async function measure(name: string, protocol: Protocol, load: Load): Promise<void> {
  const count = MESSAGES[protocol];
  await rate(protocol, load, Math.ceil(count / 10)); // warms up
  const alone = await rate(protocol, load, count);
  const echoed = await bystander(protocol);
  const ticked = ticker();
  const beside = await rate(protocol, load, count);
  const ticks = ticked();
  const share = ((100 * beside) / alone).toFixed(0);
  console.log(`${protocol}, ${count} messages ${name}: ${beside.toFixed(0)} a second, ${share} % of alone`);
  console.log(`  ${ticks}; ${await echoed()}`);
}

async function main(): Promise<void> {
  for (const protocol of PROTOCOLS) {
    await measure('sent one after the other', protocol, sending);
    await measure('from a gateway without end', protocol, receiving);
  }
}

void main();
