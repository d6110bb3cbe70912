/** Context stores that misbehave, in a Node-RED that has to live with them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { USMPServer, type ServerSession } from '../../src/index.js';
import { startNodeRed, type NodeRedProcess } from '../support/node-red-process.js';

const PSK = 'a key beside a bad neighbour';

/** A store that writes a line to the console at each call, and does what these bodies say. */
const moduleOf = ({ get, set }: { get: string; set: string }): string => `
  module.exports = () => {
    let calls = 0;
    return {
      open: async () => {}, close: async () => {}, delete: async () => {}, clean: async () => {},
      keys: (scope, callback) => callback(null, []),
      get: (scope, key, callback) => { console.log('get ' + ++calls); ${get} },
      set: (scope, key, value, callback) => { console.log('set ' + key + ' ' + JSON.stringify(value)); ${set} },
    };
  };`;

const kept = (text: string): string => JSON.stringify({ message: base64(text), delivery: 'confirmed' });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const THROWS = `throw new Error('the disk is gone');`;
const WORKS = 'callback(null);';

interface Row {
  readonly name: string;
  readonly get: string;
  readonly set: string;
  /** What the gateway receives. */
  readonly receives: readonly string[];
  /** What the store has written to the console by then. */
  readonly until: RegExp;
  /** All that the log says about it. */
  readonly logs: readonly RegExp[];
}

const table: readonly Row[] = [
  {
    name: 'throws at every call',
    get: THROWS,
    set: THROWS,
    receives: ['new'],
    until: /get 3/,
    logs: [/\[error\] .*the outbox in the context store bad cannot be read \(Error\)/],
  },
  {
    name: 'never answers',
    get: '',
    set: '',
    receives: ['new'],
    until: /get 2/,
    logs: [/\[error\] .*the context store bad has not answered for 5 s/],
  },
  {
    name: 'fails every write',
    get: `callback(null, [${kept('from the last run')}]);`,
    set: `callback(new Error('the disk is full'));`,
    receives: ['from the last run', 'new'],
    until: /(?:set outbox[^]*){2}/,
    logs: [/\[error\] .*the outbox cannot be written to the context store bad \(Error\)/],
  },
  {
    name: 'fails the first read',
    get: `if (calls === 1) ${THROWS} callback(null, [${kept('from the last run')}]);`,
    set: WORKS,
    receives: ['from the last run', 'new'],
    until: /set outbox \[\]/,
    logs: [
      /\[error\] .*the outbox in the context store bad cannot be read \(Error\)/,
      /\[info\] .*the outbox in the context store bad has been read after all; messages kept there: 1/,
    ],
  },
  {
    name: 'holds a message that is too long',
    get: `callback(null, [${kept('x'.repeat(6000))}, ${kept('from the last run')}]);`,
    set: WORKS,
    receives: ['from the last run', 'new'],
    until: /set outbox \[\]/,
    logs: [/\[error\] .*unusable messages in the context store bad: 1\./],
  },
];

describe('a context store for the outbox that', function () {
  this.timeout(60_000);
  let userDir: string;
  let red: NodeRedProcess | undefined;
  let server: USMPServer;

  beforeEach(async () => {
    userDir = await mkdtemp(path.join(tmpdir(), 'usmp-store-'));
    server = new USMPServer({ host: '127.0.0.1', port: 0, psk: PSK });
    await server.listen();
  });
  afterEach(async () => {
    await red?.interrupt();
    await server.close();
    await rm(userDir, { recursive: true, force: true });
  });

  for (const { name, get, set, receives, until, logs } of table) {
    it(`${name} costs neither Node-RED nor the session, and is told once`, async () => {
      const bad = path.join(userDir, 'bad-store.cjs');
      await writeFile(bad, moduleOf({ get, set }));
      const settings = { contextStorage: { default: { module: 'memory' } } };
      const opened = once(server, 'session') as Promise<[ServerSession]>;
      red = await startNodeRed({ userDir, env: { USMP_STORE_PSK: PSK }, settings, storeModules: { bad } });
      await red.deploy([
        { id: 'tab', type: 'tab', label: 'store' },
        {
          id: 'gw',
          type: 'usmp-client',
          host: '127.0.0.1',
          port: String(server.port),
          protocol: 'tcp',
          pskFormat: 'text',
          outboxStore: 'bad',
          credentials: { psk: '${USMP_STORE_PSK}' },
        },
        {
          id: 'once',
          z: 'tab',
          type: 'inject',
          once: true,
          payload: 'new',
          payloadType: 'str',
          props: [{ p: 'payload' }],
          wires: [['out']],
        },
        { id: 'out', z: 'tab', type: 'usmp out', client: 'gw', wires: [] },
      ]);
      await red.waitFor(/connected to/);
      const [session] = await opened;
      const received: string[] = [];
      for await (const message of session) {
        received.push(message.toString());
        if (received.at(-1) === 'new') break;
      }
      await red.waitFor(until);
      assert.equal(await red.interrupt(), 0);
      assert.deepEqual(received, receives);
      const lines = red.output.split('\n').filter((line) => line.includes('[usmp-client:'));
      const about = lines.filter((line) => !line.includes('connected to'));
      assert.equal(about.length, logs.length, about.join('\n'));
      for (const [i, log] of logs.entries()) assert.match(about[i]!, log);
    });
  }
});
