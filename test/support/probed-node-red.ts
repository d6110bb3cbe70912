/** A real Node-RED with this package, and a probe in it (see `probe.cjs`), for tests of what flows see. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer, type Protocol, type ServerOptions, type ServerSession } from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from './node-red-process.js';
import { eventually } from './loopback.js';

export const PSK = 'a key that Node-RED and the gateway have';

/** What a node's `done` was called with. */
export interface Done {
  readonly id: string;
  readonly payload?: unknown;
  readonly action?: string;
  /** Whether it was a node of the flows that ran then. */
  readonly isAlive: boolean;
  readonly error?: { readonly message: string; readonly code?: string };
}

/** What a sink got. */
export interface Sunk {
  readonly payload: unknown;
  readonly topic?: string;
  readonly usmp?: { readonly sessionId?: string };
  readonly stats?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string; readonly code?: string };
}

export interface Status {
  readonly fill?: string;
  readonly shape?: string;
  readonly text?: string;
}

interface Kinds {
  done: Done;
  sink: Sunk;
  status: Status;
}

export interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly wires?: readonly (readonly string[])[];
  readonly [property: string]: unknown;
}

export class ProbedNodeRed {
  readonly userDir: string;
  readonly #settings: object;
  #process: NodeRedProcess | undefined;
  /** So much of the log. */
  #forgotten = 0;
  #areStopped = false;
  /** The ids of those that are deployed. */
  #gateways = new Set<string>();

  private constructor(userDir: string, settings: object) {
    this.userDir = userDir;
    this.#settings = settings;
  }

  /** A user folder of its own, which lasts over restarts; nothing runs yet. */
  static async make(settings: object = {}): Promise<ProbedNodeRed> {
    const userDir = await mkdtemp(path.join(tmpdir(), 'usmp-probed-'));
    const nodes = path.join(userDir, 'nodes');
    await mkdir(nodes);
    await copyFile(path.join(__dirname, 'probe.cjs'), path.join(nodes, 'probe.js'));
    const templates = ['probe sink', 'probe slow'].map(
      (type) => `<script type="text/html" data-template-name="${type}"></script>`,
    );
    await writeFile(path.join(nodes, 'probe.html'), templates.join('\n'));
    return new ProbedNodeRed(userDir, settings);
  }

  async start(): Promise<void> {
    const env = { USMP_PROBED_PSK: PSK };
    this.#forgotten = 0;
    this.#process = await startNodeRed({ userDir: this.userDir, env, settings: this.#settings });
  }

  /** Ends it as Ctrl-C does. @returns what it has written. */
  async stop(): Promise<string> {
    await this.#process?.interrupt();
    const { output = '' } = this.#process ?? {};
    this.#process = undefined;
    return output;
  }

  async remove(): Promise<void> {
    await this.#process?.kill();
    await rm(this.userDir, { recursive: true, force: true });
  }

  get process(): NodeRedProcess {
    return this.#process!;
  }

  /** What a node has logged, since the last `forget`. */
  logged(node: string): string[] {
    const lines = this.process.output.slice(this.#forgotten).split('\n');
    return lines.filter((line) => line.includes(`[${node}]`)).map((line) => line.replace(/^.*?\] \S+ /, ''));
  }

  /** A line of the log, past or to come, since the last `forget`. */
  async log(pattern: RegExp): Promise<void> {
    await this.process.waitFor(pattern, undefined, this.#forgotten);
  }

  async deploy(flows: FlowNode[], type?: 'full' | 'nodes' | 'flows'): Promise<void> {
    const complete = flows.map((node) => {
      // Node-RED takes nodes without a place on the canvas for config nodes.
      if (node.wires) return { x: 100, y: 100, ...node };
      // One that comes with its credentials counts as changed.
      const isNew = node.type === 'usmp-client' && !this.#gateways.has(node.id);
      return isNew ? { credentials: { psk: '${USMP_PROBED_PSK}' }, ...node } : node;
    });
    await this.process.deploy(complete, type);
    this.#gateways = new Set(flows.filter(({ type }) => type === 'usmp-client').map(({ id }) => id));
  }

  /** The menu's Restart flows. */
  restart(): Promise<void> {
    return this.process.whenStarted(() => this.#post('flows', {}, { 'Node-RED-Deployment-Type': 'reload' }));
  }

  /** Stops the flows, or starts them. Resolves when that is done. */
  async setFlows(state: 'stop' | 'start'): Promise<void> {
    await this.#post('flows/state', { state });
    this.#areStopped = state === 'stop';
  }

  /** No flows any more, as after the start. */
  async clear(): Promise<void> {
    if (this.#areStopped) await this.setFlows('start');
    await this.deploy([]);
  }

  /** Hands msgs to a node, all in one turn of the event loop. */
  async receive(id: string, ...msgs: object[]): Promise<void> {
    await this.#ask('receive', { id, msgs });
  }

  /** Hands a node one msg after the other, until that is stopped. @returns what stops it, and tells what it was handed. */
  async stream(id: string, everyMs: number): Promise<() => Promise<string[]>> {
    await this.#ask('stream', { id, everyMs });
    return () => this.#ask('dam') as Promise<string[]>;
  }

  /** All of a kind from a node, as soon as there are so many in which these properties match. */
  async seen<Kind extends keyof Kinds>(
    kind: Kind,
    id: string,
    count = 0,
    match: Record<string, string> = {},
  ): Promise<Kinds[Kind][]> {
    const found = (await this.#ask('seen', { kind, id, count, match })) as Kinds[Kind][];
    if (found.length >= count) return found;
    throw new Error(`only ${found.length} of ${count} (${kind} ${id}): ${JSON.stringify(found.slice(-20))}`);
  }

  /** The texts of what a sink has got, as soon as there are so many. */
  async texts(id: string, count: number): Promise<unknown[]> {
    return (await this.seen('sink', id, count)).map(({ payload }) => payload);
  }

  /** A status whose text matches, past or to come. */
  async status(id: string, text: string): Promise<Status> {
    return (await this.seen('status', id, 1, { text })).at(-1)!;
  }

  /** Lets the nodes close that wait for that. */
  async closeSlow(): Promise<void> {
    await this.#ask('close');
  }

  /** Forgets all that was seen and logged so far. */
  async forget(): Promise<void> {
    this.#forgotten = this.process.output.length;
    await this.#ask('forget');
  }

  async #ask(what: string, body: object = {}): Promise<unknown> {
    return (await this.#post(`probe/${what}`, body)).json();
  }

  async #post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`${this.process.base}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${(await response.text()).slice(0, 300)}`);
    return response;
  }
}

/** A gateway in the test process that keeps what it receives, and gives no answer. */
export class ProbedGateway {
  readonly server: USMPServer;
  readonly received: string[] = [];
  readonly sessions: ServerSession[] = [];

  constructor(protocol: Protocol = 'tcp', port = 0, options: Partial<ServerOptions> = {}) {
    this.server = new USMPServer({ host: '127.0.0.1', port, psk: PSK, protocol, ...options });
    this.server.on('session', (session) => {
      this.sessions.push(session);
      session.on('message', (message) => this.received.push(message.toString()));
    });
  }

  async listen(): Promise<this> {
    await this.server.listen();
    return this;
  }

  get port(): number {
    return this.server.port!;
  }

  /** The session that was opened last. */
  get session(): ServerSession {
    return this.sessions.at(-1)!;
  }

  /** Resolves when that holds. */
  async until(holds: (gateway: this) => boolean): Promise<void> {
    if (!(await eventually(() => holds(this), 20_000)))
      throw new Error('it did not come to hold within 20 s');
  }
}

// Nodes for flows.
export const TAB = { id: 'tab', type: 'tab', label: 'tab' };
export const IN = { id: 'in', z: 'tab', type: 'usmp in', client: 'gw', format: 'string', wires: [['got']] };
export const GOT = { id: 'got', z: 'tab', type: 'probe sink', wires: [] };
export const OUT = { id: 'out', z: 'tab', type: 'usmp out', client: 'gw', wires: [] };
export const COMPLETE = {
  id: 'complete',
  z: 'tab',
  type: 'complete',
  scope: ['out'],
  wires: [['completed']],
};
export const COMPLETED = { id: 'completed', z: 'tab', type: 'probe sink', wires: [] };
export const CATCH = { id: 'catch', z: 'tab', type: 'catch', scope: null, wires: [['caught']] };
export const CAUGHT = { id: 'caught', z: 'tab', type: 'probe sink', wires: [] };
/** Its closing takes so many milliseconds, and with it the deploy; without a number, until `closeSlow`. */
export const slow = (ms?: number): FlowNode => ({ id: 'slow', z: 'tab', type: 'probe slow', ms, wires: [] });

/** The config node. */
export const gatewayNode = (port: number, config: object = {}): FlowNode => ({
  id: 'gw',
  type: 'usmp-client',
  host: '127.0.0.1',
  port: String(port),
  protocol: 'tcp',
  pskFormat: 'text',
  retryMin: '0.1',
  retryMax: '0.2',
  ...config,
});

/** Texts of messages that can be told apart. */
export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `no ${i}`);
