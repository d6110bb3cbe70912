/** The rooms of the engine and the doors between them: which file may import which. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { importsOf, type Import } from './support/imports.js';

const ROOT = join(__dirname, '..');

/** Which other rooms a room may import from; from itself it always may, the nodes excepted. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  'error-codes': [],
  errors: ['error-codes'],
  check: ['errors'],
  clock: ['errors'],
  wire: ['errors', 'check'],
  transport: ['errors'],
  crypto: ['errors', 'check', 'wire'],
  link: ['errors', 'wire', 'crypto'],
  delivery: ['errors', 'check', 'clock', 'wire'],
  handshake: ['errors', 'wire', 'crypto'],
  session: ['errors', 'wire', 'crypto'],
  party: ['errors', 'wire', 'crypto', 'handshake', 'session', 'link'],
  endpoint: ['errors', 'check', 'clock', 'wire', 'crypto', 'handshake', 'transport', 'party'],
  client: [
    ...[
      'error-codes',
      'errors',
      'check',
      'clock',
      'wire',
      'crypto',
      'handshake',
      'transport',
      'link',
      'party',
    ],
    ...['delivery', 'endpoint'],
  ],
  server: [
    ...['errors', 'check', 'clock', 'wire', 'crypto', 'handshake', 'transport', 'link', 'party'],
    ...['delivery', 'endpoint'],
  ],
  index: [
    ...['error-codes', 'errors', 'check', 'clock', 'wire', 'crypto', 'transport'],
    ...['delivery', 'endpoint', 'client', 'server'],
  ],
  'nodes/shared/words': ['index'],
  'nodes/shared/exchange': ['index', 'nodes/shared/words'],
  'nodes/shared/dialog': ['index', 'nodes/shared/words', 'rules'],
  nodes: ['nodes/shared/words', 'nodes/shared/exchange', 'nodes/shared/dialog', 'index'],
  'nodes/cli': ['index', 'nodes/shared/words', 'rules'],
  // Which files of these rooms they may import, RULES says.
  rules: ['errors', 'check', 'wire', 'crypto', 'delivery', 'client'],
  'nodes/editor': ['rules', 'errors', 'wire', 'crypto'],
};

/** What runs in a browser as well as in Node.js: the dialogs import nothing else, nor do these themselves. */
const RULES: readonly string[] = [
  'nodes/shared/dialog/rules.ts',
  'src/check.ts',
  'src/client/limits.ts',
  'src/crypto/psk.ts',
  'src/delivery/limits.ts',
  'src/error-codes.ts',
  'src/errors.ts',
  'src/wire/bytes.ts',
  'src/wire/constants.ts',
  'src/wire/device-id.ts',
];

const MAX_LINES = 400;

/** The room of a file, given by its path from the root: `src/wire/frame.ts` is in `wire`. */
function roomOf(path: string): string | undefined {
  const [top, first, second] = path.split('/');
  if (path === 'nodes/shared/dialog/rules.ts') return 'rules';
  if (top === 'nodes') {
    if (first === 'editor' || first === 'cli') return `nodes/${first}`;
    if (first === 'shared') return second === undefined ? undefined : `nodes/shared/${second}`;
    return second === undefined && /^usmp-.*\.ts$/.test(first ?? '') ? 'nodes' : undefined;
  }
  const room = second === undefined ? first?.replace(/\.ts$/, '') : first;
  return top === 'src' && room !== undefined && room in DOORS ? room : undefined;
}

/** Why `path` may not import this, or undefined when it may. */
function objection(path: string, { specifier, typeOnly }: Import): string | undefined {
  const room = roomOf(path);
  if (room === undefined) return 'the file belongs to no room';
  const isForBrowsers = room === 'nodes/editor' || RULES.includes(path);
  if (specifier.startsWith('.')) {
    const file = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
    const target = roomOf(file);
    if (target === undefined) return 'it leads to no room';
    const open = DOORS[room]!.includes(target) || (target === room && room !== 'nodes');
    if (!open) return `${room} has no door to ${target}`;
    const runsInBrowsers = target === 'nodes/editor' || RULES.includes(file);
    return isForBrowsers && !runsInBrowsers ? 'no browser runs it' : undefined;
  }
  if (isForBrowsers) return 'no browser has it';
  if (specifier === 'node-red' || specifier.startsWith('@node-red/')) {
    if (room === 'nodes/cli') return 'the command line knows nothing of Node-RED';
    if (path.startsWith('src/')) return 'the engine knows nothing of Node-RED';
    return typeOnly ? undefined : 'only types of Node-RED may be imported, the runtime is handed in';
  }
  if (/^((node:)?crypto|@noble\/.*)$/.test(specifier)) {
    return room === 'crypto' ? undefined : 'cryptography is named in src/crypto only';
  }
  return specifier.startsWith('node:') && isBuiltin(specifier)
    ? undefined
    : 'no such dependency is agreed on';
}

function filesUnder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.ts'))
    .sort();
}

const FILES = [...filesUnder('src'), ...filesUnder('nodes')].map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), 'utf8'),
}));

describe('the architecture', () => {
  it('is kept by every import of every file', () => {
    const broken = FILES.flatMap(({ path, text }) =>
      importsOf(path, text).flatMap((each) => {
        const why = objection(path, each);
        return why === undefined ? [] : [`${path} imports ${each.specifier}: ${why}`];
      }),
    );
    assert.deepEqual(broken, []);
  });

  it('has a room for every file, and a file for every room', () => {
    assert.deepEqual(
      FILES.filter(({ path }) => roomOf(path) === undefined),
      [],
    );
    const used = new Set(FILES.map(({ path }) => roomOf(path)));
    assert.deepEqual(
      Object.keys(DOORS).filter((room) => !used.has(room)),
      [],
    );
  });

  it('is drawn in CONTRIBUTING.md as it is here', () => {
    const text = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
    const lines = [...text.matchAll(/^(\S+) +-> *(.*)$/gm)];
    const drawn = lines.map(([, room, doors]) => [room, doors!.split(', ').filter(Boolean).sort()]);
    const sorted = Object.entries(DOORS).map(([room, doors]) => [room, [...doors].sort()]);
    assert.deepEqual(Object.fromEntries(drawn), Object.fromEntries(sorted));
    // From the top floor down: what is imported stands below.
    const order = lines.map(([, room]) => room);
    const upwards = lines.flatMap(([, room, doors]) =>
      doors!.split(', ').filter((door) => door && order.indexOf(door) < order.indexOf(room)),
    );
    assert.deepEqual(upwards, []);
    const explained = [...text.matchAll(/^\| +(`[^|]*) \|/gm)].flatMap(([, names]) =>
      names!.match(/[\w/-]+/g),
    );
    const unexplained = Object.keys(DOORS).filter((room) => !explained.includes(room));
    assert.deepEqual(unexplained, []);
  });

  it(`has no file of more than ${MAX_LINES} lines`, () => {
    const long = FILES.flatMap(({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      return lines > MAX_LINES ? [`${path} has ${lines} lines: it asks to be two files`] : [];
    });
    assert.deepEqual(long, []);
  });
});

describe('the check of the architecture', () => {
  const table: { path: string; imports: string; objects: RegExp | undefined }[] = [
    { path: 'src/wire/frame.ts', imports: `import { a } from '../errors.js'`, objects: undefined },
    { path: 'src/wire/frame.ts', imports: `import { a } from './crc16.js'`, objects: undefined },
    {
      path: 'src/wire/frame.ts',
      imports: `import { a } from '../crypto/psk.js'`,
      objects: /wire has no door to crypto/,
    },
    { path: 'src/wire/frame.ts', imports: `import type { a } from '../crypto/psk.js'`, objects: /no door/ },
    { path: 'src/wire/frame.ts', imports: `export * from '../session/session.js'`, objects: /no door/ },
    { path: 'src/wire/frame.ts', imports: `let a: import('../party/party.js').Party`, objects: /no door/ },
    { path: 'src/wire/frame.ts', imports: `await import('../party/party.js')`, objects: /no door/ },
    { path: 'src/wire/frame.ts', imports: `require('../party/party.js')`, objects: /no door/ },
    { path: 'src/wire/frame.ts', imports: `import a = require('../party/party.js')`, objects: /no door/ },
    { path: 'src/wire/frame.ts', imports: `await import(somewhere)`, objects: /no such dependency/ },
    { path: 'src/errors.ts', imports: `import './clock.js'`, objects: /errors has no door to clock/ },
    {
      path: 'src/server/options.ts',
      imports: `import '../client/options.js'`,
      objects: /server has no door to client/,
    },
    { path: 'src/party/party.ts', imports: `import '../index.js'`, objects: /party has no door to index/ },
    {
      path: 'src/party/party.ts',
      imports: `import '../../nodes/shared/words/text.js'`,
      objects: /no door to nodes/,
    },
    {
      path: 'src/party/party.ts',
      imports: `import '../../test/support/hex.js'`,
      objects: /leads to no room/,
    },
    {
      path: 'src/crypto/aead.ts',
      imports: `import { gcm } from '@noble/ciphers/aes.js'`,
      objects: undefined,
    },
    { path: 'src/crypto/aead.ts', imports: `import 'node:crypto'`, objects: undefined },
    { path: 'src/session/session.ts', imports: `import 'node:crypto'`, objects: /src\/crypto only/ },
    { path: 'src/session/session.ts', imports: `import 'crypto'`, objects: /src\/crypto only/ },
    {
      path: 'src/session/session.ts',
      imports: `import '@noble/hashes/hmac.js'`,
      objects: /src\/crypto only/,
    },
    { path: 'src/transport/tcp.ts', imports: `import 'node:net'`, objects: undefined },
    { path: 'src/transport/tcp.ts', imports: `import 'typescript'`, objects: /no such dependency/ },
    {
      path: 'src/client/options.ts',
      imports: `import type { Node } from 'node-red'`,
      objects: /nothing of Node-RED/,
    },
    { path: 'nodes/usmp-in.ts', imports: `import type { Node } from 'node-red'`, objects: undefined },
    { path: 'nodes/usmp-in.ts', imports: `import { Node } from 'node-red'`, objects: /only types/ },
    { path: 'nodes/usmp-in.ts', imports: `import '../src/index.js'`, objects: undefined },
    { path: 'nodes/usmp-in.ts', imports: `import './shared/words/text.js'`, objects: undefined },
    { path: 'nodes/usmp-in.ts', imports: `import './usmp-out.js'`, objects: /nodes has no door to nodes/ },
    { path: 'nodes/usmp-in.ts', imports: `import '../src/client/options.js'`, objects: /no door to client/ },
    { path: 'nodes/shared/words/text.ts', imports: `import './status.js'`, objects: undefined },
    { path: 'nodes/shared/words/text.ts', imports: `import '../../usmp-in.js'`, objects: /no door to nodes/ },
    { path: 'nodes/shared/dialog/settings.ts', imports: `import './rules.js'`, objects: undefined },
    {
      path: 'nodes/shared/words/text.ts',
      imports: `import '../exchange/lives.js'`,
      objects: /words has no door to nodes\/shared\/exchange/,
    },
    {
      path: 'nodes/shared/exchange/lives.ts',
      imports: `import '../dialog/settings.js'`,
      objects: /exchange has no door to nodes\/shared\/dialog/,
    },
    {
      path: 'nodes/shared/dialog/settings.ts',
      imports: `import '../../editor/psk.js'`,
      objects: /no door to nodes\/editor/,
    },
    {
      path: 'nodes/shared/dialog/rules.ts',
      imports: `import '../../../src/crypto/psk.js'`,
      objects: undefined,
    },
    {
      path: 'nodes/shared/dialog/rules.ts',
      imports: `import './settings.js'`,
      objects: /no door to nodes\/shared/,
    },
    {
      path: 'nodes/shared/dialog/rules.ts',
      imports: `import '../../../src/client/options.js'`,
      objects: /no browser runs it/,
    },
    { path: 'src/crypto/psk.ts', imports: `import './secret.js'`, objects: /no browser runs it/ },
    { path: 'src/crypto/psk.ts', imports: `import 'node:crypto'`, objects: /no browser has it/ },
    { path: 'nodes/cli/send.ts', imports: `import '../../src/index.js'`, objects: undefined },
    { path: 'nodes/cli/send.ts', imports: `import './key.js'`, objects: undefined },
    { path: 'nodes/cli/send.ts', imports: `import '../shared/words/explain.js'`, objects: undefined },
    { path: 'nodes/cli/send.ts', imports: `import '../../src/wire/bytes.js'`, objects: /no door to wire/ },
    {
      path: 'nodes/cli/send.ts',
      imports: `import '../shared/exchange/lives.js'`,
      objects: /no door to nodes\/shared\/exchange/,
    },
    {
      path: 'nodes/cli/send.ts',
      imports: `import type { Node } from 'node-red'`,
      objects: /nothing of Node-RED/,
    },
    { path: 'nodes/usmp-in.ts', imports: `import './cli/send.js'`, objects: /no door to nodes\/cli/ },
    { path: 'nodes/editor/psk.ts', imports: `import './fields.js'`, objects: undefined },
    { path: 'nodes/editor/psk.ts', imports: `import '../../src/crypto/psk.js'`, objects: undefined },
    { path: 'nodes/editor/psk.ts', imports: `import '../shared/dialog/rules.js'`, objects: undefined },
    {
      path: 'nodes/editor/psk.ts',
      imports: `import '../shared/dialog/settings.js'`,
      objects: /no door to nodes\/shared/,
    },
    {
      path: 'nodes/editor/psk.ts',
      imports: `import '../../src/crypto/secret.js'`,
      objects: /no browser runs it/,
    },
    {
      path: 'nodes/editor/psk.ts',
      imports: `import type { A } from 'node-red'`,
      objects: /no browser has it/,
    },
    { path: 'src/stray.ts', imports: `import './errors.js'`, objects: /belongs to no room/ },
  ];
  for (const { path, imports, objects } of table) {
    it(`${objects ? 'objects to' : 'allows'} ${imports} in ${path}`, () => {
      const found = importsOf(path, imports);
      assert.equal(found.length, 1);
      const why = objection(path, found[0]!);
      if (objects) assert.match(String(why), objects);
      else assert.equal(why, undefined);
    });
  }
});
