/** The nodes in the editor: dialogs, deploy, messages, help, and what of it may leave the editor. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { DEVELOPMENT_PSK, USMPServer } from '../../src/index.js';
import { textsOf } from '../support/texts.js';
import type { NodeRedProcess } from '../support/node-red-process.js';
import { Editor } from './editor.js';
import { inEachVersion, startVersion } from './versions.js';

const FLOW = [
  { id: 'tab-usmp', type: 'tab', label: 'USMP' },
  inject('send', 'hello gateway', 120, 'out'),
  { id: 'out', z: 'tab-usmp', type: 'usmp out', client: '', x: 420, y: 120, wires: [] },
  { id: 'in', z: 'tab-usmp', type: 'usmp in', client: '', x: 180, y: 220, wires: [['echo']] },
  debug('echo', 220),
  inject('ask', '', 320, 'ping'),
  { id: 'ping', z: 'tab-usmp', type: 'usmp ping', client: '', x: 420, y: 320, wires: [['rtt']] },
  debug('rtt', 320),
];

function inject(id: string, payload: string, y: number, to: string): object {
  const timing = { repeat: '', crontab: '', once: false, onceDelay: 0.1, topic: '' };
  const props = [{ p: 'payload' }];
  return {
    ...{ id, z: 'tab-usmp', type: 'inject', name: id, props, ...timing },
    ...{ payload, payloadType: 'str', x: 160, y, wires: [[to]] },
  };
}

function debug(id: string, y: number): object {
  return {
    ...{ id, z: 'tab-usmp', type: 'debug', name: id, active: true, tosidebar: true },
    ...{ complete: 'payload', targetType: 'msg', x: 680, y, wires: [] },
  };
}

inEachVersion('the editor', (version) => {
  const { label, hasDarkTheme } = version;
  const psk = randomBytes(32);
  let server: USMPServer;
  let red: NodeRedProcess;
  let editor: Editor;
  let generated: string;
  let broken = false;
  const endings: (() => Promise<unknown>)[] = [];

  before(async () => {
    server = new USMPServer({ host: '127.0.0.1', port: 0, psk });
    server.on('session', (session) => {
      session.on('message', (message) => void session.send(message).catch(() => undefined));
    });
    await server.listen();
    endings.push(() => server.close());
    red = await startVersion(version, endings, {
      contextStorage: { memory: { module: 'memory' }, disk: { module: 'localfilesystem' } },
    });
    editor = await Editor.open(red.base, label);
    endings.push(() => editor.close());
  });

  // Each step goes on where the one before ended.
  beforeEach(function () {
    if (broken) this.skip();
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'failed' || broken) return;
    broken = true;
    await editor.screenshot('failed');
  });

  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  /** Opens the config dialog from the dialog of `usmp out`. */
  const editClient = async (how: 'add' | 'edit' = 'edit'): Promise<void> => {
    await editor.openNode('out');
    await editor.openClient(how);
  };
  const leaveClient = async (how: 'ok' | 'cancel'): Promise<void> => {
    await editor.closeClient(how);
    await editor.closeNode(how);
  };
  const note = (): Promise<string> => editor.page.locator('#usmp-client-psk-note').innerText();

  /** A picture of each dialog, each tab of the config dialog, and the flow. */
  const portray = async (): Promise<void> => {
    await editor.screenshot('flow');
    for (const id of ['in', 'ping', 'out']) {
      await editor.openNode(id);
      assert.ok((await editor.widths()).dialog < 600, `the dialog of usmp ${id} is too wide`);
      await editor.screenshot(`usmp-${id}`);
      if (id !== 'out') await editor.closeNode('cancel');
    }
    await editor.openClient('edit');
    for (const tab of ['Connection', 'Security', 'Messages', 'Advanced']) {
      await editor.clientTab(tab);
      const { dialog, note } = await editor.widths();
      assert.ok(dialog < 600 && note > 250, `${tab}: ${dialog} px wide, and a note of ${note} px`);
      await editor.screenshot(`usmp-client-${tab.toLowerCase()}`);
    }
    await leaveClient('cancel');
  };

  it('imports a flow through the import dialog', async () => {
    await editor.import(FLOW);
    await editor.show('tab-usmp');
    await editor.page
      .locator('g.red-ui-flow-node-group')
      .nth(FLOW.length - 2)
      .waitFor();
  });

  it('offers the examples in the menu, and imports one', async () => {
    const titles = await editor.importExample('1 - First contact');
    const files = await readdir(path.resolve(__dirname, '../../examples'));
    assert.deepEqual(titles.sort(), files.map((file) => path.basename(file, '.json')).sort());
    await editor.page.locator('g.red-ui-flow-node-group').first().waitFor();
    await editor.screenshot('example');
    await editor.undo();
  });

  it('drags nodes from the palette, and opens their dialogs', async () => {
    for (const [i, type] of ['usmp in', 'usmp out', 'usmp ping'].entries()) {
      const id = await editor.drag(type, 700, 500 + 80 * i);
      await editor.openNode(id);
      await editor.closeNode('cancel');
    }
    await editor.screenshot('dragged');
    for (let i = 0; i < 3; i++) await editor.undo();
  });

  it('refuses a bad host and a bad port, and says why', async () => {
    await editClient('add');
    assert.ok(await editor.isRefused('host'), 'a gateway without a host');
    await editor.fillClient('host', 'tcp://gateway.local');
    assert.match(await editor.whyRefused('host'), /only the name or address/);
    await editor.fillClient('host', '127.0.0.1');
    assert.ok(!(await editor.isRefused('host')));
    for (const port of ['abc', '70000']) {
      await editor.fillClient('port', port);
      assert.ok(await editor.isRefused('port'), port);
    }
    assert.match(await editor.whyRefused('port'), /whole number from 1 to 65535/);
    await editor.screenshot('bad-port');
    await editor.fillClient('port', '${USMP_PORT}');
    assert.ok(!(await editor.isRefused('port')));
    await editor.fillClient('port', String(server.port));
    assert.ok(!(await editor.isRefused('port')));
  });

  it('refuses a short PSK, and says why', async () => {
    await editor.clientTab('Security');
    assert.match(await note(), /A PSK is needed/);
    await editor.fillClient('psk', 'short');
    assert.ok(await editor.isRefused('psk'));
    assert.match(await note(), /has 5 bytes; at least 16 are needed/);
    await editor.screenshot('short-psk');
  });

  it('warns of the development PSK, which everybody knows', async () => {
    await editor.fillClient('psk', DEVELOPMENT_PSK);
    assert.match(await note(), /anybody can connect with it/);
    const kind = await editor.page.locator('#usmp-client-psk-note').getAttribute('data-kind');
    assert.equal(kind, 'danger');
    await editor.screenshotDialog('development-psk');
  });

  it('shows and hides a PSK that was typed', async () => {
    const type = (): Promise<string | null> => editor.clientField('psk').getAttribute('type');
    assert.equal(await type(), 'password');
    await editor.page.click('#usmp-client-psk-show');
    assert.equal(await type(), 'text');
    await editor.page.click('#usmp-client-psk-show');
    assert.equal(await type(), 'password');
  });

  it('takes environment variables in place of values, and writes a device ID as a MAC address', async () => {
    for (const name of ['psk', 'deviceId']) {
      await editor.fillClient(name, '${USMP_VALUE}');
      assert.ok(!(await editor.isRefused(name)), name);
    }
    assert.match(await note(), /taken from this environment variable/);
    await editor.fillClient('deviceId', 'A4CF12000001');
    assert.equal(await editor.clientField('deviceId').inputValue(), 'a4:cf:12:00:00:01');
    await editor.fillClient('deviceId', 'A4CF');
    assert.ok(await editor.isRefused('deviceId'));
  });

  it('generates a PSK of 64 hex digits and a device ID', async () => {
    await editor.page.click('#usmp-client-psk-generate');
    generated = await editor.clientField('psk').inputValue();
    assert.match(generated, /^[0-9a-f]{64}$/);
    assert.equal(await editor.clientField('psk').getAttribute('type'), 'text');
    assert.equal(await editor.clientField('pskFormat').inputValue(), 'hex');
    assert.ok(!(await editor.isRefused('psk')));
    assert.match(await note(), /Copy the PSK to the gateway now/);
    await editor.page.click('#usmp-client-deviceId-generate');
    assert.match(await editor.clientField('deviceId').inputValue(), /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
    await editor.screenshot('generated-psk');
  });

  it('takes the PSK of the gateway, and tells that it is good', async () => {
    await editor.fillClient('psk', psk.toString('hex'));
    assert.equal(await note(), '32 bytes, fine.');
    await leaveClient('ok');
  });

  it('connects after the deploy, and shows it under the nodes', async () => {
    for (const id of ['in', 'ping']) {
      await editor.openNode(id);
      await editor.page.selectOption('#node-input-client', { label: `tcp://127.0.0.1:${server.port!}` });
      await editor.closeNode('ok');
    }
    await editor.deploy();
    for (const id of ['out', 'in', 'ping']) await editor.waitForStatus(id, 'dot-green', 'connected');
  });

  it('sends a message, and shows what came back', async () => {
    await editor.showDebug();
    await editor.pressButton('send');
    assert.match(await editor.debugMessage('echo'), /hello gateway/);
  });

  it('pings, and shows the round-trip time', async () => {
    await editor.pressButton('ask');
    assert.match(await editor.debugMessage('rtt'), /^\d+(\.\d+)?$/);
    await editor.waitForStatus('ping', 'dot-green', /^[\d.]+ ms$/);
  });

  it('shows a stored PSK as stored only, and exports none', async () => {
    await editClient();
    await editor.clientTab('Security');
    assert.equal(await editor.clientField('psk').inputValue(), '__PWRD__');
    assert.equal(await editor.clientField('psk').getAttribute('type'), 'password');
    assert.match(await note(), /A PSK is stored/);
    assert.ok(await editor.page.locator('#usmp-client-psk-show').isDisabled());
    await leaveClient('cancel');

    const exported = await editor.export();
    const flows = await (await fetch(`${red.base}/flows`)).text();
    for (const text of [exported, flows]) assert.match(text, /"usmp-client"/);
    for (const text of [exported, flows, red.output]) {
      assert.ok(!text.includes(psk.toString('hex')) && !text.includes(generated), text);
      assert.doesNotMatch(text, /"(psk|credentials)"/);
    }
    const nodes = JSON.parse(flows) as { id: string; type: string }[];
    const { id } = nodes.find(({ type }) => type === 'usmp-client')!;
    const credentials = await fetch(`${red.base}/credentials/usmp-client/${id}`);
    assert.deepEqual(await credentials.json(), { has_psk: true });
  });

  it('has pictures of all dialogs', portray);

  /** Presses the button in the open dialog, and waits for this result. */
  const testConnection = async (where: Editor, expected: string | RegExp): Promise<void> => {
    await where.page.click('#usmp-client-test');
    await where.page.locator('#usmp-client-test-result').filter({ hasText: expected }).waitFor();
  };

  it('tests the connection from the dialog', async () => {
    await editClient();
    await testConnection(editor, /\d ms/);
    await editor.screenshotDialog('test-connection');
    await editor.clientTab('Security');
    await editor.fillClient('psk', randomBytes(32).toString('hex'));
    await testConnection(editor, /PSK rejected/);
    await editor.screenshotDialog('test-wrong-psk');
    await leaveClient('cancel');
  });

  it('speaks the language of the browser, though Node-RED speaks another', async () => {
    const german = textsOf('de');
    const browser = await Editor.open(red.base, `${label}-de`, 'de-DE');
    try {
      await browser.show('tab-usmp');
      await browser.openNode('out');
      await browser.openClient('edit');
      await browser.clientTab(german('usmp-client.tab.security'));
      await browser.fillClient('psk', randomBytes(32).toString('hex'));
      await testConnection(browser, german('usmp.reason.USMP_PSK_REJECTED'));
      await testConnection(browser, german('usmp.advice.psk'));
      await browser.screenshotDialog('test-wrong-psk');
      await browser.clientTab(german('usmp-client.tab.connection'));
      await browser.fillClient('port', '0');
      const label = german('usmp.label.port');
      await testConnection(browser, german('usmp.invalid.whole', { label, min: 1, max: 65_535 }));
      assert.match(await browser.help('usmp out'), /Eigenschaften/i);
      assert.deepEqual(browser.complaints, []);
    } finally {
      await browser.close();
    }
  });

  it('shows that the gateway has rejected a wrong PSK', async () => {
    await editClient();
    await editor.clientTab('Security');
    await editor.fillClient('psk', randomBytes(32).toString('hex'));
    await leaveClient('ok');
    await editor.deploy();
    await editor.waitForStatus('out', 'ring-red', 'PSK rejected');
    await editor.screenshot('wrong-psk');
    await editClient();
    await editor.clientTab('Security');
    await editor.fillClient('psk', psk.toString('hex'));
    await leaveClient('ok');
    await editor.deploy();
    await editor.waitForStatus('out', 'dot-green', 'connected');
  });

  it('has help for each node', async () => {
    for (const type of ['usmp-client', 'usmp in', 'usmp out', 'usmp ping']) {
      assert.ok((await editor.help(type)).length > 300, type);
      await editor.screenshot(`help-${type.replace(' ', '-')}`);
    }
  });

  if (hasDarkTheme) {
    it('has pictures of all dialogs in the dark theme', async () => {
      await editor.reloadDark();
      await editor.show('tab-usmp');
      await editor.waitForStatus('out', 'dot-green', 'connected');
      await portray();
    });
  }

  it('had no error in the page, and no request to other machines', () => {
    assert.deepEqual(editor.complaints, []);
  });
});
