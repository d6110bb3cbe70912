/** The device id of a gateway's node whose field is blank. */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import type { NodeAPI } from 'node-red';
import { blankDeviceId } from '../../../nodes/shared/dialog/device-id.js';
import { deriveDeviceId } from '../../../src/index.js';
import { connected, flowWith, helper, load, OUT, startGateway, withRuntime } from '../../support/runtime.js';

/** A Node-RED whose settings are these. */
const withSettings = (get: (name: string) => unknown): NodeAPI =>
  ({ settings: { get } }) as unknown as NodeAPI;
const installation = (id: unknown): NodeAPI =>
  withSettings((name) => (name === 'instanceId' ? id : undefined));

describe('a blank device id', () => {
  it('is the same for a node at all times, and another for each node and each installation', () => {
    const ids = ['one', 'two'].flatMap((red) =>
      ['gw', 'gx'].map((node) => blankDeviceId(installation(red), node)),
    );
    assert.equal(new Set(ids).size, 4);
    assert.equal(blankDeviceId(installation('one'), 'gw'), ids[0]);
    for (const id of ids) assert.match(id, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  });

  it('is made of the name of the machine where Node-RED keeps no settings', () => {
    const expected = deriveDeviceId(`${hostname()}/gw`);
    const unavailable = withSettings(() => {
      throw new Error('Settings not available');
    });
    for (const red of [unavailable, installation(undefined), installation(''), installation(7)]) {
      assert.equal(blankDeviceId(red, 'gw'), expected);
    }
  });
});

describe('GET /usmp/device-id', () => {
  withRuntime();

  const get = (query: string) => helper.request().get(`/usmp/device-id${query}`);

  it('tells the one that the gateway sees', async () => {
    const gateway = await startGateway('tcp');
    await load(flowWith(gateway.port, 'tcp', [OUT], { deviceId: ' ' }));
    await connected('out');
    const { status, body } = await get('?id=gw');
    assert.equal(status, 200);
    assert.deepEqual(body, { deviceId: gateway.sessions[0]!.deviceId });
  });

  it('tells that of a node which is not deployed yet', async () => {
    await load([]);
    const { body } = await get('?id=3f2a9c01d4e5b6a7');
    assert.match((body as { deviceId: string }).deviceId, /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
  });

  it('tells none of a node inside a subflow, whose instances have one each', async () => {
    const gateway = await startGateway('tcp');
    await load([
      { id: 'sub', type: 'subflow', name: 'sub', in: [], out: [], env: [] },
      ...flowWith(
        gateway.port,
        'tcp',
        [
          { id: 'one', type: 'subflow:sub', x: 1, y: 1 },
          { id: 'two', type: 'subflow:sub', x: 1, y: 2 },
          { ...OUT, z: 'sub' },
        ],
        { z: 'sub', deviceId: '' },
      ),
    ]);
    assert.deepEqual((await get('?id=gw')).body, {});
    await gateway.opened(2);
    const [one, two] = gateway.sessions.map(({ deviceId }) => deviceId);
    assert.notEqual(one, two);
  });

  for (const query of ['', '?id=', '?id[]=gw', '?id[a]=gw', '?id=a&id=b', `?id=${'x'.repeat(257)}`]) {
    it(`refuses ${query.slice(0, 20) || 'a request without an id'}`, async () => {
      await load([]);
      const { status, body } = await get(query);
      assert.equal(status, 400);
      assert.deepEqual(body, { key: 'reason.USMP_ARGUMENT', values: { cause: '' } });
    });
  }
});
