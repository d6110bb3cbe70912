/** What the demo keeps of a user's changes over its restarts, and what it does when that cannot be read. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { editorOf, runDemo, type Demo, type FlowNode } from '../support/demo.js';
import type { RunningProcess } from '../support/process.js';

const DEVICE_ID = '02:00:00:00:00:77';
const TAB = { id: 'tab-of-the-user', type: 'tab', label: 'made by the user' };

/** A client that somebody has added in the editor. */
const clientWith = (settings: object): FlowNode[] => [
  {
    ...{ id: 'client-of-the-user', type: 'usmp-client', name: '', host: '127.0.0.1', protocol: 'tcp' },
    ...{ port: '${USMP_DEMO_PORT}', deviceId: DEVICE_ID, pskFormat: 'hex', autoConnect: true },
    ...settings,
  },
  {
    ...{ id: 'in-of-the-user', z: TAB.id, type: 'usmp in', client: 'client-of-the-user' },
    ...{ x: 100, y: 100, wires: [[]] },
  },
];

describe('the folder of the demo', () => {
  let folder: string;
  let demo: RunningProcess;

  const file = (...name: string[]): string => path.join(folder, ...name);
  const read = (...name: string[]): Promise<string> => readFile(file(...name), 'utf8');
  const restarted = async (...args: string[]): Promise<Demo> => {
    demo = runDemo(folder, {}, ...args);
    return editorOf(demo);
  };
  const labels = async (editor: Demo): Promise<unknown[]> =>
    (await editor.flows()).filter(({ type }) => type === 'tab').map(({ label }) => label);

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'usmp-demo-'));
  });
  afterEach(async () => {
    await demo.interrupt();
    await rm(folder, { recursive: true, force: true });
  });

  it('keeps flows, credentials and the key over a restart; --fresh begins anew, and puts them aside', async () => {
    let editor = await restarted();
    const psk = await read('psk');
    assert.match(psk, /^[0-9a-f]{64}$/);
    if (process.platform !== 'win32') assert.equal((await stat(file('psk'))).mode & 0o777, 0o600);
    // The key as a device of the user's would have it: written down, not named.
    const flows = [...(await editor.flows()), TAB, ...clientWith({ credentials: { psk } })];
    await editor.deploy(flows);
    await demo.waitFor(new RegExp(`${DEVICE_ID} has a session`));
    assert.equal(await demo.interrupt(), 0);

    editor = await restarted();
    assert.deepEqual(await labels(editor), ['USMP: first contact', TAB.label]);
    for (const transport of ['TCP', 'UDP'])
      await demo.waitFor(new RegExp(`over ${transport}\\] connected to`));
    await demo.waitFor(new RegExp(`${DEVICE_ID} has a session`));
    assert.match(demo.output, /your flows of last time/);
    assert.equal(await read('psk'), psk);
    assert.ok(!demo.output.includes(psk));
    assert.equal(await demo.interrupt(), 0);

    editor = await restarted('--fresh');
    assert.deepEqual(await labels(editor), ['USMP: first contact']);
    await demo.waitFor(/over TCP\] connected to/);
    assert.notEqual(await read('psk'), psk);
    const [, aside] = await demo.waitFor(/starting afresh; what was kept is in (\S+)/);
    assert.deepEqual((await readdir(aside!)).sort(), ['flows.json', 'flows_cred.json', 'psk']);
    assert.equal(await readFile(path.join(aside!, 'psk'), 'utf8'), psk);
    assert.match(await readFile(path.join(aside!, 'flows.json'), 'utf8'), new RegExp(TAB.label));
  });

  it('of version 0.1.0 is used as it is: flows that name the key, and no key', async () => {
    const old = clientWith({ id: 'b49e67c89be93f4f' }).map((node) =>
      node.type === 'usmp in' ? { ...node, client: 'b49e67c89be93f4f' } : node,
    );
    await writeFile(file('flows.json'), JSON.stringify([TAB, ...old]));
    // Written by that version: `${USMP_DEMO_PSK}`, for the two clients of the first example.
    const credentials =
      '02f5662a8faf995d4abacaba7c5d55beZ2sY6BtRo+QgFWRcE1Qt+AFGq0h90y8U55zbVS1dpJUa6Jug3NPenBlCQAqDhIYw5X0xEQI' +
      '/qmoFlvoAU1xB6wsIIfW2bKVTGnGAqIPxbvaKQoYTI52/zMIwoHbA';
    await writeFile(file('flows_cred.json'), JSON.stringify({ $: credentials }));
    const editor = await restarted();
    assert.deepEqual(await labels(editor), [TAB.label]);
    await demo.waitFor(new RegExp(`${DEVICE_ID} has a session`));
  });

  const unreadable = [
    { name: 'flows.json', content: '', says: /flows as Node-RED writes them/ },
    { name: 'flows.json', content: '[{"id":', says: /flows as Node-RED writes them/ },
    { name: 'flows.json', content: '{"flows":[]}', says: /flows as Node-RED writes them/ },
    { name: 'flows_cred.json', content: '{"psk":"a secret"', says: /credentials as Node-RED writes them/ },
    { name: 'flows_cred.json', content: '{"$":"of another secret"}', says: /credentials as Node-RED/ },
    { name: 'psk', content: 'a secret', says: /a key of 64 hex digits/ },
  ];
  for (const { name, content, says } of unreadable) {
    it(`is left as it is when its ${name} holds ${JSON.stringify(content)}`, async () => {
      const kept: Record<string, string> = { 'flows.json': '[]', [name]: content };
      for (const [each, text] of Object.entries(kept)) await writeFile(file(each), text);
      demo = runDemo(folder);
      assert.equal(await demo.ended, 1);
      assert.match(demo.output, says);
      assert.ok(demo.output.includes(file(name)), demo.output);
      assert.match(demo.output, /npm start -- --fresh/);
      assert.doesNotMatch(demo.output, /\n +at |a secret/, 'no stack and no secret');
      assert.deepEqual((await readdir(folder)).sort(), Object.keys(kept).sort());
      for (const [each, text] of Object.entries(kept)) assert.equal(await read(each), text);
    });
  }

  it('that cannot be read is named, with how to name another', async () => {
    await writeFile(file('in the way'), '');
    demo = runDemo(file('in the way'));
    assert.equal(await demo.ended, 1);
    assert.match(demo.output, /in the way.*USMP_DEMO_DIR/);
    assert.doesNotMatch(demo.output, /\n +at /);
  });
});
