/** The tests mirror the tree: a file has a test of its name, or stands here with the test that covers it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { importsOf } from './support/imports.js';

const ROOT = join(__dirname, '..');

/** Files without a test of their name: the test of them, and why it is there. */
const ELSEWHERE: Readonly<Record<string, { readonly by: string; readonly why: string }>> = {
  'src/clock.ts': { by: 'test/client/usmp-client.test.ts', why: 'the real clock, behind real sockets' },
  'src/client/connection-options.ts': { by: 'test/index.test.ts', why: 'one table of all options' },
  'src/client/limits.ts': {
    by: 'test/client/options.test.ts',
    why: 'constants; the options are held to them',
  },
  'src/crypto/device-id.ts': { by: 'test/nodes/dialog/device-id.test.ts', why: 'one formula for the nodes' },
  'src/crypto/random.ts': { by: 'test/index.test.ts', why: 'one call of the runtime' },
  'src/crypto/derived-psk.ts': { by: 'test/server/keys.test.ts', why: 'a look-up like any other' },
  'src/crypto/key-mark.ts': { by: 'test/server/keys.test.ts', why: 'by which a key is known again' },
  'src/delivery/budget.ts': { by: 'test/delivery/mailbox.test.ts', why: 'what mailboxes hold together' },
  'src/delivery/chain.ts': { by: 'test/delivery/outbox.test.ts', why: 'the list that an outbox is' },
  'src/delivery/limits.ts': {
    by: 'test/client/options.test.ts',
    why: 'constants; the options are held to them',
  },
  'src/delivery/message.ts': { by: 'test/delivery/outbox.test.ts', why: 'types, and what an outbox holds' },
  'src/delivery/options.ts': { by: 'test/index.test.ts', why: 'one table of all options' },
  'src/delivery/policy.ts': {
    by: 'test/delivery/courier.test.ts',
    why: 'constants; the courier goes by them',
  },
  'src/delivery/waiting.ts': { by: 'test/delivery/outbox.test.ts', why: 'the part of an outbox that waits' },
  'src/endpoint/guarded.ts': { by: 'test/endpoint/endpoint.test.ts', why: 'what listeners throw' },
  'src/error-codes.ts': { by: 'test/errors.test.ts', why: 'the table of the error classes' },
  'src/handshake/handshake.ts': { by: 'test/handshake/joined.test.ts', why: 'what both sides share' },
  'src/link/link.ts': { by: 'test/link/stream-link.test.ts', why: 'the interface of both links' },
  'src/server/device-options.ts': {
    by: 'test/server/options.test.ts',
    why: 'part of the options of a server',
  },
  'src/server/device.ts': { by: 'test/server/devices.test.ts', why: 'a record of the table of devices' },
  'src/server/sessions.ts': { by: 'test/server/usmp-server.test.ts', why: 'made by a server only' },
  'src/server/listen.ts': { by: 'test/server/crowds.test.ts', why: 'needs sockets and a server' },
  'src/server/listener.ts': {
    by: 'test/server/usmp-server.test.ts',
    why: 'ports that cannot be listened on',
  },
  'src/server/server-session.ts': { by: 'test/server/usmp-server.test.ts', why: 'made by a server only' },
  'src/server/tcp-listener.ts': { by: 'test/server/usmp-server.test.ts', why: 'needs a socket and a server' },
  'src/transport/transport.ts': { by: 'test/transport/tcp.test.ts', why: 'types, which tcp and udp fill' },
  'src/wire/bytes.ts': { by: 'test/wire/frame.test.ts', why: 'joins and compares what frames are made of' },
  'nodes/cli/help.ts': { by: 'test/nodes/cli/main.test.ts', why: 'what main shows of the commands' },
  'nodes/cli/world.ts': { by: 'test/nodes/cli/main.test.ts', why: 'what all commands stand on' },
  'nodes/shared/dialog/deployed.ts': {
    by: 'test/nodes/dialog/test-connection.test.ts',
    why: 'needs Node-RED',
  },
  'nodes/shared/dialog/permission.ts': {
    by: 'test/nodes/dialog/test-connection.test.ts',
    why: 'needs Node-RED',
  },
  'nodes/shared/exchange/config-node.ts': { by: 'test/nodes/flow.test.ts', why: 'needs Node-RED' },
  'nodes/shared/exchange/exchange.ts': {
    by: 'test/nodes/flow.test.ts',
    why: 'types, which an exchange fills',
  },
  'nodes/shared/words/codes.ts': { by: 'test/nodes/catalogue.test.ts', why: 'a table; the words for it' },
  'nodes/shared/words/explain.ts': {
    by: 'test/nodes/dialog/test-connection.test.ts',
    why: 'its errors are those of a test of the connection',
  },
  'nodes/shared/words/text.ts': { by: 'test/nodes/words/status.test.ts', why: 'every word goes through it' },
};

const posixFiles = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(folder, name.replaceAll('\\', '/')))
    .filter((file) => file.endsWith('.ts'))
    .sort();

/** `src/wire/frame.ts` has `test/wire/frame.test.ts`, `nodes/shared/words/status.ts` has `test/nodes/words/…`,
 * `nodes/cli/send.ts` has `test/nodes/cli/…`. */
const testOf = (file: string): string =>
  file
    .replace(/^src\//, 'test/')
    .replace(/^nodes\/shared\//, 'test/nodes/')
    .replace(/^nodes\/cli\//, 'test/nodes/cli/')
    .replace(/\.ts$/, '.test.ts');

/** All files that a test reaches by imports. */
function reached(test: string, found = new Set<string>()): Set<string> {
  if (found.has(test) || !existsSync(join(ROOT, test))) return found;
  found.add(test);
  for (const { specifier } of importsOf(test, readFileSync(join(ROOT, test), 'utf8'))) {
    if (!specifier.startsWith('.')) continue;
    reached(posix.join(posix.dirname(test), specifier).replace(/\.js$/, '.ts'), found);
  }
  return found;
}

describe('the tree of tests', () => {
  const files = [...posixFiles('src'), ...posixFiles('nodes/shared'), ...posixFiles('nodes/cli')];
  const has = (file: string): boolean => existsSync(join(ROOT, testOf(file)));

  it('has a test for every file, of its name or told here', () => {
    assert.deepEqual(
      files.filter((file) => !has(file) && !(file in ELSEWHERE)),
      [],
    );
  });

  it('has nothing told here that is not so: the file is there, has no test of its name, and its test reaches it', () => {
    const wrong = Object.entries(ELSEWHERE).flatMap(([file, { by }]) => {
      if (!files.includes(file)) return [`${file} is gone`];
      if (has(file)) return [`${file} has a test of its name`];
      return reached(by).has(file) ? [] : [`${by} does not reach ${file}`];
    });
    assert.deepEqual(wrong, []);
  });

  it('tests each file by its name: the test imports it', () => {
    const wrong = files.filter(has).filter((file) => !reached(testOf(file)).has(file));
    assert.deepEqual(wrong, []);
  });
});
