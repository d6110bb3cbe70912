/** The device id of a gateway's node that has none of its own, over restarts and in two installations. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer, type ServerSession } from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const PSK = 'a key that two installations have';

describe('the device id of a flow that was imported twice', function () {
  this.timeout(60_000);
  let server: USMPServer;
  let userDirs: string[];
  let red: NodeRedProcess | undefined;

  before(async () => {
    server = new USMPServer({ host: '127.0.0.1', port: 0, psk: PSK });
    await server.listen();
    userDirs = await Promise.all(
      ['one', 'two'].map((name) => mkdtemp(path.join(tmpdir(), `usmp-device-id-${name}-`))),
    );
  });
  after(async () => {
    await red?.interrupt();
    await server.close();
    for (const userDir of userDirs) await rm(userDir, { recursive: true, force: true });
  });

  const flow = (): object[] => [
    { id: 'tab', type: 'tab', label: 'tab' },
    {
      ...{ id: 'gw', type: 'usmp-client', host: '127.0.0.1', port: String(server.port), deviceId: '' },
      credentials: { psk: PSK },
    },
    { id: 'out', z: 'tab', type: 'usmp out', client: 'gw', wires: [] },
  ];

  /** The id of the session that the gateway sees after this. */
  async function seenAfter(act: () => Promise<unknown>): Promise<string> {
    const opened = once(server, 'session') as Promise<[ServerSession]>;
    await act();
    const [{ deviceId }] = await opened;
    return deviceId;
  }

  async function start(userDir: string): Promise<void> {
    red = await startNodeRed({ userDir });
  }

  /** What the dialog is told, before and after the deploy. */
  async function told(): Promise<string> {
    const response = await fetch(`${red!.base}/usmp/device-id?id=gw`);
    return ((await response.json()) as { deviceId: string }).deviceId;
  }

  it('is another in each, and stays the same there', async () => {
    const ids: string[] = [];
    for (const userDir of userDirs) {
      await start(userDir);
      const beforehand = await told();
      const first = await seenAfter(() => red!.deploy(flow()));
      await red!.deploy(flow());
      const redeployed = await told();
      await red!.interrupt();
      const restarted = await seenAfter(() => start(userDir));
      assert.deepEqual([beforehand, redeployed, restarted, await told()], Array(4).fill(first));
      await red!.interrupt();
      ids.push(first);
    }
    assert.notEqual(ids[0], ids[1]);
  });
});
