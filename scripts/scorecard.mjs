// The scorecard that flows.nodered.org gives a package, made by its own tool, node-red-dev. Fails when a check does.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { root } from './fingerprint.mjs';

const CHECKS = {
  P01: 'names its licence',
  P02: 'has the name that it has in its repository',
  P03: 'says where its source is, or where bugs go',
  P04: 'has a name with the right prefix',
  P05: 'has the keyword node-red',
  P06: 'works with the latest Node-RED',
  P07: 'works with the oldest Node.js of the latest Node-RED',
  P08: 'is the only package of its name',
  N01: 'has node types that no other package has',
  N02: 'has an example with each node',
  D01: 'has six dependencies at most',
  D02: 'has no dependency that is known to be incompatible (looks at one only)',
  D03: 'allows its dependencies at their latest',
};
const CATALOGUE = 'https://catalogue.nodered.org/catalogue.json';

const folder = path.join(root, 'compat', 'scorecard');
const modules = path.join(folder, 'node_modules');

function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status === 0) return stdout + stderr;
  console.error(error ?? stdout + stderr);
  console.error(`${path.basename(command)} failed.`);
  process.exit(1);
}

// npm writes this file last, so it tells a whole installation from half a one.
if (!existsSync(path.join(modules, '.package-lock.json'))) {
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', args, { cwd: root, shell: process.platform === 'win32' });
}

const catalogue = await fetch(CATALOGUE, { signal: AbortSignal.timeout(30_000) })
  .then((response) => (response.ok ? response.json() : undefined))
  .catch(() => undefined);
const notJudged = { P02: 'node-red-dev has this check switched off' };
if (!catalogue) notJudged.P08 = notJudged.N01 = 'the node catalogue cannot be reached';

const file = path.join(modules, '.scorecard.json'); // where git does not look
await rm(file, { force: true });
const preload = catalogue
  ? []
  : ['--import', new URL('../compat/scorecard/offline.mjs', import.meta.url).href];
const tool = path.join(modules, 'node-red-dev', 'bin', 'run');
const output = run(process.execPath, [...preload, tool, 'validate', '--path', root, '--output', file]);
const card = JSON.parse(await readFile(file, 'utf8'));

// node-red-dev passes P05 and P08 in any case, and N02 for a node that it cannot read.
const { name, keywords } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
card.P05.test &&= keywords.includes('node-red');
card.P08.test &&= !catalogue?.modules.some(({ id }) => id.endsWith(`/${name}`));
card.N02.test &&= !output.includes('Unable to parse');

const verdict = (id) =>
  notJudged[id] ? `not judged here: ${notJudged[id]}` : card[id]?.test ? 'passed' : 'failed';
const failed = Object.keys(CHECKS).filter((id) => verdict(id) === 'failed');
for (const [id, meaning] of Object.entries(CHECKS)) console.log(`${id}  ${meaning}: ${verdict(id)}`);
if (failed.length > 0) {
  console.error(`\nnode-red-dev says:\n${output}`);
  process.exitCode = 1;
}
