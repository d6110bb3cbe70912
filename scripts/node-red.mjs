// A Node-RED in a process of its own, as a user starts it, for the checks: its log, its admin API, and its end.
// NODE_RED_JS and NODE_RED_NODE choose another Node-RED, and another Node.js to run it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

const red = process.env.NODE_RED_JS ?? createRequire(import.meta.url).resolve('node-red/red.js');
const node = process.env.NODE_RED_NODE ?? process.execPath;
const posix = process.platform !== 'win32';

/**
 * @param folder for its settings and its temporary files
 * @param userDir where flows and installed packages are
 */
export async function startNodeRed(folder, userDir) {
  const settings = path.join(folder, 'settings.cjs');
  await writeFile(
    settings,
    `module.exports = ${JSON.stringify({
      uiHost: '127.0.0.1',
      uiPort: 0,
      userDir,
      flowFile: 'flows.json',
      credentialSecret: 'check',
      lang: 'en-US',
      telemetry: { enabled: false, updateNotification: false },
    })};`,
  );
  const child = spawn(node, [red, '--settings', settings], {
    cwd: userDir,
    // npm, which Node-RED runs, is to say why it failed even where this check runs under `npm run --silent`.
    env: { ...process.env, TMPDIR: folder, npm_config_loglevel: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: posix, // a process group, which has an npm that Node-RED has started, too
  });
  const ended = once(child, 'exit');
  const kill = () => {
    try {
      process.kill(posix ? -child.pid : child.pid, 'SIGKILL');
    } catch {
      // gone already
    }
  };
  // Before any other listener, so that nothing is left that writes to the folder when that is removed.
  process.prependListener('exit', kill);

  let log = '';
  const waiting = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log += text;
      for (const look of waiting) look();
    });
  }

  /** @returns the first match behind position `from` of the log, as soon as there is one. */
  const waitFor = (pattern, from = 0) =>
    new Promise((resolve, reject) => {
      const settle = (how, value) => {
        clearTimeout(timer);
        waiting.delete(look);
        how(value);
      };
      const fail = (why) => settle(reject, new Error(`${why} ${pattern}; the log:\n${log}`));
      const look = () => {
        const match = pattern.exec(log.slice(from));
        if (match) settle(resolve, match);
      };
      const timer = setTimeout(() => fail('waited in vain for'), 60_000);
      waiting.add(look);
      ended.then(() => waiting.has(look) && fail('Node-RED ended before'), reject);
      look();
    });

  const [, base] = await waitFor(/running at (http:\S+)\s/);
  await waitFor(/Started flows/);

  /** A request to the admin API. @throws when the answer is not a good one. */
  async function request(url, { method = 'GET', headers = {}, body } = {}) {
    const fail = (why, cause) => {
      throw new Error(`${method} ${url}: ${why}; the log:\n${log}`, { cause });
    };
    const signal = AbortSignal.timeout(120_000); // npm may be slow
    const response = await fetch(new URL(url, base), { method, headers, body, signal }).catch((cause) =>
      fail('no answer', cause),
    );
    if (!response.ok) fail(`${response.status} ${await response.text()}`);
    return response;
  }

  return {
    get log() {
      return log;
    },
    waitFor,
    request,
    deploy: async (flows) => {
      const before = log.length;
      const headers = { 'content-type': 'application/json' };
      await request('flows', { method: 'POST', headers, body: JSON.stringify(flows) });
      await waitFor(/Started flows/, before); // the answer comes before the flows run
    },
    stop: async () => {
      const timer = setTimeout(kill, 20_000);
      child.kill('SIGTERM');
      const [code, signal] = await ended;
      clearTimeout(timer);
      process.off('exit', kill);
      if (code || signal === 'SIGKILL')
        throw new Error(`Node-RED ended with ${code ?? signal}; the log:\n${log}`);
    },
  };
}
