/** Processes beside the bench's own: the gateway, and whoever makes trouble. They are asked, and answer each time. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface Child {
  ask<Answer>(question?: string): Promise<Answer>;
  /** Asks it to end, and waits until it has. */
  end(question: string): Promise<void>;
}

/** @param file beside this one. @param argument handed over as JSON. */
export function start(file: string, argument: unknown): Child {
  const child = fork(path.join(__dirname, file), [JSON.stringify(argument)], {
    execArgv: ['--expose-gc', '--import', 'tsx'],
  });
  return {
    async ask<Answer>(question?: string) {
      const ended = new AbortController();
      if (question !== undefined) child.send(question);
      try {
        const [value] = (await Promise.race([
          once(child, 'message', ended),
          once(child, 'exit', ended).then(() => Promise.reject(new Error(`${file} has ended`))),
        ])) as [Answer];
        return value;
      } finally {
        ended.abort();
      }
    },
    async end(question) {
      const closed = once(child, 'exit');
      child.send(question);
      await closed;
    },
  };
}
