/** Who may test a connection, in a Node-RED whose editor asks for a login. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer } from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const PASSWORD = 'only for this test';
const HASH = '$2b$08$sjZfrxCZpystZC4Y72gCmOZIICBFhV3yz5g9xDguVmhfY0aSQi7I6';
const PSK = 'a key that only some may try';

describe('the test of a connection, where the editor asks for a login', function () {
  this.timeout(30_000);
  let server: USMPServer;
  let userDir: string;
  let red: NodeRedProcess | undefined;

  before(async () => {
    server = new USMPServer({ host: '127.0.0.1', port: 0, psk: PSK });
    await server.listen();
    userDir = await mkdtemp(path.join(tmpdir(), 'usmp-permission-'));
    const user = (username: string, permissions: string): object => ({
      username,
      password: HASH,
      permissions,
    });
    const users = [user('writer', '*'), user('reader', 'read')];
    red = await startNodeRed({ userDir, settings: { adminAuth: { type: 'credentials', users } } });
  });
  after(async () => {
    await red?.interrupt();
    await server.close();
    await rm(userDir, { recursive: true, force: true });
  });

  const post = (address: string, body: object, token?: string): Promise<Response> =>
    fetch(`${red!.base}/${address}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });

  async function login(username: string): Promise<string> {
    const response = await post('auth/token', {
      ...{ client_id: 'node-red-admin', grant_type: 'password', scope: '' },
      ...{ username, password: PASSWORD },
    });
    const { access_token: token } = (await response.json()) as { access_token: string };
    return token;
  }

  const test = (token?: string): Promise<Response> =>
    post('usmp/test-connection', { host: '127.0.0.1', port: server.port, psk: PSK }, token);

  it('is refused without one', async () => {
    assert.equal((await test()).status, 401);
    assert.equal((await test('not-a-token')).status, 401);
  });

  it('is refused to those who may only read', async () => {
    assert.equal((await test(await login('reader'))).status, 401);
  });

  it('is made for those who may change flows', async () => {
    const response = await test(await login('writer'));
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { ok: boolean }).ok, true);
  });

  it('needs no more than reading, to know which context stores there are', async () => {
    const stores = async (token: string): Promise<Response> =>
      fetch(`${red!.base}/usmp/stores`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await stores('not-a-token')).status, 401);
    const response = await stores(await login('reader'));
    assert.deepEqual(await response.json(), [{ name: 'memory', persists: false }]);
  });

  it('leaves no PSK in the log', () => {
    assert.ok(!red!.output.includes(PSK), red!.output);
  });
});
