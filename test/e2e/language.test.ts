/** What Node-RED writes in another language than English, in the log and for Catch nodes. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../support/loopback.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';
import { textsOf, type Language, type Lookup } from '../support/texts.js';

const credentials = { psk: 'a key for the tests, long enough' };
const gateway = (id: string, port: string): object => ({
  ...{
    id,
    type: 'usmp-client',
    name: `${id} gateway`,
    host: '127.0.0.1',
    port,
    protocol: 'tcp',
    credentials,
  },
});
const atStart = {
  repeat: '',
  once: true,
  onceDelay: 0.5,
  props: [{ p: 'payload' }],
  payload: 'x',
  payloadType: 'str',
};
const sender = (name: string, client: string): object[] => [
  { id: `in-${name}`, z: 'tab', type: 'inject', ...atStart, wires: [[`out-${name}`]] },
  { id: `out-${name}`, z: 'tab', type: 'usmp out', client, offline: 'error', wires: [] },
];

const flow = (port: number): object[] => [
  { id: 'tab', type: 'tab', label: 'test' },
  gateway('closed', String(port)),
  gateway('wrong', '70000'),
  ...sender('a', 'closed'),
  ...sender('b', 'wrong'),
  ...sender('c', ''),
  { id: 'caught', z: 'tab', type: 'catch', scope: null, uncaught: false, wires: [['log']] },
  {
    ...{ id: 'log', z: 'tab', type: 'debug', active: true, tosidebar: false, console: true },
    ...{ complete: 'error.message', targetType: 'msg', wires: [] },
  },
];

/** What has to be in the log. */
function expected(text: Lookup, port: number): string[] {
  const say = (key: string, values = {}): string => text(`usmp.${key}`, values);
  const refused = say('error.advised', {
    reason: say('reason.USMP_CONNECTION_REFUSED'),
    advice: say('advice.USMP_CONNECTION_REFUSED'),
  });
  const wrong = say('invalid.whole', { label: say('label.port'), min: 1, max: 65_535 });
  return [
    `[usmp-client:closed gateway] ${say('log.disconnected', { gateway: `tcp://127.0.0.1:${port}`, reason: refused })}`,
    `[usmp-client:wrong gateway] ${wrong}`,
    `USMP: ${say('error.notConnected', { reason: refused })}`,
    `USMP: ${say('error.notConnected', { reason: wrong })}`,
    `USMP: ${say('error.noClient')}`,
  ];
}

for (const language of ['de', 'ja', 'zh-CN'] satisfies Language[]) {
  describe(`Node-RED in ${language}`, () => {
    let userDir: string;
    let red: NodeRedProcess | undefined;

    before(async () => {
      userDir = await mkdtemp(path.join(tmpdir(), 'usmp-language-'));
      red = await startNodeRed({ userDir, settings: { lang: language } });
    });
    after(async () => {
      await red?.interrupt();
      await rm(userDir, { recursive: true, force: true });
    });

    it('says in that language what is wrong', async () => {
      const port = await freePort();
      assert.ok(red);
      await red.deploy(flow(port));
      for (const line of expected(textsOf(language), port)) {
        await red.waitFor(new RegExp(line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')));
      }
      // The engine's own words are for programs.
      assert.doesNotMatch(red.output, /connection refused|expected a whole number|usmp\.\w+\.\w+/);
    });
  });
}
