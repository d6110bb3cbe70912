/** The gateway under test in a process of its own, which echoes; its memory, CPU and event loop are measured alone. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServerOptions } from '../../src/index.js';
import { USMPServer } from './engine.js';
import { PSK, type GatewayOptions, type Measure } from './gateway.js';

const given = JSON.parse(process.argv[2] ?? '{}') as GatewayOptions;
const { lookup, ...options } = given;
let failing = true;

async function slowLookup(): Promise<string> {
  const broken = lookup === 'throws' && failing;
  failing = false;
  if (broken) throw new Error('the table of keys cannot be read');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  return PSK;
}

const server = new USMPServer({
  host: '127.0.0.1',
  port: 0,
  sessionTimeout: 0,
  psk: lookup ? slowLookup : PSK,
  ...(options as Partial<ServerOptions>),
});
const refusals: Record<string, number> = {};
server.on('session', (session) => {
  session.on('message', (message) => void session.send(message).catch(() => undefined));
});
server.on('refused', ({ reason }) => {
  refusals[reason.message] = (refusals[reason.message] ?? 0) + 1;
});
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();

process.on('message', (what) => {
  if (what === 'close') {
    void server.close().then(() => process.disconnect());
    return;
  }
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const measure: Measure = {
    rss,
    heap: heapUsed + external,
    cpuMs: (user + system) / 1_000,
    loopP99Ms: delay.percentile(99) / 1e6,
    sessions: server.sessions.size,
    refusals,
  };
  delay.reset();
  process.send?.(measure);
});
process.on('disconnect', () => process.exit());
void server.listen().then(
  () => process.send?.(server.port),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
