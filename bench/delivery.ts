/**
 * `npm run bench:delivery`: what a message costs that goes through a mailbox in which many others wait, how fast a sender
 * is that waits for each outcome, and how long messages take that are sent together; over loopback, in one process.
 */
import { parseArgs } from 'node:util';
import { NEVER_REKEY, type Carrier } from '../src/delivery/courier.js';
import { Mailbox } from '../src/delivery/mailbox.js';
import { GATEWAY_POLICY } from '../src/delivery/policy.js';
import {
  PROTOCOLS,
  systemClock,
  USMPConnection,
  USMPServer,
  type Delivery,
  type Protocol,
} from '../src/index.js';

const { values } = parseArgs({
  options: {
    waiting: { type: 'string', default: '100,10000,80000,1000000' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
  },
});
const WAITING = values.waiting.split(',').map(Number);
const ROUNDS = Number(values.rounds);
const SECONDS = Number(values.seconds);
/** Messages whose cost is measured, in each round. */
const MEASURED = 20_000;
const BATCHES = [1, 30, 31, 32, 33, 64];
const BATCH_ROUNDS = 40;
const HOST = '127.0.0.1';
const PSK = 'a key for measuring deliveries';
const message = Buffer.alloc(20, 'x');

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? NaN;

/** A session that answers what it was asked when it is told to. */
function handDriven() {
  let asked: (() => void)[] = [];
  const ask = (): Promise<void> => new Promise((resolve) => asked.push(resolve));
  const carrier: Carrier = { send: ask, ping: ask, withdraw: () => undefined, changeKeys: ask };
  const answer = (): void => {
    const answered = asked;
    asked = [];
    for (const resolve of answered) resolve();
  };
  return { carrier, answer };
}

/** @returns microseconds a message, from `send` to its outcome, while so many others wait. */
async function costWhile(waiting: number, delivery: Delivery, maxAgeMs: number): Promise<number> {
  const limits = { maxCount: 2 * waiting + 1_000, maxBytes: 2 ** 30, maxAgeMs };
  const settings = { limits, clock: systemClock, policy: GATEWAY_POLICY, rekey: NEVER_REKEY };
  const mailbox = new Mailbox({ ...settings, other: 'gateway' });
  for (let i = 0; i < waiting; i++) void mailbox.send(message, { delivery }).catch(() => undefined);
  const { carrier, answer } = handDriven();
  mailbox.attach(carrier);
  await turn();
  const before = mailbox.stats.delivered;
  const from = performance.now();
  while (mailbox.stats.delivered - before < MEASURED) {
    for (let i = Math.min(GATEWAY_POLICY.window, waiting); i > 0; i--) {
      void mailbox.send(message, { delivery }).catch(() => undefined);
    }
    answer();
    await turn();
  }
  const us = ((performance.now() - from) * 1_000) / (mailbox.stats.delivered - before);
  mailbox.close('kept');
  await turn();
  return us;
}

async function costs(what: string, delivery: Delivery, maxAgeMs: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await costWhile(1_000, delivery, maxAgeMs); // warms up
  // The least of some rounds, in turns: what else the machine does only adds to it.
  const found = WAITING.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, waiting] of WAITING.entries()) {
      found[i] = Math.min(found[i] ?? Infinity, await costWhile(waiting, delivery, maxAgeMs));
    }
  }
  console.log(`a message ${what}, while others wait:`);
  for (const [i, waiting] of WAITING.entries()) {
    const us = found[i] ?? NaN;
    const ratio = (us / (found[0] ?? NaN)).toFixed(2);
    console.log(
      `  ${String(waiting).padStart(9)}: ${us.toFixed(2).padStart(7)} µs, ${ratio} times the first`,
    );
  }
}

/** A gateway, and a connection to it. */
async function open(protocol: Protocol, answers: boolean) {
  const server = new USMPServer({ host: HOST, port: 0, psk: PSK, protocol });
  server.on('session', (session) => {
    session.on('message', (each) => {
      if (answers) session.send(each).catch(() => undefined);
    });
  });
  await server.listen();
  const connection = new USMPConnection({ host: HOST, port: server.port, psk: PSK, protocol });
  await connection.connect();
  const close = async (): Promise<void> => {
    await connection.close();
    await server.close();
  };
  return { connection, close };
}

/** @returns messages a second of a sender that waits for each outcome. */
async function oneByOne(protocol: Protocol, answers: boolean): Promise<number> {
  const { connection, close } = await open(protocol, answers);
  const from = performance.now();
  let count = 0;
  while (performance.now() - from < SECONDS * 1_000) {
    await connection.send(message);
    count += 1;
  }
  const perSecond = (count * 1_000) / (performance.now() - from);
  await close();
  return perSecond;
}

/** @returns milliseconds until all of a batch are delivered. */
async function together(protocol: Protocol, count: number): Promise<number> {
  const { connection, close } = await open(protocol, true);
  const times: number[] = [];
  for (let round = 0; round < BATCH_ROUNDS; round++) {
    const from = performance.now();
    await Promise.all(Array.from({ length: count }, () => connection.send(message)));
    times.push(performance.now() - from);
    await turn();
  }
  await close();
  return median(times);
}

async function main(): Promise<void> {
  await costs('that is to be confirmed', 'confirmed', 0);
  await costs('that is to be sent', 'sent', 0);
  await costs('that is to be confirmed and may wait for an hour', 'confirmed', 3_600_000);
  for (const protocol of PROTOCOLS) {
    for (const answers of [true, false]) {
      const perSecond = await oneByOne(protocol, answers);
      const gateway = answers ? 'that answers each message' : 'that sends nothing itself';
      console.log(`${protocol}, a gateway ${gateway}: ${perSecond.toFixed(0)} messages a second, one by one`);
    }
    for (const count of BATCHES) {
      const ms = await together(protocol, count);
      console.log(`${protocol}, ${String(count).padStart(2)} together: ${ms.toFixed(2)} ms`);
    }
  }
}

void main();
