/** Which context stores keep something over a restart: as configured, and as the editor asks for it. */
import assert from 'node:assert/strict';
import { persists, storesOf } from '../../../nodes/shared/dialog/stores.js';
import { helper, load, withRuntime } from '../../support/runtime.js';

const custom = (): object => ({});

describe('context stores', () => {
  const TWO = { memoryOnly: { module: 'memory' }, disk: { module: 'localfilesystem' } };
  const table: {
    settings: string;
    contextStorage: unknown;
    names: Record<string, string>;
    offered: object;
  }[] = [
    {
      settings: 'nothing',
      contextStorage: undefined,
      names: { memory: 'no', default: 'unknown-name', disk: 'unknown-name', '': 'unknown-name' },
      offered: { memory: false },
    },
    {
      settings: 'no store',
      contextStorage: {},
      names: { memory: 'no', default: 'unknown-name' },
      offered: { memory: false },
    },
    {
      settings: 'a default store on disk',
      contextStorage: { default: { module: 'localfilesystem' } },
      names: { default: 'yes', memory: 'unknown-name' },
      offered: { default: true },
    },
    {
      settings: 'two stores',
      contextStorage: TWO,
      names: { memoryOnly: 'no', disk: 'yes', default: 'unknown-name' },
      offered: { memoryOnly: false, disk: true },
    },
    {
      settings: 'a default that names the store in memory',
      contextStorage: { default: 'memoryOnly', ...TWO },
      names: { memoryOnly: 'no', disk: 'yes', default: 'no' },
      offered: { memoryOnly: false, disk: true },
    },
    {
      settings: 'a default that names the store on disk',
      contextStorage: { default: 'disk', ...TWO },
      names: { default: 'yes' },
      offered: { memoryOnly: false, disk: true },
    },
    {
      settings: 'a default that names itself',
      contextStorage: { default: 'default' },
      names: { default: 'unknown-name' },
      offered: {},
    },
    {
      settings: 'a module of the user',
      contextStorage: { redis: { module: custom, config: {} } },
      names: { redis: 'yes' },
      offered: { redis: true },
    },
    {
      settings: 'what Node-RED does not take',
      contextStorage: { a: {}, b: null, c: 'disk', _: { module: 'localfilesystem' } },
      names: {
        ...{ a: 'unknown-name', b: 'unknown-name', c: 'unknown-name', _: 'unknown-name' },
        ...{ constructor: 'unknown-name' },
      },
      offered: {},
    },
  ];
  for (const { settings, contextStorage, names, offered } of table) {
    it(`are told apart with ${settings} in the settings`, () => {
      for (const [name, verdict] of Object.entries(names)) {
        assert.equal(persists(contextStorage, name), verdict, name);
      }
      const found = storesOf(contextStorage).map((store) => [store.name, store.persists]);
      assert.deepEqual(Object.fromEntries(found), offered);
    });
  }
});

describe('the list of context stores', () => {
  withRuntime();

  it('is what the runtime is set to', async () => {
    await load([]);
    const reply = await helper.request().get('/usmp/stores');
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.body, [{ name: 'memory', persists: false }]);
  });
});
