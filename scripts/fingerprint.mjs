// Tells whether what was installed and built still fits the sources: a hash of all that goes into the build.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '..');
export const STAMP = path.join(root, 'dist', '.fingerprint');

const INPUTS = ['src', 'nodes', 'icons', 'tsconfig.json', 'package-lock.json', 'scripts/build.mjs'];

async function files(entry) {
  const found = await readdir(entry, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!found) return [entry];
  return found.filter((file) => file.isFile()).map((file) => path.join(file.parentPath, file.name));
}

export async function fingerprint() {
  const all = (await Promise.all(INPUTS.map((input) => files(path.join(root, input))))).flat().sort();
  const hash = createHash('sha256');
  for (const file of all)
    hash
      .update(path.relative(root, file))
      .update('\0')
      .update(await readFile(file));
  return hash.digest('hex');
}
