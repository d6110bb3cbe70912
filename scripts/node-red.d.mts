import type { ProgramOptions, RunningProcess } from './program.mjs';

export type Deployment = 'full' | 'nodes' | 'flows';

export interface NodeRedProcess extends RunningProcess {
  readonly base: string;
  deploy(flows: readonly object[], type?: Deployment): Promise<void>;
  /** Does something that makes flows start. Resolves when they run. */
  whenStarted(act: () => Promise<unknown>): Promise<void>;
}

export interface NodeRedOptions extends Omit<ProgramOptions, 'cwd'> {
  /** Flows, credentials and context live here, also over a restart. */
  readonly userDir: string;
  /** For the file with the settings. */
  readonly folder?: string;
  readonly settings?: object;
  /** Modules that stand in for `require('…')` in the settings: context stores by name, and the files they are in. */
  readonly storeModules?: Readonly<Record<string, string>>;
}

export const SEALED: object & { readonly editorTheme: object };
export function startNodeRed(options: NodeRedOptions): Promise<NodeRedProcess>;
export function deployTo(
  running: RunningProcess,
  base: string,
  flows: readonly object[],
  type?: Deployment,
): Promise<void>;
