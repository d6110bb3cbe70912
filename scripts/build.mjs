// Compiles to dist/ and lays beside the compiled nodes what Node-RED looks for there: dialogs, locales, icons.
// A type error ends the build, and dist/ is left without the file that says it is up to date.
import { spawnSync } from 'node:child_process';
import { chmod, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { fingerprint, root, STAMP } from './fingerprint.mjs';

const require = createRequire(import.meta.url);
const nodes = path.join(root, 'nodes');
const dist = path.join(root, 'dist');

function compile(project) {
  const args = [require.resolve('typescript/bin/tsc'), '-p', project];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** The code of a dialog and all that it imports, as one script that people and node-red-dev can still read. */
async function bundle(entry) {
  const { outputFiles } = await esbuild.build({
    // As a file, it would count as CommonJS, as the package is, and be wrapped so that nobody can read it.
    stdin: {
      contents: await readFile(entry, 'utf8'),
      sourcefile: path.relative(root, entry),
      resolveDir: path.dirname(entry),
      loader: 'ts',
    },
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** Puts into the HTML of a node type what it only names: pieces of HTML that others have too, and its code. */
async function assemble(file) {
  let html = await readFile(path.join(nodes, file), 'utf8');
  const fill = async (pattern, contentOf) => {
    for (const [mark, name] of html.matchAll(pattern)) {
      const content = await contentOf(path.join(nodes, name));
      html = html.replace(mark, () => content);
    }
  };
  await fill(/<!-- include (\S+) -->\n/g, (piece) => readFile(piece, 'utf8'));
  await fill(
    /<script type="text\/javascript" src="([^"]+)"><\/script>/g,
    async (entry) => `<script type="text/javascript">\n${await bundle(entry)}</script>`,
  );
  await writeFile(path.join(dist, 'nodes', file), html);
}

await rm(dist, { recursive: true, force: true });
compile(root);
compile(path.join(nodes, 'editor'));
await cp(path.join(nodes, 'locales'), path.join(dist, 'nodes', 'locales'), { recursive: true });
await cp(path.join(root, 'icons'), path.join(dist, 'nodes', 'icons'), { recursive: true });
for (const file of await readdir(nodes)) if (file.endsWith('.html')) await assemble(file);
await chmod(path.join(dist, 'nodes', 'cli', 'main.js'), 0o755); // npm does so where it installs, not in a clone
await writeFile(STAMP, await fingerprint());
