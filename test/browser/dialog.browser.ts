/** The dialogs in the editor: by keyboard, in other languages, and what they say of what is wrong in them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { USMPServer } from '../../src/index.js';
import type { NodeRedProcess } from '../support/node-red-process.js';
import { textsOf, type Language } from '../support/texts.js';
import { Editor } from './editor.js';
import { inEachVersion, startVersion } from './versions.js';

const HEX_KEY = randomBytes(32).toString('hex');
const BASE64_KEY = 'mK7x9Qw1Zr3tYv5bNc8dLg0hJp2sFk4uEi6oAa+/TqM=';
const DEVICE_ID_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** A tab with a gateway of its own and the nodes that name it. */
function flow(name: string, client: object = {}): object[] {
  const place = { z: `tab-${name}`, client: `gw-${name}`, x: 300, wires: [] };
  return [
    { id: `tab-${name}`, type: 'tab', label: name },
    { id: `gw-${name}`, type: 'usmp-client', host: '127.0.0.1', port: '9000', ...client },
    { id: `out-${name}`, type: 'usmp out', y: 100, ...place },
    { id: `in-${name}`, type: 'usmp in', y: 180, ...place },
    { id: `ping-${name}`, type: 'usmp ping', y: 260, ...place },
  ];
}

inEachVersion('the dialogs', (version) => {
  const { label } = version;
  const psk = randomBytes(32);
  const endings: (() => Promise<unknown>)[] = [];
  let server: USMPServer;
  let red: NodeRedProcess;
  let editor: Editor;

  before(async () => {
    server = new USMPServer({ host: '127.0.0.1', port: 0, psk });
    await server.listen();
    endings.push(() => server.close());
    const contextStorage = {
      default: 'memoryOnly',
      memoryOnly: { module: 'memory' },
      disk: { module: 'localfilesystem' },
    };
    const variables = { USMP_PSK_OF_ECHO: 'a key in a file that echo wrote\n' };
    red = await startVersion(version, endings, { contextStorage }, variables);
    editor = await Editor.open(red.base, `dialogs-${label}`);
    endings.push(() => editor.close());
  });
  after(async () => {
    for (const end of endings.reverse()) await end();
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await editor.screenshot('failed');
  });

  /** Opens the dialog of a gateway from that of the node that names it. */
  const open = async (name: string, where = editor): Promise<void> => {
    await where.show(`tab-${name}`);
    await where.openNode(`out-${name}`);
    await where.openClient('edit');
  };
  const leave = async (how: 'ok' | 'cancel', where = editor): Promise<void> => {
    await where.closeClient(how);
    await where.closeNode(how);
  };
  const button = (name: string | RegExp): ReturnType<Editor['page']['getByRole']> =>
    editor.page.getByRole('button', { name });
  const tab = (name: string | RegExp): ReturnType<Editor['page']['getByRole']> =>
    editor.page.locator('.usmp-client-tabs').getByRole('tab', { name });
  const result = (text: string | RegExp): Promise<void> =>
    editor.page.locator('#usmp-client-test-result').filter({ hasText: text }).waitFor();
  const note = (): Promise<string> => editor.page.locator('#usmp-client-psk-note').innerText();
  const focused = (): Promise<string> => editor.page.evaluate(() => document.activeElement?.id ?? '');

  /** Gateways with a PSK: `a` on all flows, two with other stores, and one in a subflow. */
  const deployGateways = async (): Promise<void> => {
    const client = { port: String(server.port), pskFormat: 'text', outboxStore: 'disk', name: '' };
    await red.deploy([
      ...flow('a', { ...client, credentials: { psk: `hex:${psk.toString('hex')}` } }),
      ...flow('memory', { ...client, outboxStore: 'memoryOnly' }),
      ...flow('gone', { ...client, outboxStore: 'gone' }),
      { id: 'sub', type: 'subflow', name: 'a subflow', in: [], out: [], env: [] },
      { ...flow('sub', client)[1], z: 'sub' },
      { ...flow('sub')[2], z: 'sub' },
    ]);
    await editor.reload();
  };

  describe('a gateway without a PSK', () => {
    it('is marked at once when it is imported, and so are its nodes', async () => {
      await editor.import(flow('imported', { pskFormat: 'hex' }));
      await editor.show('tab-imported');
      for (const id of ['out', 'in', 'ping']) await editor.waitForMark(`${id}-imported`, 'visible');
      const objections = await editor.objections('gw-imported');
      assert.match(objections?.join() ?? '', /^A PSK is needed/);
      await editor.screenshot('imported');
    });

    it('is marked no longer once it has one, also after the deploy and a reload', async () => {
      await open('imported');
      await editor.clientTab('Security');
      await editor.fillClient('psk', psk.toString('hex'));
      await leave('ok');
      await editor.waitForMark('out-imported', 'hidden');
      await editor.deploy();
      await editor.reload();
      await editor.show('tab-imported');
      await editor.page.waitForLoadState('networkidle');
      for (const id of ['gw', 'out', 'in', 'ping']) {
        assert.equal(await editor.objections(`${id}-imported`), undefined, id);
      }
      await editor.waitForMark('out-imported', 'hidden');
    });

    it('is marked when it was deployed without one, by somebody else', async () => {
      await red.deploy([...flow('deployed'), { ...flow('other')[0] }]);
      await editor.reload();
      await editor.show('tab-deployed');
      await editor.waitForMark('out-deployed', 'visible');
      assert.match((await editor.objections('gw-deployed'))?.join() ?? '', /^A PSK is needed/);
    });

    it('is still marked after a deploy that does not mend it', async () => {
      await editor.import(flow('again'));
      await editor.show('tab-again');
      await editor.waitForMark('out-again', 'visible');
      await editor.deployAnyway();
      await editor.page.waitForLoadState('networkidle');
      assert.match((await editor.objections('gw-again'))?.join() ?? '', /^A PSK is needed/);
    });
  });

  describe('of a config node', () => {
    before(deployGateways);
    beforeEach(() => open('a'));
    afterEach(() => leave('cancel'));

    it('show the device id in force where none is set, and the result of a test names it', async () => {
      await editor.clientTab('Security');
      const placeholder = await editor.clientField('deviceId').getAttribute('placeholder');
      assert.match(placeholder ?? '', DEVICE_ID_PATTERN);
      const session = new Promise<{ deviceId: string }>((resolve) => server.once('session', resolve));
      await button('Test connection').click();
      await result(/^Connected\. Round trip [\d.]+ ms, session [0-9a-f]+\n/);
      await result(`\nDevice ID: ${placeholder!}`);
      assert.equal((await session).deviceId, placeholder);
      await editor.screenshotDialog('device-id');
      await editor.fillClient('psk', 'another key, but long enough');
      await button('Test connection').click();
      await result(/PSK rejected[^]*/);
      await result(`\nDevice ID: ${placeholder!}`);
    });

    it('hint at a key in another format, and change the format on one click only', async () => {
      await editor.clientTab('Security');
      const change = editor.page.locator('#usmp-client-psk-format');
      const table = [
        { typed: HEX_KEY, format: 'text', looks: /looks like hex digits[^]* 64 bytes/, other: 'hex' },
        { typed: HEX_KEY, format: 'base64', looks: /looks like hex digits[^]* 48 bytes/, other: 'hex' },
        { typed: BASE64_KEY, format: 'text', looks: /looks like Base64[^]* 44 bytes/, other: 'base64' },
        { typed: BASE64_KEY, format: 'hex', looks: /PSK: needs pairs of hex digits/, other: 'base64' },
      ];
      for (const { typed, format, looks, other } of table) {
        await editor.clientField('pskFormat').selectOption(format);
        await editor.fillClient('psk', typed);
        assert.match(await note(), looks);
        assert.equal(await editor.clientField('pskFormat').inputValue(), format);
        assert.equal(
          await change.innerText(),
          `Change the format to: ${other === 'hex' ? 'Hex digits' : 'Base64'}`,
        );
        await editor.screenshotDialog(`looks-${other}-in-${format}`);
        await change.click();
        assert.equal(await editor.clientField('pskFormat').inputValue(), other);
        assert.equal(await note(), '32 bytes, fine.');
        assert.ok(await change.isHidden());
        assert.equal(await focused(), 'node-config-input-psk');
        assert.ok(!(await editor.isRefused('psk')));
      }
    });

    it('name a space at the end of a PSK, and take hex: as the reference SDK does', async () => {
      await editor.clientTab('Security');
      await editor.fillClient('psk', 'Tr0ub4dor and 3 others ');
      assert.match(await note(), /begins or ends with a space/);
      await editor.fillClient('psk', `hex:${psk.toString('hex')}`);
      assert.match(await note(), /^Hex digits, as hex: in front says: 32 bytes/);
      await button('Test connection').click();
      await result(/^Connected/);
      await editor.fillClient('psk', 'hex:these are words');
      assert.match(await note(), /PSK: needs pairs of hex digits/);
      assert.ok(await editor.isRefused('psk'));
    });

    it('pass on that a PSK from the environment ends in a line break', async () => {
      await editor.clientTab('Security');
      await editor.fillClient('psk', '${USMP_PSK_OF_ECHO}');
      await button('Test connection').click();
      await result(/PSK rejected[^]*\nThe PSK ends in a line break/);
    });

    it('tell what they generate, and which Generate makes what', async () => {
      await editor.clientTab('Security');
      const inFormat = { text: 'hex', hex: 'hex', base64: 'Base64' };
      for (const [format, written] of Object.entries(inFormat)) {
        await editor.clientField('pskFormat').selectOption(format);
        assert.ok(await button(`Generate PSK (${written}, 32 bytes)`).isVisible(), format);
      }
      await button('Generate PSK (Base64, 32 bytes)').click();
      assert.match(await editor.clientField('psk').inputValue(), /^[A-Za-z0-9+/]{43}=$/);
      assert.match(await note(), /^32 random bytes\. Copy the PSK to the gateway now/);
      await button('Generate ID').click();
      assert.match(await editor.clientField('deviceId').inputValue(), DEVICE_ID_PATTERN);
    });

    it('take hosts and device ids in every notation', async () => {
      const written = [
        ['host', '[::1]', '::1'],
        ['host', ' gateway.local ', 'gateway.local'],
        ['host', '$(USMP_HOST)', '$(USMP_HOST)'],
        ['deviceId', 'A4-CF-12-00-00-01', 'a4:cf:12:00:00:01'],
        ['deviceId', ' a4cf.1200.0001 ', 'a4:cf:12:00:00:01'],
        ['deviceId', '${USMP_ID}', '${USMP_ID}'],
      ] as const;
      for (const [name, typed, becomes] of written) {
        await editor.clientTab(name === 'host' ? 'Connection' : 'Security');
        await editor.fillClient(name, typed);
        assert.equal(await editor.clientField(name).inputValue(), becomes);
        assert.ok(!(await editor.isRefused(name)), typed);
      }
    });

    it('have tabs that work by keyboard', async () => {
      const { keyboard } = editor.page;
      const selected = async (): Promise<string> =>
        tab(/./).and(editor.page.locator('[aria-selected="true"]')).innerText();
      await editor.clientField('name').focus();
      await keyboard.press('Tab');
      const walk = [
        { key: '', to: 'Connection' },
        { key: 'ArrowRight', to: 'Security' },
        { key: 'ArrowRight', to: 'Messages' },
        { key: 'End', to: 'Advanced' },
        { key: 'ArrowRight', to: 'Connection' },
        { key: 'ArrowLeft', to: 'Advanced' },
        { key: 'Home', to: 'Connection' },
        { key: 'ArrowRight', to: 'Security' },
      ];
      for (const { key, to } of walk) {
        if (key !== '') await keyboard.press(key);
        assert.equal(await selected(), to);
        assert.equal(await focused(), `usmp-client-tab-${to.toLowerCase()}-link`);
        const panel = editor.page.getByRole('tabpanel', { name: to });
        assert.ok(await panel.isVisible());
        assert.equal(await editor.page.locator('#usmp-client-panes').getByRole('tabpanel').count(), 1);
      }
      const outline = await tab('Security').evaluate((link) => getComputedStyle(link).outlineStyle);
      assert.equal(outline, 'solid');
      await editor.screenshotDialog('tab-focus');
      await keyboard.press('Tab');
      assert.equal(await focused(), 'node-config-input-deviceId');
      await keyboard.press('Shift+Tab');
      await keyboard.press('Shift+Tab');
      assert.equal(await focused(), 'node-config-input-name');
    });

    it('mark the tabs in which something is wrong, also for screen readers', async () => {
      const wrong = 'something in this tab is wrong';
      assert.equal(await tab(new RegExp(wrong)).count(), 0);
      await editor.fillClient('host', '');
      await editor.clientTab('Security');
      await editor.fillClient('psk', 'short');
      await editor.clientTab('Messages');
      for (const name of ['Connection', 'Security']) await tab(`${name} ${wrong}`).waitFor();
      assert.equal(await tab(new RegExp(wrong)).count(), 2);
      assert.equal(await editor.clientField('psk').getAttribute('aria-invalid'), 'true');
      for (const name of ['Connection', 'Security']) {
        const mark = await tab(name).getByRole('img').boundingBox();
        const box = await tab(name).locator('..').boundingBox();
        assert.ok(mark && box && mark.x + mark.width <= box.x + box.width && mark.y >= box.y, name);
      }
      await editor.screenshotDialog('wrong-tabs');
      await editor.clientTab('Security');
      await editor.fillClient('psk', HEX_KEY);
      await editor.clientTab('Connection');
      await editor.fillClient('host', 'gateway.local');
      await tab(new RegExp(wrong)).first().waitFor({ state: 'detached' });
      assert.equal(await editor.clientField('psk').getAttribute('aria-invalid'), 'false');
    });

    it('lead from a test that failed to the wrong field', async () => {
      const wrong = [
        {
          in: 'Connection',
          name: 'port',
          value: '70000',
          says: /Tab Connection – Port: needs a whole number/,
        },
        {
          in: 'Security',
          name: 'deviceId',
          value: 'a4:cf',
          says: /Tab Security – Device ID: needs 12 hex digits/,
        },
        {
          in: 'Advanced',
          name: 'connectTimeout',
          value: '0',
          says: /Tab Advanced – Time to connect: needs a number/,
        },
      ];
      for (const { in: place, name, value, says } of wrong) {
        await editor.clientTab(place);
        const good = await editor.clientField(name).inputValue();
        await editor.fillClient(name, value);
        await editor.clientTab('Messages');
        await button('Test connection').click();
        await result(says);
        assert.ok(await editor.clientField(name).isVisible());
        assert.equal(await focused(), `node-config-input-${name}`);
        if (name === 'port') await editor.screenshotDialog('test-wrong-port');
        await editor.fillClient(name, good);
      }
    });

    it('wrap a text that is long, and do not grow with it', async () => {
      const name = 'A_LONG_NAME_'.repeat(20);
      const { dialog } = await editor.widths();
      await editor.fillClient('port', `\${${name}}`);
      await button('Test connection').click();
      await result(`Tab Connection – Port: the environment variable ${name} is not set`);
      assert.deepEqual(await editor.clippedTexts(), []);
      assert.equal((await editor.widths()).dialog, dialog);
      await editor.screenshotDialog('long-text');
    });

    it('offer stores that keep something over a restart, and say what is wrong with another one', async () => {
      const options = (): Promise<string[]> =>
        editor.clientField('outboxStore').locator('option').allInnerTexts();
      assert.deepEqual(await options(), ['not kept', 'disk']);
      assert.equal(await editor.clientField('outboxStore').inputValue(), 'disk');
      const others = [
        { name: 'memory', store: 'memoryOnly', why: /not kept: store memoryOnly is in memory only$/ },
        { name: 'gone', store: 'gone', why: /not kept: there is no store gone$/ },
      ];
      for (const { name, store, why } of others) {
        await leave('cancel');
        assert.match((await editor.objections(`gw-${name}`))?.join() ?? '', why);
        await open(name);
        await tab(/Messages.*wrong/).waitFor();
        assert.deepEqual(await options(), ['not kept', store, 'disk']);
        await editor.clientTab('Messages');
        assert.match(await editor.whyRefused('outboxStore'), why);
        await editor.screenshotDialog(`store-${name}`);
      }
    });

    it('say inside a subflow that a test does not know its environment', async () => {
      const tip = editor.page.locator('#usmp-client-test-subflow');
      assert.ok(await tip.isHidden());
      await editor.page.selectOption('#red-ui-editor-config-scope', { value: 'sub' });
      assert.match(await tip.innerText(), /belongs to a subflow/);
      await leave('cancel');
      await editor.show('sub');
      await editor.openNode('out-sub');
      await editor.openClient('edit');
      assert.match(await tip.innerText(), /cannot know what the instances of the subflow set/);
      await editor.fillClient('port', '${USMP_PORT}');
      await button('Test connection').click();
      await result(/Tab Connection – Port: this gateway is part of a subflow/);
      const placeholder = await editor.clientField('deviceId').getAttribute('placeholder');
      assert.equal(placeholder, "made from this node's id");
      await editor.screenshotDialog('subflow');
    });
  });

  describe('of all nodes', () => {
    before(deployGateways);

    it('call every flow node after its gateway, unless it has a name', async () => {
      await editor.show('tab-a');
      for (const id of ['in', 'out', 'ping']) {
        assert.equal(await editor.nodeLabel(`${id}-a`), `tcp://127.0.0.1:${server.port!}`);
      }
    });

    for (const language of ['en-US', 'de', 'ja', 'zh-CN'] as const satisfies readonly Language[]) {
      it(`have room for their texts in ${language}`, async () => {
        const lookup = textsOf(language);
        const other = await Editor.open(red.base, `dialogs-${label}-${language}`, language);
        try {
          await other.show('tab-a');
          for (const id of ['in', 'ping', 'out']) {
            await other.openNode(`${id}-a`);
            assert.deepEqual(await other.clippedTexts(), [], `usmp ${id}`);
            if (language === 'de') await other.screenshotDialog(`usmp-${id}`);
            if (id !== 'out') await other.closeNode('cancel');
          }
          await other.openClient('edit');
          await other.page.waitForLoadState('networkidle');
          for (const name of ['connection', 'security', 'messages', 'advanced']) {
            await other.clientTab(lookup(`usmp-client.tab.${name}`));
            if (name === 'security') await other.fillClient('psk', HEX_KEY);
            assert.deepEqual(await other.clippedTexts(), [], name);
            if (language === 'de') await other.screenshotDialog(name);
          }
          assert.deepEqual(other.complaints, []);
        } finally {
          await other.close();
        }
      });
    }

    if (version.hasDarkTheme) {
      it('have pictures in the dark theme', async () => {
        await editor.reloadDark();
        await open('a');
        await editor.fillClient('host', '');
        await editor.clientTab('Security');
        await editor.fillClient('psk', HEX_KEY);
        await editor.screenshotDialog('looks-hex');
        await editor.clientTab('Messages');
        await button('Test connection').click();
        await result(/Tab Connection/);
        await editor.screenshotDialog('test-wrong-host');
        await leave('cancel');
      });
    }
  });

  describe('at the end', () => {
    it('had no error in the page, and no request to other machines', () => {
      assert.deepEqual(editor.complaints, []);
    });
  });
});
