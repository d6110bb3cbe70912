/** Sends messages to a gateway, and tells when it has them. */
import {
  DELIVERIES,
  MAX_MESSAGE_BYTES,
  USMPConnection,
  type Delivery,
  type USMPError,
} from '../../src/index.js';
import type { Command, Given } from './arguments.js';
import { choose } from './key.js';
import { chunksOf, linesOf } from './lines.js';
import { CLIENT_OPTIONS, clientOptions, gatewayOf } from './options.js';
import { asFailure, explained, plural, tooLong } from './words.js';
import { EXIT, Failure, Interrupted, isOver, say, UsageError, warn, type World } from './world.js';

/** So many are on their way at once; a confirmation may stand for all of them. */
const MAX_UNDER_WAY = 100;
/** Seconds: a gateway that restarts is back by then, and a script does not hang for ever. */
const PATIENCE = 30;

export const send: Command = {
  name: 'send',
  usage: '<host[:port]> [message…] [options]',
  summary: 'sends messages to a gateway',
  notes: [
    'Without a message each line of standard input is one; empty lines are passed over.',
    `A message has at most ${MAX_MESSAGE_BYTES} bytes. Ends with 0 when all were delivered.`,
  ],
  options: {
    delivery: { value: DELIVERIES.join('|'), help: 'when it counts as delivered (confirmed)' },
    binary: { help: 'all of standard input is one message, byte by byte' },
    timeout: { value: 'SECONDS', help: `after which a message is given up (${PATIENCE}; 0: never)` },
    ...CLIENT_OPTIONS,
  },
  async run(given, world) {
    const delivery = choose('delivery', given.value('delivery') ?? 'confirmed', DELIVERIES);
    const gateway = gatewayOf(given);
    const typed = typedMessage(given);
    const options = await clientOptions(gateway, given, world);
    const connection = new USMPConnection({ ...options, outboxAge: given.number('timeout') ?? PATIENCE });
    const onAbort = (): void => void connection.close();
    world.signal.addEventListener('abort', onAbort);
    try {
      if (isOver(world.signal)) throw new Interrupted();
      // What comes to be sent is looked at first where that needs no waiting: it may be too long.
      const ready = typed ?? (given.has('binary') ? await wholeInput(world) : undefined);
      await connection.connect();
      const enough = new AbortController();
      const from = ready ? [{ name: undefined, bytes: ready }] : linesToSend(world, enough.signal);
      const count = await sendAll(from, connection, delivery, () => enough.abort());
      if (isOver(world.signal)) throw new Interrupted(); // there may have been more
      if (count === 0)
        throw new UsageError('there is no message: give one behind the gateway, or on standard input');
      const what = delivery === 'confirmed' ? 'delivered' : 'sent';
      say(world, `${what} ${plural(count, 'message')} to ${connection.client.url}`);
      return EXIT.ok;
    } catch (error) {
      throw isOver(world.signal) ? new Interrupted() : asFailure(error, options.protocol);
    } finally {
      world.signal.removeEventListener('abort', onAbort);
      await connection.close();
    }
  },
};

interface Message {
  /** Where it is from, when there are several. */
  readonly name: string | undefined;
  readonly bytes: Buffer;
}

/** What stands behind the gateway, with a space between words. */
function typedMessage(given: Given): Buffer | undefined {
  const words = given.operands.slice(1);
  if (words.length === 0) return undefined;
  if (given.has('binary')) {
    throw new UsageError(
      '--binary takes the message from standard input, but there is one behind the gateway',
    );
  }
  return checkSize(Buffer.from(words.join(' ')));
}

function checkSize(bytes: Buffer, size: number | string = bytes.length): Buffer {
  if (bytes.length <= MAX_MESSAGE_BYTES) return bytes;
  throw new Failure(tooLong(size, MAX_MESSAGE_BYTES));
}

/** No more of it is read than tells that it is too long. */
async function wholeInput({ stdin, signal }: World): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(stdin, signal)) {
    pieces.push(chunk);
    size += chunk.length;
    if (size > MAX_MESSAGE_BYTES) break;
  }
  return checkSize(Buffer.concat(pieces), `over ${MAX_MESSAGE_BYTES}`);
}

async function* linesToSend({ stdin, stderr, signal }: World, enough: AbortSignal): AsyncGenerator<Message> {
  if (stdin.isTTY) warn({ stderr }, 'type messages, each on a line of its own; Ctrl-D ends');
  for await (const { number, bytes } of linesOf(
    stdin,
    MAX_MESSAGE_BYTES,
    AbortSignal.any([signal, enough]),
  )) {
    const name = `line ${number}`;
    if (bytes === undefined) {
      throw new Failure(`${name}: ${tooLong(`over ${MAX_MESSAGE_BYTES}`, MAX_MESSAGE_BYTES)}`);
    }
    if (bytes.length > 0) yield { name, bytes };
  }
}

/**
 * @param enough called when one could not be delivered, so that no more are read.
 * @returns how many were delivered, when all were. @throws Failure with the first that was not.
 */
async function sendAll(
  messages: AsyncIterable<Message> | Iterable<Message>,
  connection: USMPConnection,
  delivery: Delivery,
  enough: () => void,
): Promise<number> {
  const underWay = new Set<Promise<void>>();
  const failures: Failure[] = [];
  let count = 0;
  const sendOne = async ({ name, bytes }: Message): Promise<void> => {
    try {
      await connection.send(bytes, delivery);
      count += 1;
    } catch (error) {
      const why = explained(error as USMPError, connection.client.protocol);
      failures.push(new Failure(name === undefined ? why : `${name}: ${why}`));
      enough();
    }
  };
  try {
    for await (const message of messages) {
      const sent = sendOne(message).finally(() => underWay.delete(sent));
      underWay.add(sent);
      if (underWay.size >= MAX_UNDER_WAY) await Promise.race(underWay);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(underWay); // what came before one that cannot be sent is delivered
  }
  const [first] = failures;
  if (first) throw first;
  return count;
}
