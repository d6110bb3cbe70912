/** A real Node-RED in a process of its own, with this package loaded from its folder. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { start, type RunningProcess } from './process.js';

/** What Node-RED writes when flows run, in the languages that tests start it in. */
const STARTED = 'Started|Flows [^]{0,20}gestartet|開始しました|已启动';

const root = path.resolve(__dirname, '../..');

export interface NodeRedOptions {
  /** Flows, credentials and context live here, also over a restart. */
  readonly userDir: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly settings?: object;
  /** Modules that stand in for `require('…')` in the settings: context stores by name, and the files they are in. */
  readonly storeModules?: Readonly<Record<string, string>>;
}

export interface NodeRedProcess extends RunningProcess {
  readonly base: string;
  deploy(flows: object[], type?: Deployment): Promise<void>;
  /** Does something that makes flows start. Resolves when they run. */
  whenStarted(act: () => Promise<unknown>): Promise<void>;
}

export type Deployment = 'full' | 'nodes' | 'flows';

export async function startNodeRed({
  userDir,
  env = {},
  settings = {},
  storeModules = {},
}: NodeRedOptions): Promise<NodeRedProcess> {
  const file = path.join(userDir, 'settings.cjs');
  const all = {
    uiHost: '127.0.0.1',
    uiPort: 0,
    userDir,
    flowFile: 'flows.json',
    nodesDir: root,
    credentialSecret: 'test',
    telemetry: { enabled: false, updateNotification: false },
    externalModules: {
      autoInstall: false,
      palette: { allowInstall: false },
      modules: { allowInstall: false },
    },
    editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } },
    diagnostics: { enabled: false, ui: false },
    ...settings,
  };
  const stores = Object.entries(storeModules).map(
    ([name, module]) =>
      `(module.exports.contextStorage ??= {})[${JSON.stringify(name)}] = { module: require(${JSON.stringify(module)}) };`,
  );
  await writeFile(file, [`module.exports = ${JSON.stringify(all)};`, ...stores].join('\n'));
  const red = process.env.NODE_RED_JS ?? require.resolve('node-red/red.js');
  const node = process.env.NODE_RED_NODE ?? process.execPath;
  const running = start(node, [red, '--settings', file], { NODE_OPTIONS: '', ...env }, userDir);
  const base = await running
    .waitFor(new RegExp(`(http://127\\.0\\.0\\.1:\\d+)/[^]*(?:${STARTED})`))
    .then(([, url]) => url!)
    .catch(async (error: unknown) => {
      await running.interrupt();
      throw error;
    });
  return {
    get output() {
      return running.output;
    },
    ended: running.ended,
    waitFor: (...args) => running.waitFor(...args),
    interrupt: () => running.interrupt(),
    kill: () => running.kill(),
    base,
    deploy: (flows, type) => deployTo(running, base, flows, type),
    whenStarted: (act) => whenStarted(running, act),
  };
}

/** Deploys through the admin API, which answers before the flows run. Resolves when they do. */
export async function deployTo(
  running: RunningProcess,
  base: string,
  flows: readonly object[],
  type: Deployment = 'full',
): Promise<void> {
  await whenStarted(running, async () => {
    const response = await fetch(`${base}/flows`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'Node-RED-Deployment-Type': type },
      body: JSON.stringify(flows),
    });
    if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}`);
  });
}

async function whenStarted(running: RunningProcess, act: () => Promise<unknown>): Promise<void> {
  const { length } = running.output;
  await act();
  await running.waitFor(new RegExp(STARTED), undefined, length);
}
