// Packs the package and does with it what a user does in the palette manager of a running Node-RED whose user folder
// is empty: installs the tarball, runs its program and the first example, restarts Node-RED, and uninstalls. Fails unless
// the tarball holds what the sources say, all of that works, and the log has no warning.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { startGateway } from './demo-gateway.mjs';
import { root } from './fingerprint.mjs';
import { startNodeRed } from './node-red.mjs';
import { objections } from './package-files.mjs';

const readJson = async (...parts) => JSON.parse(await readFile(path.join(...parts), 'utf8'));
const { name, version, 'node-red': nodeRed } = await readJson(root, 'package.json');

/** What the editor asks Node-RED for beside the nodes: files of the package, and the addresses they have there. */
const SERVED = {
  icons: [/^dist\/nodes\/icons\/(.+)$/, (icon) => `icons/${name}/${icon}`],
  catalogues: [/^dist\/nodes\/locales\/(.+)\/(.+)\.json$/, (lng, set) => `locales/${name}/${set}?lng=${lng}`],
  examples: [
    /^examples\/(.+)\.json$/,
    (title) => `library/examples/flows/${name}/${encodeURIComponent(title)}`,
  ],
};

/** Node-RED says this of itself: the one always, the other when it starts with no flows yet. */
const OF_NODE_RED = /Projects disabled|Encrypted credentials not found/;

/** @returns the tarball, and the paths that it has in it. */
async function pack(folder) {
  const args = ['pack', '--json', '--pack-destination', folder];
  const stdio = ['ignore', 'pipe', 'ignore'];
  const [packed] = JSON.parse(
    execFileSync('npm', args, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32', stdio }),
  );
  const paths = packed.files.map((file) => file.path);
  console.log(`${packed.filename}: ${packed.size} bytes, ${paths.length} files`);
  const wrong = await objections(paths);
  assert.ok(wrong.length === 0, wrong.join('\n'));
  return { tarball: path.join(folder, packed.filename), paths };
}

/** A Node-RED as a user starts it, which may install packages. */
const start = () =>
  startNodeRed({
    userDir,
    folder,
    settings: { credentialSecret: 'check', lang: 'en-US' },
    // npm, which Node-RED runs, is to say why it failed even where this check runs under `npm run --silent`.
    env: { TMPDIR: folder, npm_config_loglevel: 'warn' },
    isGroup: true, // an npm that it has started belongs to it
  });

/** A request to the admin API. @throws when the answer is not a good one. */
async function request({ base, output }, url, { method = 'GET', headers = {}, body } = {}) {
  const fail = (why, cause) => {
    throw new Error(`${method} ${url}: ${why}; the log:\n${output}`, { cause });
  };
  const signal = AbortSignal.timeout(120_000); // npm may be slow
  const response = await fetch(new URL(url, base), { method, headers, body, signal }).catch((cause) =>
    fail('no answer', cause),
  );
  if (!response.ok) fail(`${response.status} ${await response.text()}`);
  return response;
}

async function install(red, tarball) {
  const body = new FormData();
  body.append('tarball', new Blob([await readFile(tarball)]), path.basename(tarball));
  await request(red, 'nodes', { method: 'POST', body });
}

/** @returns the node sets of this package that Node-RED knows. */
async function listed(red) {
  const response = await request(red, 'nodes', { headers: { accept: 'application/json' } });
  return (await response.json()).filter((set) => set.module === name);
}

async function checkLoaded(red) {
  const sets = await listed(red);
  for (const set of sets) {
    const { id, types, enabled, err } = set;
    assert.ok(enabled && !err && types.length > 0 && set.version === version, JSON.stringify(set));
    console.log(`loaded: ${id} ${set.version} (${types.join(', ')})`);
  }
  assert.deepEqual(sets.map((set) => set.name).sort(), Object.keys(nodeRed.nodes).sort());
}

async function checkServed(red, paths) {
  for (const [kind, [pattern, address]] of Object.entries(SERVED)) {
    const files = paths.filter((file) => pattern.test(file));
    assert.ok(files.length > 0, `the package has no ${kind}`);
    for (const file of files) {
      const parse = file.endsWith('.json') ? JSON.parse : String;
      const [, ...parts] = pattern.exec(file);
      const answer = await (await request(red, address(...parts))).text();
      assert.deepEqual(parse(answer), parse(await readFile(path.join(root, file), 'utf8')), file);
    }
    console.log(`served: ${files.length} ${kind}`);
  }
}

/** The program of the package, as npx finds it where the package is installed. @returns what it writes. */
async function program(userDir, env, ...args) {
  const options = { cwd: userDir, env: { ...process.env, ...env }, shell: process.platform === 'win32' };
  const { stdout } = await promisify(execFile)('npx', ['--no-install', name, ...args], options);
  return stdout;
}

async function checkProgram(userDir, port, psk) {
  assert.equal(await program(userDir, {}, '--version'), `${version}\n`);
  assert.match(await program(userDir, {}, 'psk'), /^hex:[0-9a-f]{64}\n$/);
  const env = { USMP_PSK: `hex:${psk.toString('hex')}` };
  const sent = await program(userDir, env, 'send', `127.0.0.1:${port}`, 'hello');
  assert.match(sent, /^delivered 1 message to tcp:/);
  console.log(`run with npx: ${name}`);
}

/** Deploys the first example with what a user has to fill in, and with debug nodes that write to the log. */
async function deployExample(red, port, psk) {
  const flows = await (await request(red, SERVED.examples[1]('1 - First contact'))).json();
  for (const node of flows) {
    if (node.type === 'usmp-client') Object.assign(node, { port: String(port), credentials: { psk } });
    if (node.type === 'debug') node.console = true;
  }
  await red.deploy(flows);
}

/** A reply has passed `usmp out` and `usmp in`, and a round trip `usmp ping`. */
async function checkExample(red) {
  for (const transport of ['TCP', 'UDP']) {
    await red.waitFor(new RegExp(`debug:reply over ${transport}\\]`));
    await red.waitFor(new RegExp(`debug:round trip over ${transport} \\(ms\\)\\]\\s*[\\d.]+`));
  }
  assert.doesNotMatch(red.output, /debug:errors/);
  console.log('messages and PINGs passed over TCP and UDP');
}

async function uninstall(red, userDir) {
  await red.deploy([]);
  await request(red, `nodes/${name}`, { method: 'DELETE' });
  assert.deepEqual(await listed(red), []);
  assert.ok(!existsSync(path.join(userDir, 'node_modules', name)), 'its folder is still there');
  assert.ok(!existsSync(path.join(userDir, 'node_modules', '.bin', name)), 'its program is still there');
  const { dependencies = {} } = await readJson(userDir, 'package.json');
  assert.ok(!(name in dependencies), 'it is still in the package.json of the user folder');
  console.log('uninstalled');
}

async function stop(red) {
  const timer = setTimeout(red.kill, 20_000);
  const code = await red.interrupt();
  clearTimeout(timer);
  assert.equal(code, 0, `Node-RED ended with ${code ?? 'a signal'}; the log:\n${red.output}`);
  const warnings = red.output
    .split('\n')
    .filter((line) => /\[(warn|error)\]|Warning/.test(line) && !OF_NODE_RED.test(line));
  assert.deepEqual(warnings, [], `the log has warnings:\n${warnings.join('\n')}`);
  console.log('the log has no warning');
}

const folder = await mkdtemp(path.join(tmpdir(), 'usmp-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1)); // ends as any failure does

const { tarball, paths } = await pack(folder);
const userDir = path.join(folder, 'user');
await mkdir(userDir);
const psk = randomBytes(32);
const gateway = await startGateway(0, psk, () => undefined);

let red = await start();
await install(red, tarball);
await checkLoaded(red);
await checkServed(red, paths);
await checkProgram(userDir, gateway.port, psk);
await deployExample(red, gateway.port, psk.toString('hex'));
await checkExample(red);
await stop(red);

console.log('after a restart:');
red = await start();
await checkLoaded(red);
await checkExample(red);
await uninstall(red, userDir);
await stop(red);
await gateway.close();
