// A program as a child process whose output can be waited for: the demo, gateways and Node-RED in checks and tests.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const posix = process.platform !== 'win32';

/**
 * @param isGroup whether what it starts itself ends with it, also when this process ends before.
 * @param patienceMs how long `waitFor` waits unless told otherwise.
 */
export function startProgram(command, args, { env = {}, cwd, patienceMs = 60_000, isGroup = false }) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: isGroup && posix,
  });
  const ended = once(child, 'exit').then(([code]) => code);
  const kill = () => {
    try {
      process.kill(isGroup && posix ? -child.pid : child.pid, 'SIGKILL');
    } catch {
      // gone already
    }
  };
  if (isGroup) {
    // Before any other listener, so that nothing is left that writes to a folder when that is removed.
    process.prependListener('exit', kill);
    const forget = () => process.off('exit', kill);
    ended.then(forget, forget);
  }

  let output = '';
  const waiting = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      for (const look of waiting) look();
    });
  }

  const waitFor = (pattern, timeoutMs = patienceMs, from = 0) =>
    new Promise((resolve, reject) => {
      const settle = (how, value) => {
        clearTimeout(timer);
        waiting.delete(look);
        how(value);
      };
      const fail = (why) => settle(reject, new Error(`${why} ${pattern}; the output was:\n${output}`));
      const look = () => {
        const match = pattern.exec(output.slice(from));
        if (match) settle(resolve, match);
      };
      const timer = setTimeout(() => fail('timeout waiting for'), timeoutMs);
      waiting.add(look);
      ended.then(() => waiting.has(look) && fail('the program ended before'), reject);
      look();
    });

  return {
    get output() {
      return output;
    },
    ended,
    waitFor,
    interrupt: async () => {
      if (child.exitCode === null) child.kill('SIGINT');
      return ended;
    },
    kill: async () => {
      kill();
      await ended;
    },
  };
}
