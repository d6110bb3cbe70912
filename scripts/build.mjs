// Compiles to dist/ and lays beside the compiled nodes what Node-RED looks for there: dialogs, locales, icons.
// A type error ends the build, and dist/ is left without the file that says it is up to date.
import { spawnSync } from 'node:child_process';
import { cp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fingerprint, root, STAMP } from './fingerprint.mjs';

const require = createRequire(import.meta.url);
const dist = path.join(root, 'dist');

await rm(dist, { recursive: true, force: true });
const tsc = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', root], {
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

await cp(path.join(root, 'nodes'), path.join(dist, 'nodes'), {
  recursive: true,
  filter: (source) => !source.endsWith('.ts'),
});
await cp(path.join(root, 'icons'), path.join(dist, 'nodes', 'icons'), { recursive: true });
await writeFile(STAMP, await fingerprint());
