/** What --help and --version say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from './arguments.js';
import { Failure } from './world.js';

export const PROGRAM = 'node-red-contrib-usmp';

const entries = (rows: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
};

export const overview = (commands: readonly Command[]): string =>
  [
    `Usage: ${PROGRAM} <command> [options]`,
    '',
    'Talks USMP, the Unified Secure Multi-transport Protocol, to devices and gateways, without Node-RED.',
    '',
    'Commands:',
    ...entries(commands.map(({ name, summary }) => [name, summary])),
    '',
    ...entries([
      [`<command> --help`, 'the options of a command'],
      ['--version', 'the version of this package'],
    ]),
    '',
    'The PSK comes from the environment variable USMP_PSK, from --psk-file FILE or, at a terminal, from a',
    'prompt. Ends with 0 when all went well, 1 when it failed, 2 when it was called the wrong way.',
  ].join('\n');

export const helpOf = ({ name, usage, summary, notes, options }: Command): string =>
  [
    `Usage: ${PROGRAM} ${name} ${usage}`,
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    ...notes,
    '',
    'Options:',
    ...entries(Object.entries(options).map(([each, option]) => [synopsis(each, option), option.help])),
  ].join('\n');

const synopsis = (name: string, { value }: Option): string =>
  value === undefined ? `--${name}` : `--${name} ${value}`;

/** Of the package: above the sources, and one folder more above what the build makes of them. */
export function version(): string {
  for (const up of [
    ['..', '..'],
    ['..', '..', '..'],
  ]) {
    try {
      const text = readFileSync(join(__dirname, ...up, 'package.json'), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Failure('package.json of this package is missing');
}
