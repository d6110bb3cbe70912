/** The example flows: read as files, then deployed in a real Node-RED with a gateway for them to talk to. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import vm from 'node:vm';
import {
  DEVELOPMENT_PSK,
  parsePsk,
  USMPServer,
  type Protocol,
  type PskFormat,
  type ServerSession,
} from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const root = path.resolve(__dirname, '../..');
const folder = path.join(root, 'examples');
const built = path.join(root, 'dist/nodes');
const FILES = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .sort();
const NODE_TYPES = ['usmp-client', 'usmp in', 'usmp out', 'usmp ping'];
/** What every node has beside its own properties. */
const COMMON = ['id', 'type', 'z', 'x', 'y', 'wires'];

interface FlowNode {
  id: string;
  type: string;
  z?: string;
  name?: string;
  wires?: string[][];
  [property: string]: unknown;
}

const text = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
const flowsOf = (file: string): FlowNode[] => JSON.parse(text(file)) as FlowNode[];
const ofType = (flows: FlowNode[], type: string): FlowNode[] => flows.filter((node) => node.type === type);

/** The properties that each node declares, and of what type those are that name a config node. */
function declared(): Map<string, Record<string, { type?: string }>> {
  const types = new Map<string, Record<string, { type?: string }>>();
  const RED = {
    _: (key: string) => key,
    events: { on: () => undefined },
    nodes: {
      registerType: (type: string, { defaults }: { defaults: Record<string, { type?: string }> }) =>
        types.set(type, defaults),
    },
  };
  for (const file of readdirSync(built).filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(path.join(built, file), 'utf8');
    vm.runInNewContext(/<script type="text\/javascript">([^]*?)<\/script>/.exec(html)?.[1] ?? '', { RED });
  }
  return types;
}

describe('the example flows as files', () => {
  const types = declared();

  it('are numbered from 1, and each is about nodes that exist', () => {
    assert.deepEqual(
      FILES.map((file) => parseInt(file)),
      FILES.map((_, i) => i + 1),
    );
    assert.deepEqual([...types.keys()].sort(), [...NODE_TYPES].sort());
  });

  it('have no id in common', () => {
    const ids = FILES.flatMap((file) => flowsOf(file).map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
  });

  for (const file of FILES) {
    describe(file, () => {
      const flows = flowsOf(file);
      const byId = new Map(flows.map((node) => [node.id, node]));

      it('is one tab that explains itself, with a comment that says what to fill in', () => {
        const tabs = ofType(flows, 'tab');
        assert.equal(tabs.length, 1);
        assert.ok(tabs[0]!.info, 'the tab has a description');
        const placed = flows.filter(({ x }) => x !== undefined);
        for (const { z } of placed) assert.equal(z, tabs[0]!.id);
        const [comment] = ofType(flows, 'comment');
        assert.match(comment?.name ?? '', /host and PSK/);
        assert.ok(comment!.info);
        assert.equal(
          comment!.y,
          Math.min(...placed.map(({ y }) => y as number)),
          'the comment is at the top',
        );
      });

      it('holds no credentials and nothing that looks like a key', () => {
        for (const node of flows)
          for (const property of ['credentials', 'psk', 'password']) assert.ok(!(property in node), property);
        const others = text(file).replaceAll(/"[0-9a-f]{16}"/g, '""');
        assert.ok(!others.includes(DEVELOPMENT_PSK));
        assert.doesNotMatch(others, /[0-9a-f]{16}|[0-9a-z+/]{32}/i);
      });

      it('has an end to every wire and every reference', () => {
        const tab = ofType(flows, 'tab')[0]!.id;
        for (const { id, wires = [], scope } of flows) {
          for (const target of wires.flat()) assert.equal(byId.get(target)?.z, tab, `${id} to ${target}`);
          for (const target of (scope ?? []) as string[])
            assert.ok(byId.has(target), `${id} names ${target}`);
        }
        for (const { type, broker } of flows)
          if (['mqtt in', 'mqtt out'].includes(type))
            assert.equal(byId.get(broker as string)?.type, 'mqtt-broker');
      });

      it('gives the nodes of this package all the properties that they have, and no other', () => {
        const own = flows.filter(({ type }) => type.startsWith('usmp'));
        assert.ok(own.some(({ type }) => type === 'usmp-client'));
        for (const node of own) {
          const defaults = types.get(node.type);
          assert.ok(defaults, node.type);
          const common = node.type === 'usmp-client' ? ['id', 'type'] : COMMON;
          assert.deepEqual(Object.keys(node).sort(), [...common, ...Object.keys(defaults)].sort());
          for (const [property, { type }] of Object.entries(defaults))
            if (type) assert.equal(byId.get(node[property] as string)?.type, type);
        }
        for (const { events, outputs, wires } of ofType(flows, 'usmp in')) {
          assert.equal(outputs, events ? 2 : 1);
          assert.equal(wires!.length, outputs);
        }
        for (const { host, port } of ofType(flows, 'usmp-client'))
          assert.deepEqual([host, port], ['127.0.0.1', '9000']);
      });
    });
  }
});

/** Text of 64 digits, and as good a key when it is read as hex. */
const PSK = randomBytes(32).toString('hex');
/** Nothing listens there, so that the test stays away from a broker of this computer. */
const NO_BROKER = '1';

interface Listening {
  readonly port: number;
  /** The first session. */
  readonly session: Promise<ServerSession>;
}

/** What the gateway replies to a message, if anything. */
type Answer = (session: ServerSession, message: string) => string | undefined;

describe('the example flows in Node-RED', () => {
  const servers: USMPServer[] = [];
  let userDir: string;
  let red: NodeRedProcess;
  let flows: FlowNode[];
  /** Where in the output of Node-RED the example begins. */
  let start: number;

  const log = (): string => red.output.slice(start);

  /** Matches only what comes after the example was deployed. */
  const logged = (pattern: RegExp): Promise<unknown> =>
    red.waitFor(new RegExp(`^[^]{${start},}(?:${pattern.source})`));

  async function listen(client: FlowNode, answer: Answer, port = 0): Promise<Listening> {
    const server = new USMPServer({
      host: '127.0.0.1',
      port,
      protocol: client.protocol as Protocol,
      psk: parsePsk(PSK, client.pskFormat as PskFormat),
    });
    servers.push(server);
    const session = once(server, 'session').then(([opened]) => opened as ServerSession);
    server.on('session', (opened) => {
      opened.on('message', (message) => {
        const reply = answer(opened, message.toString());
        if (reply !== undefined) opened.send(reply).catch(() => undefined);
      });
    });
    await server.listen();
    return { port: server.port!, session };
  }

  /** Deploys an example, with what `patch` makes of it, and waits until its clients have their sessions. */
  async function run(
    number: number,
    { answer = () => undefined, patch = {} }: { answer?: Answer; patch?: Record<string, object> } = {},
  ): Promise<ServerSession[]> {
    flows = flowsOf(FILES[number - 1]!);
    const opened: Promise<ServerSession>[] = [];
    for (const node of flows) {
      if (node.type === 'debug') node.console = true;
      if (node.type === 'mqtt-broker') Object.assign(node, { broker: '127.0.0.1', port: NO_BROKER });
      if (node.type === 'usmp-client') {
        const { port, session } = await listen(node, answer);
        opened.push(session);
        Object.assign(node, { port: String(port), credentials: { psk: PSK } });
      }
      Object.assign(node, patch[node.type]);
    }
    start = red.output.length;
    await red.deploy(flows);
    const sessions = await Promise.all(opened);
    // The server has a session a moment before the client does.
    await logged(new RegExp(`(?:\\] connected to [^]*){${sessions.length}}`));
    return sessions;
  }

  /** Presses the button of an inject node. */
  async function press(name: string): Promise<void> {
    const node = flows.find((each) => each.type === 'inject' && each.name === name);
    assert.ok(node, name);
    const response = await fetch(`${red.base}/inject/${node.id}`, { method: 'POST' });
    assert.equal(response.status, 200);
  }

  const tabWith = (name: string, value: string): Record<string, object> => ({
    tab: { env: [{ name, value, type: 'num' }] },
  });

  before(async () => {
    userDir = await mkdtemp(path.join(tmpdir(), 'usmp-examples-'));
    red = await startNodeRed({ userDir, settings: { lang: 'en-US' } });
  });
  after(async () => {
    await red.interrupt();
    await rm(userDir, { recursive: true, force: true });
  });
  afterEach(async () => {
    await red.deploy([]);
    const output = log();
    await Promise.all(servers.splice(0).map((server) => server.close()));
    assert.doesNotMatch(output, /\[error\] (?!\[mqtt)/);
    assert.ok(!output.includes(PSK), 'the log does not hold the key');
  });

  it('1: messages and PINGs pass over TCP and over UDP', async () => {
    await run(1, { answer: (_, message) => message });
    for (const transport of ['TCP', 'UDP']) {
      await logged(new RegExp(`debug:reply over ${transport}\\][^{]*\\{ count: 1, temperature: [\\d.]+ \\}`));
      await logged(new RegExp(`debug:round trip over ${transport} \\(ms\\)\\]\\s*[\\d.]+`));
    }
    assert.doesNotMatch(log(), /debug:errors/);
  });

  it('2: a request ends with its reply, or unsent', async () => {
    const answer: Answer = (_, message) => {
      const { id } = JSON.parse(message) as { id: string };
      return JSON.stringify({ id, time: 'noon' });
    };
    const [session] = await run(2, { answer, patch: tabWith('TIMEOUT', '600') });
    await press('ask for the time');
    await logged(/debug:result\]\s*\{ id: '[0-9a-f]+', time: 'noon' \}/);
    await session!.send('nobody asked');
    await logged(/debug:other message\]\s*nobody asked/);
    await servers[0]!.close();
    await logged(/not connected to/);
    await press('ask for the time');
    await logged(/debug:not sent\]/);
    assert.doesNotMatch(log(), /debug:timeout/);
    assert.equal(log().split('debug:result').length, 2);
  });

  it('2: a request without a reply ends with a timeout', async () => {
    await run(2, { patch: tabWith('TIMEOUT', '0.1') });
    await press('say hello');
    await logged(/debug:timeout\]\s*\{ id: '[0-9a-f]+', text: 'hello' \}/);
    assert.doesNotMatch(log(), /debug:(?:result|not sent)/);
  });

  it('3: a reading becomes a value for each topic, an average, and a change if it is one', async () => {
    const [session] = await run(3, { patch: tabWith('VALUES', '2') });
    for (const temperature of [18, 20, 20.2])
      await session!.send(JSON.stringify({ temperature, unit: 'C', humidity: 40 }));
    await session!.send('[1,2]');
    await session!.send('no JSON');
    await logged(/debug:unreadable message\][^\n]*not JSON/);
    await logged(/(?:debug:averages\][^}]*\}[^]*){6}/);
    await logged(/debug:not a reading\]\s*\[ 1, 2 \]/);
    const seen = (name: string, topic: string): number[] =>
      Array.from(
        log().matchAll(
          new RegExp(`debug:${name}\\]\\s*\\{[^}]*topic: '${topic}',\\s*payload: ([\\d.]+)`, 'g'),
        ),
        (match) => Number(match[1]),
      );
    assert.deepEqual(seen('values', 'temperature'), [18, 20, 20.2]);
    assert.deepEqual(seen('values', 'humidity'), [40, 40, 40]);
    assert.deepEqual(seen('averages', 'temperature \\(average\\)'), [18, 19, 20.1]);
    assert.deepEqual(seen('changes', 'temperature'), [18, 20]);
    assert.deepEqual(seen('changes', 'humidity'), [40]);
    assert.doesNotMatch(log(), /topic: 'unit/);
  });

  it('4: the bridge has its session, whether there is a broker or not', async () => {
    const [session] = await run(4);
    await session!.send('to nobody');
    await logged(/mqtt-broker:MQTT broker\] Connection failed/);
  });

  it('5: the alarm comes when the session stays away, and goes when it is back', async () => {
    await run(5, {
      patch: { trigger: { duration: '0.3' }, 'usmp-client': { retryMin: '0.1', retryMax: '0.1' } },
    });
    await logged(/alarm: false,\s*event: 'connected'/);
    const [client] = ofType(flows, 'usmp-client');
    await servers[0]!.close();
    await logged(/alarm: true,\s*event: 'disconnected',\s*reason: '[^']+'/);
    await listen(client!, () => undefined, Number(client!.port));
    await logged(/alarm: false,\s*event: 'reconnected'/);
    assert.equal(log().split('alarm: true').length, 2, 'one alarm, however many attempts failed');
  });

  it('6: a PING gives its figures, or an error when there is no gateway', async () => {
    await run(6);
    await press('ping now');
    await press('ping now');
    await logged(
      /debug:round trip in ms\]\s*\{\s*last: [\d.]+,\s*min: [\d.]+,\s*mean: [\d.]+,[^}]*count: 2\s*\}/,
    );
    await logged(/debug:state of the session\]\s*(?:connected|[\d.]+ ms)/);
    await servers[0]!.close();
    await logged(/not connected to/);
    await press('ping now');
    await logged(/debug:failed ping\]/);
  });
});
