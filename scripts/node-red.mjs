// The one way to start a Node-RED: the demo has it in its own process, checks and tests have it in one of its own.
// NODE_RED_MAIN and NODE_RED_JS choose another Node-RED for the one and the other, NODE_RED_NODE another Node.js.
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { root } from './fingerprint.mjs';
import { startProgram } from './program.mjs';

const require = createRequire(import.meta.url);

/** Settings of every one: nobody else reaches it, and it tells nobody of itself. */
const LOCAL = {
  uiHost: '127.0.0.1',
  uiPort: 0,
  flowFile: 'flows.json',
  telemetry: { enabled: false, updateNotification: false },
};

/** Settings of one that has this package from its folder, and fetches nothing. */
export const SEALED = {
  ...LOCAL,
  nodesDir: root,
  externalModules: {
    autoInstall: false,
    palette: { allowInstall: false, allowUpload: false },
    modules: { allowInstall: false },
  },
  editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } },
  diagnostics: { enabled: false, ui: false },
};

/** Node-RED as a module, for a program that serves its pages itself. */
export const loadNodeRed = () => require(process.env.NODE_RED_MAIN ?? 'node-red');

/** What Node-RED writes when flows run, in the languages that it is started in. */
const STARTED = 'Started|Flows [^]{0,20}gestartet|開始しました|已启动';

/**
 * @param settings beside those that every one has, or `SEALED` with what differs.
 * @param storeModules modules that stand in for `require('…')` in the settings: context stores by name, and their files.
 * @param program what `startProgram` is told besides.
 */
export async function startNodeRed({ userDir, folder = userDir, settings, storeModules = {}, ...program }) {
  const file = path.join(folder, 'settings.cjs');
  const stores = Object.entries(storeModules).map(
    ([name, module]) =>
      `(module.exports.contextStorage ??= {})[${JSON.stringify(name)}] = { module: require(${JSON.stringify(module)}) };`,
  );
  await writeFile(
    file,
    [`module.exports = ${JSON.stringify({ ...LOCAL, userDir, ...settings })};`, ...stores].join('\n'),
  );
  const red = process.env.NODE_RED_JS ?? require.resolve('node-red/red.js');
  const node = process.env.NODE_RED_NODE ?? process.execPath;
  const running = startProgram(node, [red, '--settings', file], { cwd: userDir, ...program });
  const [, base] = await running
    .waitFor(new RegExp(`(http://127\\.0\\.0\\.1:\\d+)/[^]*(?:${STARTED})`))
    .catch(async (error) => {
      await running.interrupt();
      throw error;
    });
  return Object.assign(Object.create(running), {
    base,
    deploy: (flows, type) => deployTo(running, base, flows, type),
    whenStarted: (act) => whenStarted(running, act),
  });
}

/** Deploys through the admin API, which answers before the flows run. Resolves when they do. */
export async function deployTo(running, base, flows, type = 'full') {
  await whenStarted(running, async () => {
    const response = await fetch(`${base}/flows`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'Node-RED-Deployment-Type': type },
      body: JSON.stringify(flows),
    });
    if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}`);
  });
}

async function whenStarted(running, act) {
  const { length } = running.output;
  await act();
  await running.waitFor(new RegExp(STARTED), undefined, length);
}
