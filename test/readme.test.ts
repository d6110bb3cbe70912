/** What README and the papers in docs/ say is so: what README shows is run as it stands there, but for ports, which the test chooses. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as engine from '../src/index.js';
import { ERROR_CODES, USMPClient } from '../src/index.js';
import type { ErrorRow } from '../src/error-codes.js';
import { freePort } from './support/loopback.js';
import { start, type RunningProcess } from './support/process.js';

const root = path.resolve(__dirname, '..');
const README = readFileSync(path.join(root, 'README.md'), 'utf8');

/** The programs for Node.js, in their order. */
const programs = [...README.matchAll(/^```js\n([^]*?)^```$/gm)]
  .map(([, code]) => code!)
  .filter((code) => code.includes("require('node-red-contrib-usmp')"));

const program = (marked: string): string => {
  const found = programs.filter((code) => code.includes(marked));
  assert.equal(found.length, 1, `one program with ${marked}`);
  return found[0]!;
};

describe('the programs in README', () => {
  const running: RunningProcess[] = [];
  const clients: USMPClient[] = [];
  let folder: string;

  /** Runs a program with `9000` replaced, and this package for `node-red-contrib-usmp`. */
  async function run(name: string, code: string, port: number): Promise<RunningProcess> {
    const file = path.join(folder, `${name}.cjs`);
    const own = JSON.stringify(path.join(root, 'dist', 'src', 'index.js'));
    await writeFile(file, code.replaceAll("'node-red-contrib-usmp'", own).replaceAll('9000', String(port)));
    const started = start(process.execPath, [file], { NODE_OPTIONS: '' }, folder);
    running.push(started);
    return started;
  }

  /** A client of a gateway that may still be starting. */
  async function connected(port: number, deviceId: string, psk: string): Promise<USMPClient> {
    const client = new USMPClient({ host: '127.0.0.1', port, deviceId, psk });
    clients.push(client);
    for (;;) {
      try {
        await client.connect();
        return client;
      } catch (error) {
        if ((error as { code?: string }).code !== 'USMP_CONNECTION_REFUSED') throw error;
        await client.disconnect();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  beforeEach(async () => (folder = await mkdtemp(path.join(tmpdir(), 'usmp-readme-'))));
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.disconnect()));
    await Promise.all(running.splice(0).map((each) => each.interrupt()));
    await rm(folder, { recursive: true });
  });

  it('are those that are known here', () => assert.equal(programs.length, 3));

  it('are a gateway that hands on what it gets', async () => {
    const port = await freePort();
    const code = program('other !== session');
    const gateway = await run('gateway', code, port);
    const keys = [...code.matchAll(/'((?:[0-9a-f]{2}:){5}[0-9a-f]{2})': '(.*?)'/g)];
    assert.equal(keys.length, 2);
    const [device, red] = await Promise.all(keys.map(([, id, psk]) => connected(port, id!, psk!)));
    for (const [, id] of keys) await gateway.waitFor(new RegExp(`${id!} is here`));
    await device!.send('{"temperature":21.5}');
    assert.equal(String(await red!.recv()), '{"temperature":21.5}');
    await red!.send('on');
    assert.equal(String(await device!.recv()), 'on');
  });

  it('are a client and a gateway that echoes', async () => {
    const port = await freePort();
    const gateway = await run(
      'server',
      program("server.on('session', (session) => {\n    console.log"),
      port,
    );
    const ready = await connected(port, '02:00:00:00:00:05', 'a key that both sides know');
    await ready.disconnect();
    const client = await run('client', program('round trip'), port);
    await client.waitFor(/hello\nround trip [\d.]+ ms, session [0-9a-f]{32}/);
    await gateway.waitFor(/is gone: the device ended the session/);
  });
});

describe('the papers', () => {
  const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
  const PAPERS = ['README.md', 'CONTRIBUTING.md', 'docs/api.md', 'docs/cli.md', 'docs/errors.md'];

  it('link to files that there are', () => {
    const broken = PAPERS.flatMap((paper) =>
      [
        ...read(paper)
          .replace(/^```[^]*?^```$/gm, '')
          .matchAll(/\]\((?!https?:|#)([^)]+)\)/g),
      ]
        .map(([, link]) => path.join(path.dirname(paper), link!))
        .filter((file) => !existsSync(path.join(root, file))),
    );
    assert.deepEqual(broken, []);
  });

  it('list every code of the engine with its class, its fault and who meets it', () => {
    const listed = [
      ...read('docs/errors.md').matchAll(/^\| `(USMP_\w+)` +\| (.*?) +\| (.*?) +\| (.*?) *\|$/gm),
    ];
    const rows = listed.filter(([, , classes]) => /^`\w+(Error)`/.test(classes!));
    assert.deepEqual(
      rows.map(([, code, classes, faults, only]) => [code, classes, faults, only]),
      Object.entries<ErrorRow>(ERROR_CODES).map(([code, row]) => [
        code,
        quoted(row.class, row.alsoClass),
        quoted(row.fault, row.alsoFault),
        row.client === false ? 'server' : '',
      ]),
    );
  });

  it('name everything that the package exports', () => {
    const text = read('docs/api.md') + read('docs/errors.md');
    const missing = Object.keys(engine).filter((name) => !text.includes(name));
    assert.deepEqual(missing, []);
  });
});

const quoted = (...words: (string | undefined)[]): string =>
  words.flatMap((word) => (word === undefined ? [] : `\`${word}\``)).join(', ');
