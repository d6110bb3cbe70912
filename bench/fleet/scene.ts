/** What a row is played with. */
import type { ServerProtocol } from '../../src/index.js';

export interface Scene {
  /** Of the gateway; where it is `both`, devices come over TCP and UDP by turns. */
  readonly protocol: ServerProtocol;
  /** Multiplies counts and durations. */
  readonly scale: number;
}

export type Row = (scene: Scene) => Promise<void>;

export const scaled = (count: number, scale: number): number => Math.max(1, Math.round(count * scale));

export function sleep(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}

/** Beside the sockets of sessions: the process's own files and pipes. */
const OTHER_FILES = 100;

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } };
}

/** A TCP session is an open file on either side. @throws where the system allows too few of them. */
export function needFiles(count: number): void {
  const { userLimits } = process.report.getReport() as unknown as Report;
  const limit = userLimits?.open_files?.soft ?? 'unlimited';
  const needed = count + OTHER_FILES;
  if (limit !== 'unlimited' && limit < needed) {
    throw new Error(
      `${count} devices need ${needed} open files in a process, and the system allows ${limit}: ` +
        `raise the limit (ulimit -n ${needed}) or play a smaller --scale`,
    );
  }
}
