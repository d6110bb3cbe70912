/** A gateway to try devices with: tells who comes and goes and what they say, and sends what is typed. */
import {
  DEFAULT_PORT,
  DEFAULT_SUITE,
  formatDeviceId,
  MAX_MESSAGE_BYTES,
  SUITES,
  USMPServer,
  type ServerOptions,
  type ServerSession,
  type USMPError,
} from '../../src/index.js';
import { hostAndPort } from '../shared/dialog/rules.js';
import type { Command, Given } from './arguments.js';
import { choose, KEY_OPTIONS, readKey } from './key.js';
import { linesOf, type Line } from './lines.js';
import { SUITE_OPTION } from './options.js';
import { asFailure, clockTime, seconds, shown, tooLong } from './words.js';
import { ended, EXIT, pass, say, UsageError, warn, type World } from './world.js';

const PROTOCOLS = ['tcp', 'udp', 'both'] as const;
const OVER = { tcp: 'TCP', udp: 'UDP', both: 'TCP and UDP' } as const;
/** All may come from one address, as the processes of somebody who tries do. */
const MAX_SESSIONS = 1_000;

export const gateway: Command = {
  name: 'gateway',
  usage: '[options]',
  summary: 'a gateway that shows what devices do',
  notes: [
    'A line typed goes to every device that is here; "a4:cf:12:00:00:01: text" goes to this one only,',
    'and waits for it when it is away. Ctrl-C says BYE to all.',
  ],
  options: {
    host: { value: 'ADDRESS', help: 'address to listen on (0.0.0.0: all of this machine)' },
    port: { value: 'PORT', help: `port to listen on (${DEFAULT_PORT}; 0: any that is free)` },
    protocol: { value: PROTOCOLS.join('|'), help: 'what to listen on (both)' },
    suite: { ...SUITE_OPTION, help: `as the devices have it (${DEFAULT_SUITE})` },
    echo: { help: 'sends every message back' },
    'device-id': { value: 'ID', help: 'lets in this device only; may be given several times (any device)' },
    ...KEY_OPTIONS,
  },
  async run(given, world) {
    if (given.operands.length > 0) throw new UsageError('gateway takes options only');
    const options = await serverOptions(given, world);
    const server = new USMPServer(options);
    await server.listen().catch((error: unknown) => {
      throw asFailure(error);
    });
    tell(server, given.has('echo'), world);
    const where = hostAndPort(options.host, server.port ?? options.port);
    say(world, `listening on ${where} over ${OVER[options.protocol]}`);
    const typing = takeLines(server, world);
    await ended(world.signal);
    await Promise.all([server.close(), typing]);
    return EXIT.ok;
  },
};

interface Settings extends ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: (typeof PROTOCOLS)[number];
}

async function serverOptions(given: Given, world: World): Promise<Settings> {
  const settings = {
    host: given.value('host') ?? '0.0.0.0',
    port: given.number('port') ?? DEFAULT_PORT,
    protocol: choose('protocol', given.value('protocol') ?? 'both', PROTOCOLS),
    suite: choose('suite', given.value('suite') ?? DEFAULT_SUITE, SUITES),
    maxConnections: MAX_SESSIONS,
    maxConnectionsPerIp: MAX_SESSIONS,
  };
  const deviceIds = given.all('device-id').map((each) => formatDeviceId(each));
  const psk = await readKey(given, world);
  return {
    ...settings,
    psk: deviceIds.length === 0 ? psk : new Map(deviceIds.map((deviceId) => [deviceId, psk])),
  };
}

/** Shows what happens at a gateway. */
function tell(server: USMPServer, isEcho: boolean, world: World): void {
  const note = (text: string): void => say(world, `${clockTime(world.now())} ${text}`);
  server.on('session', (session) => {
    const { deviceId, protocol } = session;
    const from = world.clock.now();
    note(`${deviceId} is here, at ${placeOf(session)} over ${OVER[protocol]}`);
    session.on('close', (reason) => {
      const why = reason?.message ?? 'closed from here';
      note(`${deviceId} is gone after ${seconds(world.clock.now() - from)}: ${why}`);
    });
    session.on('message', (message) => {
      pass(world, `${clockTime(world.now())} ${deviceId}: ${shown(message)}`, session);
      if (isEcho) void session.send(message).catch((error: unknown) => failed(world, deviceId, error));
    });
  });
  server.on('refused', ({ address, reason, deviceId, count }) => {
    if (reason.code === 'USMP_UNKNOWN_DEVICE') return; // a knock
    const who = deviceId === undefined ? address : `${deviceId} at ${address}`;
    note(`refused ${who}: ${reason.message}${times(count)}`);
  });
  server.on('knock', ({ deviceId, address, count }) =>
    note(`${deviceId} knocks from ${address}, and is not let in: no --device-id names it${times(count)}`),
  );
}

const placeOf = ({ remoteAddress, remotePort }: ServerSession): string =>
  hostAndPort(remoteAddress, remotePort);

const times = (count: number): string => (count > 1 ? ` (${count} times)` : '');

/** In the engine's own words: those of the nodes speak of a gateway at the other side. */
const failed = (world: World, deviceId: string, error: unknown): void =>
  warn(world, `not delivered to ${deviceId}: ${(error as USMPError).message}`);

/** Sends the lines of standard input, until it ends. */
async function takeLines(server: USMPServer, world: World): Promise<void> {
  try {
    for await (const line of linesOf(world.stdin, MAX_LINE_BYTES, world.signal)) send(server, line, world);
  } catch (error) {
    warn(world, `standard input cannot be read any more: ${(error as Error).message}`);
  }
}

/** Six pairs of hex digits, in the notations of a MAC address, then a colon. */
const ADDRESSED = /^\s*((?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})\s*:\s?/i;
/** A message, and the device that it is for. */
const MAX_LINE_BYTES = MAX_MESSAGE_BYTES + 32;

function send(server: USMPServer, { bytes }: Line, world: World): void {
  if (bytes?.length === 0) return;
  // Byte by byte, so that what is no UTF-8 stays as it is.
  const [mark = '', to] = ADDRESSED.exec(bytes?.toString('latin1') ?? '') ?? [];
  const message = bytes?.subarray(mark.length);
  if (message === undefined || message.length > MAX_MESSAGE_BYTES) {
    warn(world, `not sent: ${tooLong(message?.length ?? `over ${MAX_MESSAGE_BYTES}`, MAX_MESSAGE_BYTES)}`);
    return;
  }
  const deviceIds = to === undefined ? [...server.sessions.keys()] : [formatDeviceId(to)];
  if (deviceIds.length === 0) warn(world, 'not sent: no device is here');
  for (const deviceId of deviceIds) {
    if (!server.sessions.has(deviceId)) warn(world, `${deviceId} is not here: the message waits for it`);
    server.send(deviceId, message).catch((error: unknown) => failed(world, deviceId, error));
  }
}
