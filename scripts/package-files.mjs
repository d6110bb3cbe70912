// What the package has to hold, no more and no less: it follows from the sources and from what the build makes of them.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import ts from 'typescript';
import { root } from './fingerprint.mjs';

/** Papers; README links to those in docs, and the comments of the types cite the protocol. */
const TOP = [
  ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'],
  ...['docs/api.md', 'docs/cli.md', 'docs/errors.md', 'docs/protocol.md'],
];
/** Folders that are copied, and to where. */
const COPIED = {
  'nodes/locales': 'dist/nodes/locales',
  icons: 'dist/nodes/icons',
  examples: 'examples',
};

const slashes = (file) => file.split(path.sep).join('/');

function compiled() {
  const onUnRecoverableConfigFileDiagnostic = ({ messageText }) => {
    throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
  };
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic };
  const config = ts.getParsedCommandLineOfConfigFile(path.join(root, 'tsconfig.json'), {}, host);
  const made = config.fileNames.flatMap((file) => ts.getOutputFileNames(config, file, false));
  return made.map((file) => slashes(path.relative(root, file)));
}

async function copied(from, to) {
  const found = await readdir(path.join(root, from), { recursive: true, withFileTypes: true });
  return found
    .filter((file) => file.isFile())
    .map((file) => path.relative(path.join(root, from), path.join(file.parentPath, file.name)))
    .map((file) => path.posix.join(to, slashes(file)));
}

async function dialogs() {
  const files = await readdir(path.join(root, 'nodes'));
  return files.filter((file) => file.endsWith('.html')).map((file) => `dist/nodes/${file}`);
}

/** What package.json names, rightly or not. */
async function named() {
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  const strings = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(strings));
  const nodes = strings(manifest['node-red'].nodes);
  const files = [
    ...[manifest.main, manifest.types],
    ...[...strings(manifest.bin), ...strings(manifest.exports), ...nodes],
  ];
  return files.map((file) => path.posix.normalize(file));
}

/** @returns the paths that the package has to have, each once. */
async function packageFiles() {
  const copies = await Promise.all(Object.entries(COPIED).map(([from, to]) => copied(from, to)));
  const all = [...TOP, ...compiled(), ...copies.flat(), ...(await dialogs()), ...(await named())];
  return [...new Set(all)].sort();
}

/** @returns what is wrong with a package of these paths, a line each. */
export async function objections(paths) {
  const wanted = await packageFiles();
  return [
    ...wanted.filter((file) => !paths.includes(file)).map((file) => `missing from the package: ${file}`),
    ...paths
      .filter((file) => !wanted.includes(file))
      .map((file) => `in the package, but not for users: ${file}`),
  ];
}
