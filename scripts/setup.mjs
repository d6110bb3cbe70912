// All that a fresh clone needs before it can run: dependencies and a build. Quick when nothing has changed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fingerprint, root, STAMP } from './fingerprint.mjs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Node.js 20.19 or newer is needed; this is ${process.versions.node}.`);
  process.exit(1);
}

const read = (file) => readFile(file, 'utf8').catch(() => undefined);

function run(what, command, args) {
  console.log(what);
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) {
    console.error(`${what} failed.`);
    process.exit(result.status ?? 1);
  }
}

// npm writes node_modules/.package-lock.json last; our mark beside it names the lock file that was installed.
const lock = await read(path.join(root, 'package-lock.json'));
const mark = path.join(root, 'node_modules', '.installed-lock');
if (!existsSync(path.join(root, 'node_modules', '.package-lock.json')) || (await read(mark)) !== lock) {
  run('Installing the dependencies …', 'npm', ['ci', '--no-audit', '--no-fund']);
  await writeFile(mark, lock);
}

if ((await read(STAMP)) !== (await fingerprint())) {
  run('Building …', process.execPath, [path.join(root, 'scripts', 'build.mjs')]);
}
