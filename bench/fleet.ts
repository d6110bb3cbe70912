/**
 * A fleet of devices against one gateway in a process of its own, and troublemakers in another: `npm run bench:fleet --
 * --only storm,load --scale 0.1 --protocol tcp,udp,both`. Prints figures beside their aims and asserts nothing: machines
 * differ.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { SERVER_PROTOCOLS } from '../src/server/options.js';
import { idle, load, storm } from './fleet/crowd.js';
import { limits, lookup, transports } from './fleet/limits.js';
import { rebind } from './fleet/rebind.js';
import type { Row } from './fleet/scene.js';
import { flood, health, strangers, unauthenticated } from './fleet/strangers.js';

const ROWS: Readonly<Record<string, Row>> = {
  storm,
  rebind,
  strangers,
  health,
  limits,
  lookup,
  transports,
  flood,
  idle,
  load,
  unauthenticated,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(ROWS).join() },
    scale: { type: 'string', default: '0.3' },
    protocol: { type: 'string', default: SERVER_PROTOCOLS.join() },
  },
});

const load1 = (): string => `load of the machine: ${(loadavg()[0] ?? 0).toFixed(1)}`;

async function main(): Promise<void> {
  const scale = Number(values.scale);
  if (!(scale > 0 && scale <= 1)) throw new Error('--scale: a number above 0, at most 1');
  const protocols = values.protocol.split(',').map((name) => {
    const protocol = SERVER_PROTOCOLS.find((each) => each === name);
    if (!protocol) throw new Error(`--protocol: ${SERVER_PROTOCOLS.join(', ')}, or several of them`);
    return protocol;
  });
  const rows = values.only.split(',').map((name) => {
    const row = ROWS[name];
    if (!row) throw new Error(`--only: no row ${name}; there are ${Object.keys(ROWS).join(', ')}`);
    return row;
  });
  console.log(`  ${load1()}`);
  for (const row of rows) {
    for (const protocol of protocols) await row({ protocol, scale });
    console.log(`  ${load1()}`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
