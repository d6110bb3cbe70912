// Before `npm publish`: only what is committed, has an entry in the change log and is built goes out, and only from the
// repository that package.json names. Lint, types and tests are CI's.
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fingerprint, root, STAMP } from './fingerprint.mjs';

const { version, repository } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

/** @returns nothing when git fails: there is no such remote or file, then. */
function git(...args) {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

/** Host and path: the same however the address of a repository is written, and with no password. */
const place = (url = '') =>
  /^(?:[\w+]+:\/\/)?(?:[^@/]*@)?(.+?)(?:\.git)?\/?$/.exec(url.trim())?.[1].replace(':', '/').toLowerCase();

/** `## 1.2.3 - 2026-01-31`: a version that goes out has a date. */
const isHeadingOf = (of, heading) =>
  heading.startsWith(`## ${of} - `) && /^\d{4}-\d{2}-\d{2}$/.test(heading.slice(`## ${of} - `.length));

const origin = git('remote', 'get-url', 'origin');
const changes = git('status', '--porcelain');
const headings = git('show', 'HEAD:CHANGELOG.md')?.split(/\r?\n/) ?? [];
const built = await readFile(STAMP, 'utf8').catch(() => undefined);

const reasons = [
  place(origin) !== place(repository.url) &&
    `The remote origin is ${place(origin) ?? 'missing'}, and package.json names ${place(repository.url)}. ` +
      'Publish from a clone of that repository, or correct package.json.',
  changes !== '' &&
    `The work tree is not clean; commit or remove:\n${changes?.trimEnd() ?? '(this is no git repository)'}`,
  !headings.some((heading) => isHeadingOf(version, heading)) &&
    `CHANGELOG.md has no section for ${version} in HEAD; commit one with the heading "## ${version} - ` +
      `${new Date().toISOString().slice(0, 10)}".`,
  built !== (await fingerprint()) && 'dist/ is not built from these sources; run `npm run build`.',
].filter(Boolean);

for (const reason of reasons) console.error(`Not to be published: ${reason}`);
process.exitCode = reasons.length > 0 ? 1 : 0;
