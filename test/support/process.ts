/** A program as a child process, whose output a test can wait for. */
import { startProgram, type RunningProcess } from '../../scripts/program.mjs';
import { PATIENCE_MS } from './patience.js';

export type { RunningProcess };

export const start = (
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): RunningProcess => startProgram(command, args, { env, cwd, patienceMs: PATIENCE_MS });
