/** An outbox that survives a restart of Node-RED, in the context store that a user would choose for it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer, type ServerSession } from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const PSK = 'a key that outlives a restart';

describe('a restart of Node-RED', () => {
  let userDir: string;
  let red: NodeRedProcess | undefined;

  beforeEach(async () => {
    userDir = await mkdtemp(path.join(tmpdir(), 'usmp-restart-'));
  });
  afterEach(async () => {
    await red?.interrupt();
    await rm(userDir, { recursive: true, force: true });
  });

  it('loses no message that waits in an outbox kept by a context store', async () => {
    const server = new USMPServer({ host: '127.0.0.1', port: 0, psk: PSK });
    await server.listen();
    const port = server.port!;
    await server.close();

    const env = { USMP_RESTART_PSK: PSK };
    const settings = {
      contextStorage: { default: { module: 'memory' }, disk: { module: 'localfilesystem' } },
    };
    red = await startNodeRed({ userDir, env, settings });
    await red.deploy([
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
    await red.waitFor(/connection refused/);
    for (const text of ['first', 'second']) await fetch(`${red.base}/send?text=${text}`);
    await fetch(`${red.base}/settings`); // by now the message has gone its way from the HTTP node to usmp out
    assert.equal(await red.interrupt(), 0);

    red = await startNodeRed({ userDir, env, settings });
    await red.waitFor(/connection refused/);
    await fetch(`${red.base}/send?text=third`);
    const again = new USMPServer({ host: '127.0.0.1', port, psk: PSK });
    const opened = once(again, 'session') as Promise<[ServerSession]>;
    await again.listen();
    const [session] = await opened;
    const received: string[] = [];
    for await (const message of session) if (received.push(message.toString()) === 3) break;
    assert.equal(await red.interrupt(), 0);
    assert.deepEqual(received, ['first', 'second', 'third']);
    assert.ok(!red.output.includes(PSK));
    await again.close();
  });
});
