/**
 * Where the PSK comes from: the environment, a file, a terminal that does not show it; from the command line only with a
 * warning, as others see that in the list of processes. It is never shown.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { ArgumentError, DEVELOPMENT_PSK, parsePsk, PSK_FORMATS, type PskFormat } from '../../src/index.js';
import { pskHint } from '../shared/dialog/rules.js';
import type { Given, Option } from './arguments.js';
import { linesOf } from './lines.js';
import { Interrupted, UsageError, warn, type Input, type World } from './world.js';

/** Far more than any key has. */
const MAX_KEY_BYTES = 4_096;

const VARIABLE = 'USMP_PSK';

export const KEY_OPTIONS: Readonly<Record<string, Option>> = {
  'psk-file': {
    value: 'FILE',
    help: `the PSK is the first line of this file; otherwise that of ${VARIABLE}`,
  },
  psk: { value: 'KEY', help: 'the PSK; other users see it in the list of processes' },
  'psk-format': { value: PSK_FORMATS.join('|'), help: 'how it is written (text); hex:… is known in any' },
};

export interface TypedKey {
  readonly typed: string;
  readonly format: PskFormat;
  /** Where it is from, for people. */
  readonly source: string;
}

/** @throws UsageError when there is none, Interrupted when the user ends it at the prompt. */
export async function typedKey(given: Given, world: World): Promise<TypedKey> {
  const format = choose('pskFormat', given.value('psk-format') ?? 'text', PSK_FORMATS);
  const [psk, file, variable] = [given.value('psk'), given.value('psk-file'), world.env[VARIABLE]];
  if (psk !== undefined && file !== undefined) throw new UsageError('--psk and --psk-file: only one of them');
  if (psk !== undefined) {
    warn(
      world,
      `warning: others see --psk in the list of processes; ${VARIABLE} or --psk-file keeps it secret`,
    );
    return { typed: psk, format, source: '--psk' };
  }
  if (file !== undefined) return { typed: await firstLineOf(file), format, source: '--psk-file' };
  if (variable !== undefined && variable !== '') return { typed: variable, format, source: VARIABLE };
  if (world.stdin.isTTY) return { typed: await ask(world.stdin, world), format, source: 'the terminal' };
  throw new UsageError(
    `there is no PSK: set the environment variable ${VARIABLE}, or name a file with --psk-file`,
  );
}

/** The PSK, with a word about what is odd about it. @throws ArgumentError naming `psk`, and as `typedKey`. */
export async function readKey(given: Given, world: World): Promise<Uint8Array> {
  const { typed, format } = await typedKey(given, world);
  const psk = parsePsk(typed, format);
  for (const oddity of oddities(typed, format, psk)) warn(world, `warning: ${oddity}`);
  return psk;
}

/** What is odd about a key, though it can be used. */
export function oddities(typed: string, format: PskFormat, psk: Uint8Array): string[] {
  const hint = pskHint(typed, format);
  return [
    ...(hint === undefined ? [] : [ODD[hint](format)]),
    ...(isDevelopmentKey(psk)
      ? ["this PSK is the one that is printed in USMP's documents: everybody knows it"]
      : []),
  ];
}

export const isDevelopmentKey = (psk: Uint8Array): boolean =>
  Buffer.compare(psk, Buffer.from(DEVELOPMENT_PSK)) === 0;

const ODD = {
  hex: (format: PskFormat) =>
    `the PSK looks like hex digits, and is read as ${format}; if it is hex, say --psk-format hex`,
  base64: (format: PskFormat) =>
    `the PSK looks like base64, and is read as ${format}; if it is base64, say --psk-format base64`,
  newline: () => 'the PSK ends in a line break, which counts as part of it',
  space: () => 'the PSK begins or ends with a space, which counts as part of it',
} as const;

/** @throws ArgumentError naming the field. */
export function choose<T extends string>(field: string, text: string, choices: readonly T[]): T {
  const found = choices.find((each) => each === text);
  if (found !== undefined) return found;
  const list = choices.join(', ');
  throw new ArgumentError(field, `expected one of ${list}`, { kind: 'choice', values: { choices: list } });
}

async function firstLineOf(file: string): Promise<string> {
  try {
    return await firstLine(createReadStream(file, { end: MAX_KEY_BYTES + 1 })); // /dev/zero has no end
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`--psk-file: the file cannot be read (${code})`);
  }
}

/** The first line as text; blank when there is none. */
export async function firstLine(stream: Readable): Promise<string> {
  const never = new AbortController().signal;
  for await (const { bytes } of linesOf(stream, MAX_KEY_BYTES, never)) {
    if (bytes === undefined) throw new UsageError('the PSK is too long: its line should have the PSK only');
    return bytes.toString();
  }
  return '';
}

const KEYS = { interrupt: '\x03', end: '\x04', backspace: '\b', delete: '\x7f', clear: '\x15' } as const;

/** Asks at a terminal, which does not show what is typed. @throws Interrupted */
export function ask(stdin: Input, world: World): Promise<string> {
  if (world.signal.aborted) return Promise.reject(new Interrupted());
  const decoder = new StringDecoder('utf8');
  let typed: string[] = [];
  return new Promise((resolve, reject) => {
    const settle = (how: () => void): void => {
      stdin.off('data', onData).off('end', onEnd).off('error', reject);
      world.signal.removeEventListener('abort', onAbort);
      stdin.setRawMode?.(false);
      stdin.pause();
      how();
    };
    const done = (): void => settle(() => resolve(typed.join('')));
    const onAbort = (): void => settle(() => reject(new Interrupted()));
    const onEnd = (): void => done();
    const onData = (chunk: Buffer | string): void => {
      const characters = Array.from(typeof chunk === 'string' ? chunk : decoder.write(chunk));
      for (const [at, character] of characters.entries()) {
        if (character === KEYS.interrupt) {
          onAbort();
          return;
        }
        if (character === '\r' || character === '\n' || character === KEYS.end) {
          const rest = characters.slice(at + 1).join('');
          done();
          if (rest !== '') stdin.unshift(Buffer.from(rest));
          return;
        }
        if (character === KEYS.backspace || character === KEYS.delete) typed.pop();
        else if (character === KEYS.clear) typed = [];
        else typed.push(character);
      }
    };
    world.signal.addEventListener('abort', onAbort);
    stdin.on('end', onEnd).on('error', reject);
    stdin.setRawMode?.(true);
    warn(world, 'PSK (it is not shown):'); // only now, so that nothing typed after it can be seen
    stdin.on('data', onData).resume();
  });
}
