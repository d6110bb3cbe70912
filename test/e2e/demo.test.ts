/** The demo as a user starts it: a real Node-RED process, the first example, and messages that travel. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { editorOf, runDemo } from '../support/demo.js';
import type { RunningProcess } from '../support/process.js';

describe('the demo', () => {
  let folder: string;
  let demo: RunningProcess;
  let closeBlocker: (() => Promise<void>) | undefined;

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
    demo = runDemo(folder);
    const editor = await editorOf(demo);
    await demo.waitFor(/session over TCP/);
    await demo.waitFor(/session over UDP/);

    // What the admin API hands out holds no credential.
    const flows = await editor.flows();
    assert.ok(flows.every(({ credentials }) => credentials === undefined));
    await editor.deploy(flows);

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
    demo = runDemo(folder, { PORT: taken, USMP_DEMO_GATEWAY_PORT: taken });
    await demo.waitFor(/open http/);
    assert.match(demo.output, new RegExp(`TCP port ${taken} on 127.0.0.1 is taken`));
    assert.match(demo.output, new RegExp(`port ${taken} is taken by another program`));
    await demo.waitFor(/session over UDP/);
    assert.equal(await demo.interrupt(), 0);
  });

  const refused: { title: string; env?: NodeJS.ProcessEnv; args?: string[]; says: RegExp }[] = [
    { title: 'an option that there is not', args: ['--frsh'], says: /'--frsh'.*npm start -- --fresh/ },
    { title: 'a word', args: ['fresh'], says: /'fresh'.*npm start -- --fresh/ },
    { title: 'a PORT that is none', env: { PORT: 'http' }, says: /PORT: expected a port/ },
    {
      title: 'a port of the gateway that is none',
      env: { USMP_DEMO_GATEWAY_PORT: '70000' },
      says: /USMP_DEMO_GATEWAY_PORT: expected a port/,
    },
  ];
  for (const { title, env, args = [], says } of refused) {
    it(`refuses ${title}`, async () => {
      demo = runDemo(folder, env, ...args);
      assert.equal(await demo.ended, 1);
      assert.match(demo.output, says);
      assert.doesNotMatch(demo.output, /\n +at /, 'no stack');
    });
  }
});
