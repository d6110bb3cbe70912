/** A real Node-RED runtime with our nodes in it, for tests of flows. */
import { EventEmitter, once } from 'node:events';
import type { NodeAPI } from 'node-red';
import helper from 'node-red-node-test-helper';
import usmpClient from '../../nodes/usmp-client.js';
import usmpIn from '../../nodes/usmp-in.js';
import usmpOut from '../../nodes/usmp-out.js';
import usmpPing from '../../nodes/usmp-ping.js';
import { USMPServer, type Protocol, type ServerSession } from '../../src/index.js';
import { textsOf, type Lookup } from './texts.js';

/** Which Node-RED to test with: a module id or a folder. */
export const nodeRed = require.resolve(process.env.NODE_RED_MAIN ?? 'node-red');
export const NODES = [usmpClient, usmpIn, usmpOut, usmpPing].map(
  (register) =>
    (RED: NodeAPI): void =>
      register(withTexts(RED)),
);
export const PSK = 'a key for the tests, long enough';

const english = textsOf('en-US');

/** The helper has no catalogues: it gives back the key for any text. */
function withTexts(RED: NodeAPI): NodeAPI {
  const lookup: Lookup = (key, values) => english(key.replace(/^.*:/, ''), values);
  return Object.assign(Object.create(RED) as NodeAPI, { _: lookup });
}

helper.init(nodeRed, { functionGlobalContext: {} });

export { helper };

/** Starts the runtime's server around a suite, and takes the flows down after each test. */
export function withRuntime(): void {
  before(() => helper.startServer());
  after(() => helper.stopServer());
  afterEach(async () => {
    await helper.unload();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
}

const servers: USMPServer[] = [];

export interface TestGateway {
  readonly server: USMPServer;
  readonly port: number;
  /** What arrived, as text. */
  readonly received: string[];
  readonly sessions: ServerSession[];
  /** Resolves once this many sessions were opened. */
  opened(count: number): Promise<void>;
  /** Resolves once this many messages have arrived. */
  arrived(count: number): Promise<void>;
}

/** A gateway on a free port that keeps what it receives and answers with it; closed after the test. */
export async function startGateway(
  protocol: Protocol,
  { psk = PSK, port = 0, echo = true }: { psk?: string; port?: number; echo?: boolean } = {},
): Promise<TestGateway> {
  const server = new USMPServer({ host: '127.0.0.1', port, psk, protocol });
  const received: string[] = [];
  const sessions: ServerSession[] = [];
  const arrivals = new EventEmitter();
  server.on('session', (session) => {
    sessions.push(session);
    arrivals.emit('session');
    session.on('message', (message) => {
      received.push(message.toString());
      arrivals.emit('message');
      if (echo) session.send(message).catch(() => undefined);
    });
  });
  await server.listen();
  servers.push(server);
  const arrived = async (count: number): Promise<void> => {
    while (received.length < count) await once(arrivals, 'message');
  };
  const opened = async (count: number): Promise<void> => {
    while (sessions.length < count) await once(arrivals, 'session');
  };
  return { server, port: server.port!, received, sessions, opened, arrived };
}

// Nodes for such flows: `usmp out`, what a Catch node and a Complete node tell, and what else arrives.
export const OUT = { id: 'out', type: 'usmp out', client: 'gw' };
export const CATCH = { id: 'n-catch', type: 'catch', scope: null, wires: [['caught']] };
export const CAUGHT = { id: 'caught', type: 'helper' };
export const COMPLETED = { id: 'completed', type: 'helper' };
export const GOT = { id: 'got', type: 'helper' };

/** A tab with a config node `gw` and the given nodes; `wires` and `z` are filled in. */
export function flowWith(port: number, protocol: Protocol, nodes: object[], config: object = {}): object[] {
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    {
      id: 'gw',
      type: 'usmp-client',
      host: '127.0.0.1',
      port: String(port),
      protocol,
      deviceId: '02:00:00:00:00:01',
      pskFormat: 'text',
      ...config,
    },
    ...nodes.map((node) => ({ z: 'tab', wires: [], ...node })),
  ];
}

export const load = (flow: object[], psk: string = PSK): Promise<void> =>
  helper.load(NODES, flow, { gw: { psk } });

/** What was logged as an error. */
export const loggedErrors = (): string[] =>
  helper
    .log()
    .args.filter(([entry]) => entry!.level === helper.log().ERROR)
    .map(([entry]) => String(entry!.msg));

/** The next msg that reaches a helper node. */
export async function next(id: string): Promise<Record<string, unknown>> {
  const [msg] = (await once(helper.getNode(id), 'input')) as [Record<string, unknown>];
  return msg;
}

export interface Status {
  fill?: string;
  shape?: string;
  text?: string;
}

/** The first status of a node, past or to come, that fits. */
export function statusOf(id: string, fits: (status: Status) => boolean): Promise<Status> {
  const node = helper.getNode(id);
  const past = node.status.args.map(([status]) => status!).find(fits);
  if (past) return Promise.resolve(past);
  return new Promise((resolve) => {
    node.on('call:status', function listen(call: { args: Status[] }) {
      if (!fits(call.args[0]!)) return;
      node.off('call:status', listen);
      resolve(call.args[0]!);
    });
  });
}

export const isGreen = ({ fill, shape }: Status): boolean => fill === 'green' && shape === 'dot';
export const isRed = ({ fill, shape }: Status): boolean => fill === 'red' && shape === 'ring';
export const connected = (id: string): Promise<Status> => statusOf(id, isGreen);
