/** The demo's examples in the editor: from the menu to the canvas, deployed without a field being filled in. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { editorOf, runDemo } from '../support/demo.js';
import { Editor, hasChromium } from './editor.js';

(hasChromium ? describe : describe.skip)('the demo in the editor', function () {
  this.timeout(120_000);
  const endings: (() => Promise<unknown>)[] = [];

  after(async () => {
    for (const end of endings.reverse()) await end();
  });

  it('connects the examples of the import menu as soon as they are deployed', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'usmp-demo-'));
    endings.push(() => rm(folder, { recursive: true, force: true }));
    const running = runDemo(folder);
    endings.push(() => running.interrupt());
    const { base } = await editorOf(running);
    const editor = await Editor.open(base, 'demo');
    endings.push(() => editor.close());
    const files = (await readdir(path.resolve(__dirname, '../../examples'))).sort();
    for (const file of files.slice(1)) await editor.importExample(path.basename(file, '.json')); // the first is there
    await editor.screenshot('examples');
    const connected = /(?:\[usmp-client:Gateway\] connected to [^]*){5}/;
    await Promise.all([running.waitFor(connected), editor.deploy()]);
    await running.waitFor(/\[mqtt-broker:MQTT broker\] Connected to broker/);
    await editor.screenshot('deployed');
    assert.deepEqual(editor.complaints, []);
    assert.doesNotMatch(running.output, /\[(?:warn|error)\] (?!Projects disabled)|[0-9a-f]{64}/i);
  });
});
