/** What the package has to hold, against what npm packs. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = path.resolve(__dirname, '../..');
const module = pathToFileURL(path.join(root, 'scripts/package-files.mjs')).href;

describe('the files of the package', () => {
  let folder: string;

  /** The package as it would be published, in a folder where files can be taken away. */
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'usmp-files-'));
    for (const entry of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'dist', 'docs', 'examples'])
      await cp(path.join(root, entry), path.join(folder, entry), { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** @returns what is said against what npm would pack there. */
  async function objections(): Promise<string[]> {
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json'], {
        cwd: folder,
        encoding: 'utf8',
        shell: process.platform === 'win32',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ) as [{ files: { path: string }[] }];
    const check = (await import(module)) as { objections: (paths: string[]) => Promise<string[]> };
    return check.objections(packed.files.map((file) => file.path));
  }

  it('are those that the sources say', async () => assert.deepEqual(await objections(), []));

  it('are missed, each of them, when the build or package.json leaves them out', async () => {
    const missing = [
      'CHANGELOG.md',
      'LICENSE',
      'dist/nodes/cli/main.js',
      'dist/nodes/icons/usmp-ping.svg',
      'dist/nodes/locales/de/usmp-in.json',
      'dist/nodes/locales/ja/usmp-out.html',
      'dist/nodes/shared/words/text.js',
      'dist/nodes/usmp-client.html',
      'dist/nodes/usmp-client.js',
      'dist/src/index.d.ts',
      'dist/src/index.js',
      'docs/api.md',
      'docs/cli.md',
      'docs/errors.md',
      'docs/protocol.md',
    ];
    for (const file of missing) await rm(path.join(folder, file));
    const settings = path.join(folder, 'package.json');
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace('"examples",', '"examples", "!examples/3*",'));
    assert.deepEqual(
      await objections(),
      [...missing, 'examples/3 - Telemetry.json'].map((file) => `missing from the package: ${file}`),
    );
  });

  it('are too many when there are others beside them', async () => {
    const others = ['dist/src/index.js.map', 'dist/test/errors.test.js', 'examples/notes.txt'];
    for (const file of others) await cp(path.join(root, 'LICENSE'), path.join(folder, file));
    assert.deepEqual(
      await objections(),
      others.map((file) => `in the package, but not for users: ${file}`),
    );
  });
});
