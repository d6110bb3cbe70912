/**
 * A fleet of devices against one gateway in a process of its own: `npm run bench:fleet -- --only storm,load --scale 0.1
 * --protocol tcp|udp|both`. Prints figures beside their aims and asserts nothing: machines differ.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { PROTOCOLS } from '../src/index.js';
import { idle, load, storm, type Scene } from './fleet/crowd.js';
import { rebind } from './fleet/rebind.js';
import { flood, health, limits, lookup, strangers, unauthenticated } from './fleet/trouble.js';

const ROWS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  storm,
  rebind,
  strangers,
  health,
  limits,
  lookup,
  flood,
  idle,
  load,
  unauthenticated,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(ROWS).join() },
    scale: { type: 'string', default: '0.3' },
    protocol: { type: 'string', default: 'both' },
  },
});

async function main(): Promise<void> {
  const scale = Number(values.scale);
  if (!(scale > 0 && scale <= 1)) throw new Error('--scale: a number above 0, at most 1');
  const protocols = PROTOCOLS.filter((each) => values.protocol === 'both' || values.protocol === each);
  if (protocols.length === 0) throw new Error('--protocol: tcp, udp or both');
  for (const name of values.only.split(',')) {
    const row = ROWS[name];
    if (!row) throw new Error(`--only: no row ${name}; there are ${Object.keys(ROWS).join(', ')}`);
    for (const protocol of protocols) await row({ protocol, scale });
    console.log(`  load of the machine: ${(loadavg()[0] ?? 0).toFixed(1)}`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
