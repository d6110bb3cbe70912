/** Prints what a gateway sends, in a session that is opened again whenever it ends. */
import { USMPConnection, type ConnectionState } from '../../src/index.js';
import type { Command } from './arguments.js';
import { CLIENT_OPTIONS, clientOptions, gatewayOnly } from './options.js';
import { explained, seconds, shown, textIn } from './words.js';
import { ended, EXIT, isOver, pass, warn, type World } from './world.js';

export const listen: Command = {
  name: 'listen',
  usage: '<host[:port]> [options]',
  summary: 'prints what a gateway sends',
  notes: [
    'Each message is a line on standard output: text, or hex: and hex digits when it is none. What becomes',
    'of the session is told on standard error; it is opened again whenever it ends. Ctrl-C ends.',
  ],
  options: {
    json: { help: 'each line is {"time", "sessionId", and "text" or "base64"}' },
    ...CLIENT_OPTIONS,
  },
  async run(given, world) {
    const options = await clientOptions(gatewayOnly(given), given, world);
    const connection = new USMPConnection(options);
    const source = { pause: () => connection.hold(), resume: () => connection.release() };
    connection.on('state', (state) => tell(state, connection.client, world));
    connection.on('message', (message, { sessionId }) => {
      pass(world, given.has('json') ? jsonOf(message, sessionId, world.now()) : shown(message), source);
    });
    if (!isOver(world.signal)) connection.start();
    await ended(world.signal);
    await connection.close();
    return EXIT.ok;
  },
};

function tell(state: ConnectionState, { url, protocol }: USMPConnection['client'], world: World): void {
  if (state.at === 'established') warn(world, `connected to ${url}`);
  if (state.at !== 'waiting') return;
  const why = explained(state.reason, protocol);
  warn(world, `not connected to ${url}, next try in ${seconds(state.retryInMs)}: ${why}`);
}

function jsonOf(message: Buffer, sessionId: string, time: Date): string {
  const text = textIn(message);
  const payload = text === undefined ? { base64: message.toString('base64') } : { text };
  return JSON.stringify({ time: time.toISOString(), sessionId, ...payload });
}
