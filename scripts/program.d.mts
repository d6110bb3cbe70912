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

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly patienceMs?: number;
  readonly isGroup?: boolean;
}

export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions,
): RunningProcess;
