/** The demo as a user starts it: a real Node-RED process, the first example, and messages that travel. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { start, type RunningProcess } from '../support/process.js';

const root = path.resolve(__dirname, '../..');

interface FlowNode {
  id: string;
  type: string;
  console?: boolean;
  credentials?: unknown;
}

describe('the demo', function () {
  this.timeout(40_000);
  let folder: string;
  let demo: RunningProcess;
  let closeBlocker: (() => Promise<void>) | undefined;

  const run = (env: NodeJS.ProcessEnv): RunningProcess =>
    start(process.execPath, ['scripts/demo.mjs'], { USMP_DEMO_DIR: folder, NODE_OPTIONS: '', ...env }, root);

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'usmp-demo-'));
  });

  afterEach(async () => {
    await closeBlocker?.();
    closeBlocker = undefined;
    await demo.interrupt();
    await rm(folder, { recursive: true, force: true });
  });

  it('passes messages both ways over both transports, shows round trips, keeps its secrets, and ends on Ctrl-C', async () => {
    demo = run({ PORT: '0', USMP_DEMO_GATEWAY_PORT: '0' });
    const [, base] = await demo.waitFor(/open (http:\S+)/);
    await demo.waitFor(/session over TCP/);
    await demo.waitFor(/session over UDP/);
    await demo.waitFor(/Started flows/);

    // Let the debug nodes write to the console, too. What the admin API hands out holds no credential.
    const flows = (await (await fetch(`${base!}/flows`)).json()) as FlowNode[];
    assert.ok(flows.every(({ credentials }) => credentials === undefined));
    for (const node of flows) if (node.type === 'debug') node.console = true;
    const deployed = await fetch(`${base!}/flows`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'Node-RED-Deployment-Type': 'nodes' },
      body: JSON.stringify(flows),
    });
    assert.equal(deployed.status, 204);

    for (const transport of ['TCP', 'UDP']) {
      await demo.waitFor(
        new RegExp(`debug:reply over ${transport}\\][^{]*\\{ count: \\d+, temperature: [\\d.]+ \\}`),
      );
      await demo.waitFor(new RegExp(`debug:round trip over ${transport} \\(ms\\)\\]\\s*[\\d.]+`));
    }
    assert.ok(!demo.output.includes('debug:errors'), demo.output);
    assert.ok(!/\[(warn|error)\] (?!Projects disabled)/.test(demo.output), demo.output);
    assert.ok(!/[0-9a-f]{64}/i.test(demo.output), 'the key is not in the log');
    assert.equal(await demo.interrupt(), 0);
    assert.match(demo.output, /ended the session \(BYE\)/);
  });

  it('takes other ports when its own are taken, and says so', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const taken = String((blocker.address() as { port: number }).port);
    closeBlocker = async () => {
      blocker.close();
      await once(blocker, 'close');
    };
    demo = run({ PORT: taken, USMP_DEMO_GATEWAY_PORT: taken });
    await demo.waitFor(/open http/);
    assert.match(demo.output, new RegExp(`TCP port ${taken} on 127.0.0.1 is taken`));
    assert.match(demo.output, new RegExp(`port ${taken} is taken by another program`));
    await demo.waitFor(/session over UDP/);
    assert.equal(await demo.interrupt(), 0);
  });
});
