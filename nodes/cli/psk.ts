/** Makes keys, and judges one without showing it. */
import { MIN_PSK_BYTES, parsePsk, PSK_FORMATS, USMPError, type PskFormat } from '../../src/index.js';
import { UsageError, EXIT, say, type Exit, type World } from './world.js';
import type { Command, Given } from './arguments.js';
import {
  choose,
  firstLine,
  isDevelopmentKey,
  KEY_OPTIONS,
  oddities,
  typedKey,
  type TypedKey,
} from './key.js';
import { within, type Range } from './options.js';
import { explained, plural } from './words.js';

/** 256 bits, as much as the cipher suites have. */
const BYTES: Range = { standard: 32, min: MIN_PSK_BYTES, max: 1_024, isWhole: true };
const COUNT: Range = { standard: 1, min: 1, max: 100_000, isWhole: true };

export const psk: Command = {
  name: 'psk',
  usage: '[check] [options]',
  summary: 'makes a PSK; psk check judges one',
  notes: [
    'Prints a random PSK: hex: and hex digits, which is understood in any format and by the reference SDK;',
    'with --format as the format has it. psk check reads one from USMP_PSK, a file or standard input, and',
    'says what it is without showing it; ends with 0 when it can be used and is not known to everybody.',
  ],
  options: {
    format: { value: PSK_FORMATS.join('|'), help: 'how to write it' },
    bytes: { value: 'NUMBER', help: `how many random bytes (${BYTES.standard})` },
    count: { value: 'NUMBER', help: `how many PSKs, one a line (${COUNT.standard})` },
    ...KEY_OPTIONS,
  },
  async run(given, world) {
    const [what, ...others] = given.operands;
    if (what === undefined) return generate(given, world);
    // What stands there may be a key.
    if (what !== 'check' || others.length > 0)
      throw new UsageError('psk takes nothing but options, or check');
    return check(given, world);
  },
};

function generate(given: Given, world: World): Exit {
  for (const name of Object.keys(KEY_OPTIONS)) {
    if (given.has(name))
      throw new UsageError(`--${name} is for psk check; to choose how to write one: --format`);
  }
  const format = given.value('format');
  const write = format === undefined ? withPrefix : WRITERS[choose('format', format, PSK_FORMATS)];
  const bytes = within(BYTES, 'bytes', given);
  const count = within(COUNT, 'count', given);
  for (let i = 0; i < count; i++) say(world, write(world.random(bytes)));
  return EXIT.ok;
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex');
const withPrefix = (key: Uint8Array): string => `hex:${hex(key)}`;

/** Letters and digits that are not taken for each other; 32 of them, for five bits each. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
const LETTER_BITS = 5;

/** As many letters as hold all bits; never hex or base64 to look at, as it has small letters only and beyond f. */
export function letters(key: Uint8Array): string {
  let [text, bits, size] = ['', 0, 0];
  for (const byte of key) {
    bits = (bits << 8) | byte;
    size += 8;
    while (size >= LETTER_BITS) {
      size -= LETTER_BITS;
      text += LETTERS.charAt((bits >> size) & 31);
      bits &= (1 << size) - 1;
    }
  }
  return size === 0 ? text : text + LETTERS.charAt((bits << (LETTER_BITS - size)) & 31);
}

const WRITERS: Readonly<Record<PskFormat, (key: Uint8Array) => string>> = {
  text: letters,
  hex,
  base64: (key) => Buffer.from(key).toString('base64'),
};

async function check(given: Given, world: World): Promise<Exit> {
  const { typed, format, source } = await keyToCheck(given, world);
  try {
    const key = parsePsk(typed, format);
    const readAs = /^\s*hex:/.test(typed) ? 'hex' : format;
    say(world, `the PSK from ${source} can be used: ${plural(key.length, 'byte')}, read as ${readAs}`);
    for (const oddity of oddities(typed, format, key)) say(world, `but ${oddity}`);
    return isDevelopmentKey(key) ? EXIT.failed : EXIT.ok;
  } catch (error) {
    if (!(error instanceof USMPError)) throw error;
    say(world, `the PSK from ${source} cannot be used: ${explained(error)}`);
    return EXIT.failed;
  }
}

/** As for the other commands, or from standard input where none of that is given. */
async function keyToCheck(given: Given, world: World): Promise<TypedKey> {
  for (const name of ['format', 'bytes', 'count']) {
    if (given.has(name)) throw new UsageError(`--${name} is for making a PSK; psk check has --psk-format`);
  }
  const isGiven = given.has('psk') || given.has('psk-file') || (world.env.USMP_PSK ?? '') !== '';
  if (isGiven || world.stdin.isTTY) return typedKey(given, world);
  const format = choose('pskFormat', given.value('psk-format') ?? 'text', PSK_FORMATS);
  return { typed: await firstLine(world.stdin), format, source: 'standard input' };
}
