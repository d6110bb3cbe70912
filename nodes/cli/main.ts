#!/usr/bin/env node
/** The command line: finds the command, runs it, and says in words what went wrong. */
import type { Writable } from 'node:stream';
import { ArgumentError, systemClock, USMPError } from '../../src/index.js';
import { parse, type Command } from './arguments.js';
import { gateway } from './gateway.js';
import { helpOf, overview, PROGRAM, version } from './help.js';
import { interruption } from './interrupt.js';
import { listen } from './listen.js';
import { ping } from './ping.js';
import { psk } from './psk.js';
import { send } from './send.js';
import { explained } from './words.js';
import { EXIT, Failure, Interrupted, say, UsageError, warn, type Exit, type World } from './world.js';

export const COMMANDS: readonly Command[] = [gateway, send, listen, ping, psk];

/** @returns how the process ends. Never rejected. */
export async function main(world: World): Promise<Exit> {
  const broken = new AbortController();
  world.stdout.setMaxListeners(0); // each source that waits for it is one
  world.stdout.on('error', (error) => broken.abort(error));
  world.stderr.on('error', () => undefined); // nobody is there to be told
  world.stdin.on('error', () => undefined); // whoever reads from it is told
  const signal = AbortSignal.any([world.signal, broken.signal]);
  let exit: Exit;
  try {
    exit = await run({ ...world, signal });
  } catch (error) {
    exit = broken.signal.aborted ? EXIT.ok : tell(error, world);
  }
  if (!broken.signal.aborted) return exit;
  // Whoever read the output has seen enough, as `head` does.
  const { code = '' } = broken.signal.reason as NodeJS.ErrnoException;
  if (code === 'EPIPE') return EXIT.ok;
  warn(world, `${PROGRAM}: standard output cannot be written (${code})`);
  return EXIT.failed;
}

async function run(world: World): Promise<Exit> {
  const [name, ...argv] = world.argv;
  if (name === undefined) {
    warn(world, overview(COMMANDS));
    return EXIT.usage;
  }
  if (name === '--version') {
    say(world, version());
    return EXIT.ok;
  }
  if (['--help', '-h', 'help'].includes(name)) {
    const [about] = argv;
    say(world, about === undefined ? overview(COMMANDS) : helpOf(commandOf(about)));
    return EXIT.ok;
  }
  const command = commandOf(name);
  const given = parse(command, argv);
  if (given.has('help')) {
    say(world, helpOf(command));
    return EXIT.ok;
  }
  return command.run(given, world);
}

function commandOf(name: string): Command {
  const found = COMMANDS.find((each) => each.name === name);
  if (found) return found;
  const what = name.startsWith('-') ? 'option' : 'command';
  const there = COMMANDS.map((each) => each.name).join(', ');
  throw new UsageError(
    `unknown ${what} ${name.split('=', 1).join('')}: there are ${there}, --help and --version`,
  );
}

function tell(error: unknown, world: World): Exit {
  if (error instanceof Interrupted) return EXIT.failed;
  if (error instanceof UsageError || error instanceof ArgumentError) {
    const why = error instanceof ArgumentError ? explained(error) : error.message;
    warn(world, `${PROGRAM}: ${why}`);
    const [name] = world.argv;
    const isKnown = COMMANDS.some((each) => each.name === name);
    warn(world, `See ${PROGRAM}${isKnown ? ` ${name ?? ''}` : ''} --help`);
    return EXIT.usage;
  }
  if (error instanceof USMPError) warn(world, `${PROGRAM}: ${explained(error)}`);
  else if (error instanceof Failure) warn(world, `${PROGRAM}: ${error.message}`);
  else warn(world, `${PROGRAM}: ${(error as Error).stack ?? String(error)}`);
  return EXIT.failed;
}

/** What was written has left this process, or nobody takes it. */
const flushed = (stream: Writable): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()));

if (require.main === module) {
  const endNow = (): never => process.exit(130); // as after a Ctrl-C that nobody catches
  const { env, stdin, stdout, stderr } = process;
  void main({
    argv: process.argv.slice(2),
    env,
    stdin,
    stdout,
    stderr,
    signal: interruption(process, systemClock, endNow),
    clock: systemClock,
    now: () => new Date(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  }).then(async (exit) => {
    await Promise.all([flushed(stdout), flushed(stderr)]);
    // At once: an end by itself takes a moment in which the second half of a Ctrl-C would count as another signal.
    process.exit(exit);
  });
}
