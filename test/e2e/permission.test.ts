/** Who may test a connection, in a Node-RED whose editor asks for a login. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer } from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const PASSWORD = 'only for this test';
const HASH = '$2b$08$sjZfrxCZpystZC4Y72gCmOZIICBFhV3yz5g9xDguVmhfY0aSQi7I6';
const PSK = 'a key that only some may try';

/** Secrets in the environment of Node-RED; one of them could be a host name. */
const SECRETS = { USMP_E2E_PSK: 'a key in the environment', USMP_E2E_HOST: 'secret.usmp-e2e.invalid' };
const DEVICE_ID = '02:00:00:00:00:07';

interface Outcome {
  readonly ok: boolean;
  readonly deviceId?: string;
  readonly field?: string;
  readonly reason?: { readonly key: string };
}

describe('the test of a connection, where the editor asks for a login', () => {
  let server: USMPServer;
  /** Something that is not the gateway, and how often it was connected to. */
  let decoy: Server;
  let calls = 0;
  let userDir: string;
  let red: NodeRedProcess | undefined;
  /** The tokens of those who have logged in. */
  const tokens = new Map<string, string>();

  before(async () => {
    server = new USMPServer({ host: '127.0.0.1', port: 0, psk: PSK });
    await server.listen();
    decoy = createServer((socket) => {
      calls += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(decoy, 'listening');
    userDir = await mkdtemp(path.join(tmpdir(), 'usmp-permission-'));
    const user = (username: string, permissions: string | string[]): object => ({
      username,
      password: HASH,
      permissions,
    });
    const users = [
      user('writer', '*'),
      user('reader', 'read'),
      user('tester', ['read', 'usmp-client.write']),
      user('eager', ['read', 'usmp-client.write']),
      user('stranger', 'usmp-client.write'),
    ];
    const settings = { adminAuth: { type: 'credentials', users } };
    red = await startNodeRed({ userDir, settings, env: SECRETS });
    await deploy();
  });
  after(async () => {
    await red?.interrupt();
    await server.close();
    decoy.close();
    await rm(userDir, { recursive: true, force: true });
  });
  beforeEach(() => (calls = 0));

  const post = (address: string, body: object, token?: string, headers: object = {}): Promise<Response> =>
    fetch(`${red!.base}/${address}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: JSON.stringify(body),
    });

  async function login(username: string): Promise<string> {
    const known = tokens.get(username);
    if (known !== undefined) return known;
    const response = await post('auth/token', {
      ...{ client_id: 'node-red-admin', grant_type: 'password', scope: '' },
      ...{ username, password: PASSWORD },
    });
    const { access_token: token } = (await response.json()) as { access_token: string };
    tokens.set(username, token);
    return token;
  }

  /** The gateway `gw`, with a stored PSK. */
  async function deploy(): Promise<void> {
    const gateway = {
      id: 'gw',
      type: 'usmp-client',
      host: '127.0.0.1',
      port: String(server.port),
      protocol: 'tcp',
      deviceId: DEVICE_ID,
      pskFormat: 'text',
      credentials: { psk: PSK },
    };
    const started = red!.waitFor(/(?:Started flows[^]*){2}/);
    const response = await post('flows', [gateway], await login('writer'));
    assert.equal(response.status, 204, await response.text());
    await started;
  }

  const typed = (): object => ({ host: '127.0.0.1', port: server.port, deviceId: DEVICE_ID });

  const test = (body: object, token?: string): Promise<Response> =>
    post('usmp/test-connection', { ...typed(), ...body }, token);

  async function outcome(username: string, body: object): Promise<Outcome> {
    const response = await test(body, await login(username));
    const text = await response.text();
    assert.equal(response.status, 200, text);
    for (const secret of Object.values(SECRETS)) assert.ok(!text.includes(secret), text);
    return JSON.parse(text) as Outcome;
  }

  it('is refused without one', async () => {
    assert.equal((await test({ psk: PSK })).status, 401);
    assert.equal((await test({ psk: PSK }, 'not-a-token')).status, 401);
  });

  it('is refused to those who may only read', async () => {
    assert.equal((await test({ psk: PSK }, await login('reader'))).status, 401);
  });

  for (const username of ['writer', 'tester']) {
    it(`is made for the ${username}, with a PSK that is typed`, async () => {
      assert.equal((await outcome(username, { psk: PSK })).ok, true);
    });

    it(`is made for the ${username} with the stored PSK, but with the gateway that it is stored for`, async () => {
      const { ok, deviceId } = await outcome(username, { id: 'gw' });
      assert.deepEqual([ok, deviceId], [true, DEVICE_ID]);
      const others = [
        { port: (decoy.address() as AddressInfo).port },
        { host: 'localhost' },
        { deviceId: '02:00:00:00:00:08' },
        { deviceId: '' },
        { pskFormat: 'hex' },
        { id: 'gx' },
      ];
      for (const changes of others) {
        const { field, reason } = await outcome(username, { id: 'gw', ...changes });
        assert.deepEqual([field, reason?.key], ['psk', 'invalid.pskPurpose'], JSON.stringify(changes));
      }
      assert.equal(calls, 0);
    });
  }

  it('looks up variables for those who may write flows, and never says what they hold', async () => {
    const { port } = decoy.address() as AddressInfo;
    assert.equal((await outcome('writer', { psk: '${USMP_E2E_PSK}', port })).ok, false);
    assert.equal(calls, 1);
    assert.equal((await outcome('writer', { psk: PSK, host: '${USMP_E2E_HOST}' })).ok, false);
    assert.equal((await outcome('writer', { psk: PSK, deviceId: '${USMP_E2E_PSK}' })).ok, false);
  });

  it('looks up no variable in any field for those who may not, nor says whether there is one', async () => {
    const { port } = decoy.address() as AddressInfo;
    const fields = ['psk', 'deviceId', 'host', 'port', 'protocol', 'suite', 'pskFormat', 'connectTimeout'];
    for (const field of fields) {
      const [known, unknown] = [
        await outcome('stranger', { psk: PSK, port, [field]: '${USMP_E2E_PSK}' }),
        await outcome('stranger', { psk: PSK, port, [field]: '$(USMP_E2E_NONE)' }),
      ];
      assert.deepEqual([known.field, known.reason?.key], [field, 'invalid.environmentForbidden']);
      assert.deepEqual(known, unknown);
    }
    assert.equal(calls, 0);
  });

  it('is limited for each user, not for all at once', async () => {
    const token = await login('eager');
    const statuses: number[] = [];
    for (let i = 0; i < 21; i++) statuses.push((await test({ psk: PSK, port: '0' }, token)).status);
    assert.deepEqual(statuses, [...Array<number>(20).fill(200), 429]);
    assert.equal((await test({ psk: PSK }, await login('writer'))).status, 200);
  });

  it('is asked for in JSON, which no form of another site can send', async () => {
    const token = await login('writer');
    for (const type of ['application/x-www-form-urlencoded', 'text/plain']) {
      const body = { ...typed(), psk: PSK };
      const { status } = await post('usmp/test-connection', body, token, { 'content-type': type });
      assert.equal(status, 415);
    }
  });

  it('tells the device id of a blank field to those who may read', async () => {
    const get = async (token?: string): Promise<Response> =>
      fetch(`${red!.base}/usmp/device-id?id=gw`, {
        headers: { ...(token && { authorization: `Bearer ${token}` }) },
      });
    assert.equal((await get()).status, 401);
    assert.equal((await get(await login('stranger'))).status, 401);
    for (const username of ['reader', 'tester', 'writer']) {
      const { deviceId } = (await (await get(await login(username))).json()) as { deviceId: string };
      assert.match(deviceId, /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
    }
  });

  it('needs no more than reading, to know which context stores there are', async () => {
    const stores = async (token: string): Promise<Response> =>
      fetch(`${red!.base}/usmp/stores`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await stores('not-a-token')).status, 401);
    const response = await stores(await login('reader'));
    assert.deepEqual(await response.json(), [{ name: 'memory', persists: false }]);
  });

  it('leaves no PSK in the log', () => {
    for (const secret of [PSK, ...Object.values(SECRETS)]) {
      assert.ok(!red!.output.includes(secret), red!.output);
    }
  });
});
