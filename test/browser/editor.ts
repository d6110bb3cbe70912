/** The Node-RED editor in Chromium, as a user handles it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const hasChromium = existsSync(CHROMIUM);

const artifacts = path.resolve(__dirname, '../../artifacts');
/** Dialogs slide in and out; what is clicked meanwhile is lost. */
const SLIDE_MS = 500;
/** A dialog that is not there by now was not asked for. */
const DOUBLE_CLICK_MS = 5_000;
/** The machine may be busy with other tests. */
const PATIENCE_MS = 20_000;

const DEPLOY = '#red-ui-header-button-deploy';

interface Tray {
  readonly opensWith: string;
  readonly ok: string;
  readonly cancel: string;
}
const NODE_TRAY: Tray = {
  opensWith: '#node-input-name',
  ok: '#node-dialog-ok',
  cancel: '#node-dialog-cancel',
};
const CONFIG_TRAY: Tray = {
  opensWith: '#node-config-input-name',
  ok: '#node-config-dialog-ok',
  cancel: '#node-config-dialog-cancel',
};

/** Run in the browser: what the editor calls `RED`. */
declare const RED: {
  actions: { invoke(action: string): void };
  nodes: {
    createExportableNodeSet(nodes: unknown[]): unknown[];
    node(id: string): { valid?: boolean; validationErrors?: string[] } | null;
    eachConfig(visit: (node: unknown) => void): void;
    filterNodes(filter: object): unknown[];
  };
  sidebar: { help: { show(type: string): void } };
  workspaces: { active(): unknown; show(id: string): void };
};
declare const localStorage: { setItem(key: string, value: string): void };

export class Editor {
  /** Errors of the page, and requests that wanted to leave this machine. */
  readonly complaints: string[] = [];

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
    private readonly base: string,
    private readonly label: string,
    private theme: string,
  ) {}

  /**
   * @param label the beginning of the names of the screenshots.
   * @param locale the language of the browser, which need not be that of Node-RED.
   */
  static async open(base: string, label: string, locale = 'en-US'): Promise<Editor> {
    await mkdir(artifacts, { recursive: true });
    const old = (await readdir(artifacts)).filter((file) => file.startsWith(`${label}-`));
    await Promise.all(old.map((file) => rm(path.join(artifacts, file))));
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
    });
    const page = await browser.newPage({ viewport: { width: 1400, height: 900 }, locale });
    page.setDefaultTimeout(PATIENCE_MS);
    const editor = new Editor(browser, page, base, label, 'light');
    page.on('pageerror', (error) => editor.complaints.push(`error: ${error.message}`));
    page.on('console', (line) => {
      if (line.type() === 'error') editor.complaints.push(`console: ${line.text()}`);
    });
    page.on('request', (request) => editor.checkHost(request.url()));
    page.on('websocket', (socket) => editor.checkHost(socket.url()));
    try {
      await editor.load();
    } catch (error) {
      await browser.close();
      throw error;
    }
    return editor;
  }

  close(): Promise<void> {
    return this.browser.close();
  }

  private checkHost(url: string): void {
    if (/^(https?|wss?):/.test(url) && new URL(url).hostname !== '127.0.0.1') {
      this.complaints.push(`request: ${url}`);
    }
  }

  reload(): Promise<void> {
    return this.load();
  }

  private async load(): Promise<void> {
    await this.page.goto(this.base);
    await this.page.waitForSelector('.red-ui-palette-node[data-palette-type="usmp ping"]', {
      state: 'attached',
    });
    await this.page.waitForFunction(() => Boolean(RED.workspaces.active()));
    await this.page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' });
  }

  /** Node-RED 5 keeps the theme in the browser. */
  async reloadDark(): Promise<void> {
    this.theme = 'dark';
    await this.page.evaluate(() => localStorage.setItem('view-dark-theme', 'dark'));
    await this.load();
    await this.page.waitForSelector('html.nr-theme-dark', { state: 'attached' });
  }

  /** @param of the whole page, or a part of it. */
  async screenshot(name: string, of: Page | Locator = this.page): Promise<void> {
    await this.page.waitForTimeout(SLIDE_MS);
    await of.screenshot({ path: path.join(artifacts, `${this.label}-${this.theme}-${name}.png`) });
  }

  screenshotDialog(name: string): Promise<void> {
    return this.screenshot(name, this.dialog);
  }

  /** The open dialog. */
  private get dialog(): Locator {
    return this.page.locator('.red-ui-tray').last();
  }

  // ---- the workspace ----

  /** Drags a node from the palette to a place on the workspace. @returns its id. */
  async drag(type: string, x: number, y: number): Promise<string> {
    const { page } = this;
    const idsOf = (): Promise<string[]> =>
      page.evaluate(
        (wanted) => RED.nodes.filterNodes({ type: wanted }).map((node) => (node as { id: string }).id),
        type,
      );
    const before = await idsOf();
    const search = page.locator('#red-ui-palette-search input');
    await search.pressSequentially(type);
    const item = page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
    await item.scrollIntoViewIfNeeded();
    await page.waitForTimeout(SLIDE_MS);
    await item.hover();
    await page.mouse.down();
    await page.mouse.move(x, y, { steps: 10 });
    await page.mouse.up();
    await page.waitForFunction(
      ([wanted, count]) => RED.nodes.filterNodes({ type: wanted }).length === count + 1,
      [type, before.length] as const,
    );
    await search.fill('');
    await search.press('Escape');
    const [id] = (await idsOf()).filter((each) => !before.includes(each));
    assert.ok(id);
    return id;
  }

  async import(flow: readonly object[]): Promise<void> {
    const text = '#red-ui-clipboard-dialog-import-text';
    await this.page.evaluate(() => RED.actions.invoke('core:show-import-dialog'));
    await this.page.fill(text, JSON.stringify(flow));
    await this.page.press(text, 'End'); // a key that is let go enables the button
    await this.page.click('#red-ui-clipboard-dialog-ok');
    await this.dismissNotification();
  }

  /** Imports an example flow of this package from the menu, and tells the names of all that there are. */
  async importExample(title: string): Promise<string[]> {
    const { page } = this;
    await page.evaluate(() => RED.actions.invoke('core:show-examples-import-dialog'));
    const tree = page.locator('#red-ui-clipboard-dialog-import-tab-examples');
    await tree.getByText('node-red-contrib-usmp', { exact: true }).click();
    const entry = tree.getByText(title, { exact: true });
    await entry.waitFor();
    const titles = await tree.getByText(/^\d - /).allInnerTexts();
    await entry.click();
    await page.click('#red-ui-clipboard-dialog-ok');
    await this.dismissNotification();
    return titles;
  }

  undo(): Promise<void> {
    return this.page.evaluate(() => RED.actions.invoke('core:undo'));
  }

  show(tab: string): Promise<void> {
    return this.page.evaluate((id) => RED.workspaces.show(id), tab);
  }

  deploy(): Promise<void> {
    return this.deployBy(() => this.page.click(DEPLOY));
  }

  /** The same, though the editor warns that nodes are wrong. */
  deployAnyway(): Promise<void> {
    return this.deployBy(async () => {
      await this.page.click(DEPLOY);
      await this.page.locator('.red-ui-notification .primary').click();
    });
  }

  private async deployBy(act: () => Promise<void>): Promise<void> {
    const [response] = await Promise.all([
      this.page.waitForResponse(
        (answer) => answer.url().endsWith('/flows') && answer.request().method() === 'POST',
      ),
      act(),
    ]);
    assert.equal(response.status(), 200);
    await this.page.waitForSelector(`${DEPLOY}.disabled`);
    await this.dismissNotification();
  }

  /** What has been imported or deployed is told for some seconds, in front of the dialogs. */
  private async dismissNotification(): Promise<void> {
    const notification = this.page.locator('.red-ui-notification').first();
    await notification.click();
    await notification.waitFor({ state: 'hidden' });
  }

  private node(id: string): Locator {
    return this.page.locator(`g.red-ui-flow-node-group[id="${id}"]`);
  }

  /** What the editor itself finds wrong with a node, or undefined while it has no objection. */
  objections(id: string): Promise<string[] | undefined> {
    return this.page.evaluate((wanted) => {
      const { valid, validationErrors } = RED.nodes.node(wanted) ?? {};
      return valid === false ? (validationErrors ?? []) : undefined;
    }, id);
  }

  /** Resolves once a node has the mark of one that is wrong, or has it no longer. */
  waitForMark(id: string, state: 'visible' | 'hidden'): Promise<void> {
    return this.node(id).locator('.red-ui-flow-node-error').waitFor({ state });
  }

  nodeLabel(id: string): Promise<string | null> {
    return this.node(id).locator('.red-ui-flow-node-label').textContent();
  }

  pressButton(id: string): Promise<void> {
    return this.node(id).locator('.red-ui-flow-node-button-button').click();
  }

  /** Resolves once the status under the node has this colour and text. */
  async waitForStatus(id: string, style: string, text: string | RegExp): Promise<void> {
    await this.node(id).locator(`.red-ui-flow-node-status-${style}`).waitFor();
    await this.node(id).locator('.red-ui-flow-node-status-label').filter({ hasText: text }).waitFor();
  }

  // ---- dialogs ----

  async openNode(id: string): Promise<void> {
    const isOpen = (): Promise<boolean> =>
      this.page.waitForSelector(NODE_TRAY.opensWith, { timeout: DOUBLE_CLICK_MS }).then(
        () => true,
        () => false,
      );
    // Two clicks within the same millisecond are no double click to the editor, nor are two that a busy machine
    // lets it see too far apart.
    do await this.node(id).locator('rect.red-ui-flow-node').dblclick({ delay: 50 });
    while (!(await isOpen()));
    await this.opened(NODE_TRAY);
  }
  /** From the open dialog of a node: the config node it has, or a new one. */
  async openClient(how: 'add' | 'edit'): Promise<void> {
    await this.page.click(`#node-input-btn-client-${how}`);
    await this.opened(CONFIG_TRAY);
  }
  closeNode(how: 'ok' | 'cancel'): Promise<void> {
    return this.closeTray(NODE_TRAY, how);
  }
  closeClient(how: 'ok' | 'cancel'): Promise<void> {
    return this.closeTray(CONFIG_TRAY, how);
  }

  private async opened(tray: Tray): Promise<void> {
    await this.page.waitForSelector(tray.opensWith);
    await this.page.waitForTimeout(SLIDE_MS);
  }

  private async closeTray(tray: Tray, how: 'ok' | 'cancel'): Promise<void> {
    await this.page.click(tray[how]);
    await this.page.waitForSelector(tray.opensWith, { state: 'detached' });
    await this.page.waitForTimeout(SLIDE_MS);
  }

  /** How wide the open dialog is, and the narrowest text in it that is there to be read. */
  async widths(): Promise<{ dialog: number; note: number }> {
    const notes = await this.dialog.locator('[class*="-note"]:visible').all();
    const boxes = await Promise.all([this.dialog, ...notes].map((each) => each.boundingBox()));
    const [dialog = 0, ...others] = boxes.map((box) => box?.width ?? 0);
    return { dialog, note: Math.min(...others) };
  }

  /** Texts of the open dialog for which its labels, buttons, tabs, fields and selects have no room. */
  clippedTexts(): Promise<string[]> {
    // Runs in the browser, where the compiler's helpers for named functions are not: hence loops.
    return this.dialog.evaluate((tray) => {
      const SLACK = 1;
      const ARROW = 16;
      const clipped: string[] = [];
      const pen = document.createElement('canvas').getContext('2d')!;
      const edge = tray.getBoundingClientRect().right;
      for (const element of tray.querySelectorAll<HTMLElement>(
        'label, button, .red-ui-tab-label, span, div[class*="-note"]',
      )) {
        if (element.getClientRects().length === 0 || element.textContent.trim() === '') continue;
        const content = document.createRange();
        content.selectNodeContents(element);
        const room = Math.min(element.getBoundingClientRect().right, edge);
        if (content.getBoundingClientRect().right > room + SLACK) clipped.push(element.innerText);
      }
      for (const field of tray.querySelectorAll<HTMLInputElement | HTMLSelectElement>('input, select')) {
        const { font, paddingLeft, paddingRight } = getComputedStyle(field);
        const isSelect = field instanceof HTMLSelectElement;
        const padding = parseFloat(paddingLeft) + parseFloat(paddingRight) + (isSelect ? ARROW : 0);
        const texts = isSelect ? Array.from(field.options, ({ text }) => text) : [field.placeholder];
        pen.font = font;
        for (const text of field.clientWidth === 0 ? [] : texts) {
          if (pen.measureText(text).width > field.clientWidth - padding + SLACK) clipped.push(text);
        }
      }
      return clipped;
    });
  }

  async clientTab(name: string): Promise<void> {
    const tab = this.page.locator('.usmp-client-tabs').getByRole('tab', { name });
    const isShown = async (): Promise<boolean> => (await tab.getAttribute('aria-selected')) === 'true';
    await tab.click();
    // Node-RED 4.1 takes two clicks in a short time for a double click, though they are on two tabs.
    while (!(await isShown())) {
      await this.page.waitForTimeout(SLIDE_MS);
      await tab.click();
    }
  }

  clientField(name: string): Locator {
    return this.page.locator(`#node-config-input-${name}`);
  }

  /** Types into a field of the config dialog and leaves it, as the fields are checked then. */
  async fillClient(name: string, value: string): Promise<void> {
    await this.clientField(name).fill(value);
    await this.clientField(name).press('Tab');
  }

  async isRefused(name: string): Promise<boolean> {
    return /\binput-error\b/.test((await this.clientField(name).getAttribute('class')) ?? '');
  }

  /** What the editor says about a refused field when the mouse is over it. */
  async whyRefused(name: string): Promise<string> {
    await this.page.mouse.move(0, 0);
    await this.clientField(name).hover();
    const tooltip = this.page.locator('.red-ui-popover:visible').last();
    await tooltip.waitFor();
    return tooltip.innerText();
  }

  // ---- sidebars ----

  async showDebug(): Promise<void> {
    await this.page.evaluate(() => RED.actions.invoke('core:show-debug-tab'));
  }

  /** Resolves with the text of the newest message of a debug node of this name. */
  async debugMessage(name: string): Promise<string> {
    const message = this.page
      .locator('.red-ui-debug-msg')
      .filter({ has: this.page.locator('.red-ui-debug-msg-name', { hasText: name }) })
      .last();
    await message.waitFor();
    return message.locator('.red-ui-debug-msg-payload').innerText();
  }

  async help(type: string): Promise<string> {
    await this.page.evaluate((shown) => RED.sidebar.help.show(shown), type);
    const heading = this.page.getByRole('heading', { name: type, exact: true });
    const help = this.page.locator('.red-ui-help').filter({ has: heading, visible: true }).first();
    await help.waitFor();
    return help.innerText();
  }

  /** All that the export dialog would write. */
  export(): Promise<string> {
    return this.page.evaluate(() => {
      const all = RED.nodes.filterNodes({});
      RED.nodes.eachConfig((node) => all.push(node));
      return JSON.stringify(RED.nodes.createExportableNodeSet(all));
    });
  }
}
