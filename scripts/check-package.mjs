// Packs the package, installs the tarball into an empty Node-RED user folder as the palette does, starts Node-RED, and
// fails unless it lists all nodes as loaded and its log has no warning.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { encryptCredentials } from './credentials.mjs';
import { root } from './fingerprint.mjs';

const red = process.env.NODE_RED_JS ?? createRequire(import.meta.url).resolve('node-red/red.js');
const node = process.env.NODE_RED_NODE ?? process.execPath;
const { name, 'node-red': nodeRed } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

const folder = await mkdtemp(path.join(tmpdir(), 'usmp-package-'));
const userDir = path.join(folder, 'user');
try {
  await mkdir(userDir);
  const npm = (args, cwd) =>
    execFileSync('npm', args, {
      cwd,
      encoding: 'utf8',
      shell: process.platform === 'win32',
      stdio: ['ignore', 'pipe', 'ignore'],
    });

  const [packed] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder], root));
  const tarball = path.join(folder, packed.filename);
  console.log(`${packed.filename}: ${(await stat(tarball)).size} bytes, ${packed.files.length} files`);
  const strange = packed.files.filter(
    (file) =>
      !/^(dist\/|examples\/|README\.md$|CHANGELOG\.md$|LICENSE$|package\.json$)/.test(file.path) ||
      /\.fingerprint|\.test\./.test(file.path),
  );
  if (strange.length > 0) throw new Error(`not for users: ${strange.map((file) => file.path).join(', ')}`);

  await writeFile(path.join(userDir, 'package.json'), '{ "name": "user", "private": true }');
  npm(['install', '--no-audit', '--no-fund', '--omit=dev', tarball], userDir);
  await writeFile(
    path.join(userDir, 'settings.js'),
    `module.exports = ${JSON.stringify({
      uiHost: '127.0.0.1',
      uiPort: 0,
      userDir,
      flowFile: 'flows.json',
      credentialSecret: 'check',
      telemetry: { enabled: false, updateNotification: false },
      editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } },
      externalModules: { autoInstall: false },
      diagnostics: { enabled: false, ui: false },
    })};`,
  );

  await writeFile(path.join(userDir, 'flows.json'), '[]');
  await writeFile(path.join(userDir, 'flows_cred.json'), JSON.stringify(encryptCredentials('check', {})));
  const child = spawn(node, [red, '--settings', path.join(userDir, 'settings.js')], {
    cwd: userDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  const started = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Node-RED did not start:\n${log}`)), 60_000);
    const look = (text) => {
      log += text;
      const at = /running at (http:\S+)/.exec(log)?.[1];
      if (!at || !/Started flows|no flows|Starting flows/i.test(log)) return;
      clearTimeout(timer);
      resolve(at);
    };
    child.stdout.setEncoding('utf8').on('data', look);
    child.stderr.setEncoding('utf8').on('data', look);
    child.once('exit', (code) => reject(new Error(`Node-RED ended with ${code}:\n${log}`)));
  });
  try {
    const base = await started;
    const response = await fetch(new URL('nodes', base), { headers: { accept: 'application/json' } });
    const sets = (await response.json()).filter((set) => set.module === name);
    for (const set of sets) {
      console.log(
        `loaded: ${set.id} ${set.version} (${set.types.join(', ')})${set.err ? ` ERROR ${set.err}` : ''}`,
      );
    }
    const missing = Object.keys(nodeRed.nodes).filter(
      (id) => !sets.some((set) => set.name === id && set.enabled && !set.err && set.types.length > 0),
    );
    if (missing.length > 0) throw new Error(`not loaded: ${missing.join(', ')}\n${log}`);
    const warnings = log
      .split('\n')
      .filter((line) => /\[(warn|error)\]|Warning/.test(line) && !/Projects disabled/.test(line));
    if (warnings.length > 0) throw new Error(`the log has warnings:\n${warnings.join('\n')}`);
    console.log('the log has no warning');
  } finally {
    child.removeAllListeners('exit');
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
