/** An outbox that survives the end of Node-RED, in the context store that a user would choose for it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer, type ServerSession } from '../../src/index.js';
import { freePort } from '../support/loopback.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const PSK = 'a key that outlives a restart';

describe('an outbox that is kept in a store', function () {
  this.timeout(60_000);
  let userDir: string;
  let port: number;
  let red: NodeRedProcess | undefined;
  let server: USMPServer | undefined;

  beforeEach(async () => {
    userDir = await mkdtemp(path.join(tmpdir(), 'usmp-restart-'));
    port = await freePort();
  });
  afterEach(async () => {
    await red?.interrupt();
    await server?.close();
    await rm(userDir, { recursive: true, force: true });
  });

  /** Node-RED with `GET /send?text=…` for `usmp out`, and a localfilesystem store of this configuration. */
  async function startRed(config: object = {}): Promise<void> {
    const disk = { module: 'localfilesystem', config };
    red = await startNodeRed({
      userDir,
      env: { USMP_RESTART_PSK: PSK },
      settings: { contextStorage: { default: { module: 'memory' }, disk } },
    });
  }

  const deploy = (): Promise<void> =>
    red!.deploy([
      { id: 'tab', type: 'tab', label: 'restart' },
      {
        id: 'gw',
        type: 'usmp-client',
        host: '127.0.0.1',
        port: String(port),
        protocol: 'tcp',
        pskFormat: 'text',
        retryMin: '0.2',
        retryMax: '0.2',
        outboxStore: 'disk',
        credentials: { psk: '${USMP_RESTART_PSK}' },
      },
      { id: 'hi', z: 'tab', type: 'http in', url: '/send', method: 'get', wires: [['set', 'hr']] },
      {
        id: 'set',
        z: 'tab',
        type: 'change',
        rules: [{ t: 'move', p: 'payload.text', pt: 'msg', to: 'payload', tot: 'msg' }],
        wires: [['out']],
      },
      { id: 'hr', z: 'tab', type: 'http response', statusCode: '', headers: {}, wires: [] },
      { id: 'out', z: 'tab', type: 'usmp out', client: 'gw', wires: [] },
    ]);

  async function send(...texts: string[]): Promise<void> {
    for (const text of texts) await fetch(`${red!.base}/send?text=${text}`);
    await fetch(`${red!.base}/settings`); // by now the message has gone its way from the HTTP node to usmp out
  }

  /** A gateway comes up. @returns what it has received once that was `last`. */
  async function receiveUntil(last: string): Promise<string[]> {
    server = new USMPServer({ host: '127.0.0.1', port, psk: PSK });
    const opened = once(server, 'session') as Promise<[ServerSession]>;
    await server.listen();
    const [session] = await opened;
    const received: string[] = [];
    for await (const message of session) {
      received.push(message.toString());
      if (received.at(-1) === last) break;
    }
    return received;
  }

  /** Resolves when so many messages lie on the disk. */
  async function untilKept(count: number): Promise<void> {
    const file = path.join(userDir, 'context', 'gw', 'flow.json');
    let wake = (): void => undefined;
    const watcher = watch(path.dirname(file), () => wake());
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => (wake = resolve));
        const { outbox } = JSON.parse(await readFile(file, 'utf8')) as { outbox: unknown[] };
        if (outbox.length === count) return;
        await changed;
      }
    } finally {
      watcher.close();
    }
  }

  it('loses no message over a restart', async () => {
    await startRed();
    await deploy();
    await red!.waitFor(/connection refused/);
    await send('first', 'second');
    assert.equal(await red!.interrupt(), 0);

    await startRed();
    await red!.waitFor(/connection refused/);
    await send('third');
    const received = await receiveUntil('third');
    assert.equal(await red!.interrupt(), 0);
    assert.deepEqual(received, ['first', 'second', 'third']);
    assert.ok(!red!.output.includes(PSK));
  });

  /** What a gateway receives after two messages were delivered, a third waited, and Node-RED was killed. */
  const kills = [
    {
      config: { cache: false },
      says: 'repeats none and loses none when Node-RED is killed, in a store without a cache',
      receives: ['waited', 'marker'],
    },
    {
      // The standard is 30 s; here as long as the test may take.
      config: { cache: true, flushInterval: 3600 },
      says: 'is as it was at the last flush when Node-RED is killed, in a store with a cache',
      receives: ['delivered first', 'delivered second', 'marker'],
    },
  ];
  for (const { config, says, receives } of kills) {
    it(says, async () => {
      await startRed(config);
      await deploy();
      await red!.waitFor(/connection refused/);
      await send('delivered first', 'delivered second');
      assert.equal(await red!.interrupt(), 0);

      await startRed(config);
      await receiveUntil('delivered second');
      if (!config.cache) await untilKept(0);
      await server!.close();
      await send('waited');
      if (!config.cache) await untilKept(1);
      await red!.kill();

      await startRed(config);
      await send('marker');
      assert.deepEqual(await receiveUntil('marker'), receives);
    });
  }
});
