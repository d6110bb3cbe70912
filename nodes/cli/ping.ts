/** Round-trip times to a gateway, in a session of its own. */
import { USMPConnection, type USMPError } from '../../src/index.js';
import type { Command } from './arguments.js';
import { CLIENT_OPTIONS, clientOptions, gatewayOnly, within, type Range } from './options.js';
import { asFailure, explained } from './words.js';
import { EXIT, Interrupted, isOver, pause, say, type Exit, type World } from './world.js';

const COUNT: Range = { standard: 4, min: 1, max: 1_000_000, isWhole: true };
/** Seconds; the engine itself keeps to the pace that gateways allow. */
const INTERVAL: Range = { standard: 1, min: 0, max: 86_400 };

export const ping: Command = {
  name: 'ping',
  usage: '<host[:port]> [options]',
  summary: 'round-trip times to a gateway',
  notes: ['Ends with 0 when at least one PING was answered. Ctrl-C ends, with the figures so far.'],
  options: {
    count: { value: 'NUMBER', help: `PINGs to send (${COUNT.standard})` },
    interval: { value: 'SECONDS', help: `from an answer to the next PING (${INTERVAL.standard})` },
    ...CLIENT_OPTIONS,
  },
  async run(given, world) {
    const count = within(COUNT, 'count', given);
    const intervalMs = within(INTERVAL, 'interval', given) * 1_000;
    const options = await clientOptions(gatewayOnly(given), given, world);
    const connection = new USMPConnection(options);
    const onAbort = (): void => void connection.close();
    world.signal.addEventListener('abort', onAbort);
    try {
      if (isOver(world.signal)) throw new Interrupted();
      await connection.connect();
      return exitFor(await pings(connection, count, intervalMs, world));
    } catch (error) {
      throw isOver(world.signal) ? new Interrupted() : asFailure(error, options.protocol);
    } finally {
      world.signal.removeEventListener('abort', onAbort);
      await connection.close();
    }
  },
};

export const exitFor = (answered: number): Exit => (answered > 0 ? EXIT.ok : EXIT.failed);

/** @returns how many were answered. */
async function pings(
  connection: USMPConnection,
  count: number,
  intervalMs: number,
  world: World,
): Promise<number> {
  const { url, protocol } = connection.client;
  const times: number[] = [];
  let sent = 0;
  while (sent < count) {
    if (sent > 0) await pause(world, intervalMs);
    if (isOver(world.signal)) break;
    try {
      const ms = await connection.ping();
      times.push(ms);
      sent += 1;
      say(world, `${sent}: answer from ${url} in ${ms.toFixed(2)} ms`);
    } catch (error) {
      if (isOver(world.signal)) break; // it was under way when the user ended it
      sent += 1;
      const { state } = connection;
      const why = state.at === 'waiting' ? state.reason : (error as USMPError);
      say(world, `${sent}: no answer from ${url}: ${explained(why, protocol)}`);
    }
  }
  for (const line of summary(sent, times)) say(world, line);
  return times.length;
}

/** @param times milliseconds. */
export function summary(sent: number, times: readonly number[]): string[] {
  const lost = sent === 0 ? 0 : Math.round(((sent - times.length) / sent) * 100);
  const count = `${sent} sent, ${times.length} answered, ${lost} % lost`;
  if (times.length === 0) return [count];
  const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
  const [min, max] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))];
  const figures = [min, mean, max].map((ms) => ms.toFixed(2));
  return [count, `min/avg/max ${figures.join('/')} ms`];
}
