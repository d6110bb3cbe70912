/** A program as a child process, whose output a test can wait for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PATIENCE_MS } from './patience.js';

export interface RunningProcess {
  /** All output so far. */
  readonly output: string;
  /** Resolves with the exit code when it has ended. */
  readonly ended: Promise<number | null>;
  /**
   * Resolves with the first match, past or to come; rejects when the program ends before.
   * @param from how many characters of the output are passed over.
   */
  waitFor(pattern: RegExp, timeoutMs?: number, from?: number): Promise<RegExpExecArray>;
  /** Ends it as Ctrl-C does. @returns its exit code. */
  interrupt(): Promise<number | null>;
  /** Ends it as a crash or a power cut does: it gets to do nothing any more. */
  kill(): Promise<void>;
}

export function start(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): RunningProcess {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const waiting = new Set<() => void>();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const check of waiting) check();
    });
  }
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    get output() {
      return output;
    },
    ended,
    waitFor: (pattern, timeoutMs = PATIENCE_MS, from = 0) =>
      new Promise((resolve, reject) => {
        const give = (why: string): void => {
          waiting.delete(check);
          clearTimeout(timer);
          reject(new Error(`${why} ${String(pattern)}; the output was:\n${output}`));
        };
        const check = (): void => {
          const match = pattern.exec(output.slice(from));
          if (!match) return;
          waiting.delete(check);
          clearTimeout(timer);
          resolve(match);
        };
        const timer = setTimeout(() => give('timeout waiting for'), timeoutMs);
        waiting.add(check);
        void ended.then(() => waiting.has(check) && give('the program ended before'));
        check();
      }),
    interrupt: async () => {
      if (child.exitCode === null) child.kill('SIGINT');
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
