/**
 * `npm run soak -- --minutes 10 --kills 50 --seed 1`: messages through a faulty network for as long as wished, and a
 * gateway process that is killed and started again under load; prints what became of them. Exits with 1 when an
 * accepted message was lost, a sender was not told once, or an order was broken.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { USMPConnection, PROTOCOLS, type Protocol } from '../src/index.js';
import { settle } from '../test/support/clock.js';
import { ROUGH, runChaos, type ChaosReport } from '../test/support/chaos.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    kills: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});
const minutes = Number(values.minutes);
const kills = Number(values.kills);
let failed = false;

function heap(): string {
  globalThis.gc?.();
  return `${(process.memoryUsage().heapUsed / 2 ** 20).toFixed(1)} MiB`;
}

async function soak(): Promise<void> {
  const until = Date.now() + minutes * 60_000;
  const total: Record<string, number> = {};
  console.log(`heap at the start ${heap()}`);
  for (let seed = Number(values.seed); Date.now() < until; seed++) {
    const reports = await Promise.all(
      PROTOCOLS.map((protocol) =>
        runChaos({
          protocol,
          seed,
          messages: protocol === 'tcp' ? 2_000 : 200,
          delivery: 'confirmed',
          faults: ROUGH[protocol],
          cut: 0.002,
          move: 0.002,
          restart: 0.002,
        }),
      ),
    );
    for (const [i, report] of reports.entries()) {
      add(total, report);
      if (report.lost + report.unsettled + report.disordered + report.gaps + report.disorderedReplies > 0) {
        failed = true;
        console.log(`FAILED ${PROTOCOLS[i] ?? ''} seed ${seed}: ${JSON.stringify(report)}`);
      }
    }
  }
  await settle(); // the system takes a few turns to let go of what was closed
  console.log(`after ${minutes} minutes: ${JSON.stringify(total)}`);
  console.log(`heap at the end ${heap()}; open: ${process.getActiveResourcesInfo().join(', ') || 'nothing'}`);
}

function add(total: Record<string, number>, report: ChaosReport): void {
  for (const [key, value] of Object.entries(report)) {
    if (typeof value === 'number') total[key] = (total[key] ?? 0) + value;
  }
}

const PSK = 'a key for a gateway that is killed';
/** The retries of the connection; a reconnection may take the longest of them, its jitter, and a handshake. */
const RETRY = { retryMin: 0.1, retryMax: 0.4, retryJitter: 20 };
const JUST_BEFORE_READY_MS = 480 + 500;

async function killAndRestart(protocol: Protocol): Promise<void> {
  const taken = new Set<number>();
  const root = path.resolve(__dirname, '..');
  const start = async (port: number): Promise<{ child: ChildProcess; port: number }> => {
    const args = ['--import', 'tsx', 'test/support/gateway-process.ts', protocol, String(port), PSK];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    const listening = new Promise<number>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('port ')) resolve(Number(line.slice(5)));
        else taken.add(Number(line));
      });
    });
    return { child, port: await listening };
  };

  let gateway = await start(0);
  const { port } = gateway;
  const connection = new USMPConnection({
    host: '127.0.0.1',
    port,
    psk: PSK,
    protocol,
    keepalive: 0.5,
    pongTimeout: 0.5,
    handshakeTimeout: 1,
    outboxCount: 5_000,
    ...RETRY,
  });
  const established = (): Promise<void> =>
    new Promise((resolve) => {
      if (connection.state.at === 'established') resolve();
      else {
        connection.on('state', function listen({ at }) {
          if (at !== 'established') return;
          connection.off('state', listen);
          resolve();
        });
      }
    });
  connection.start();
  await established();

  let accepted = 0;
  let refused = 0;
  let stop = false;
  const pending = new Set<Promise<void>>();
  const load = (async () => {
    for (let n = 0; !stop; n++) {
      const outcome: Promise<void> = connection
        .send(`${n} load`)
        .then(
          () => void (accepted += 1),
          () => void (refused += 1),
        )
        .finally(() => pending.delete(outcome));
      pending.add(outcome);
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (pending.size > 2_000) await Promise.race(pending);
    }
  })();

  const times: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    const lost = new Promise<void>((resolve) => {
      connection.once('state', () => resolve());
    });
    gateway.child.kill('SIGKILL');
    await once(gateway.child, 'close');
    await lost;
    gateway = await start(port);
    const ready = performance.now();
    await established();
    times.push(performance.now() - ready);
  }
  stop = true;
  await load;
  await Promise.all(pending);
  const messages = accepted + refused;
  await connection.close();
  gateway.child.kill('SIGTERM');
  await once(gateway.child, 'close');

  const lost = Array.from({ length: messages }, (_, n) => n).filter((n) => !taken.has(n)).length - refused;
  const longest = Math.max(...times);
  times.sort((a, b) => a - b);
  console.log(
    `${protocol}: gateway killed and restarted ${kills} times under load: ${accepted} accepted, ${lost} lost; ` +
      `established again after the gateway was ready: median ${Math.round(times[times.length >> 1] ?? 0)} ms, ` +
      `longest ${Math.round(longest)} ms (bound ${JUST_BEFORE_READY_MS} ms)`,
  );
  if (lost > 0 || longest > JUST_BEFORE_READY_MS) failed = true;
}

async function main(): Promise<void> {
  if (minutes > 0) await soak();
  if (kills > 0) for (const protocol of PROTOCOLS) await killAndRestart(protocol);
  process.exitCode = failed ? 1 : 0;
}

void main();
