// What the demo keeps over its restarts: the flows and their credentials, which Node-RED reads and writes, and the
// gateway's key, which only the user may read.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { decryptCredentials, encryptCredentials } from './credentials.mjs';

export const FLOWS = 'flows.json';
export const CREDENTIAL_SECRET = 'demo';
const CREDENTIALS = 'flows_cred.json';
const KEY = 'psk';
const KEY_BYTES = 32;
const ONLY_USER = { file: 0o600, folder: 0o700 };

/** How each file is read, and what it has to be. */
const KEPT = {
  [FLOWS]: [(text) => readList(text), 'flows as Node-RED writes them'],
  [CREDENTIALS]: [
    (text) => decryptCredentials(CREDENTIAL_SECRET, JSON.parse(text)),
    'credentials as Node-RED writes them in the demo',
  ],
  [KEY]: [(text) => /^[0-9a-f]{64}$/.exec(text)[0], 'a key of 64 hex digits'],
};

function readList(text) {
  const list = JSON.parse(text);
  if (!Array.isArray(list)) throw new TypeError();
  return list;
}

/** Something that the user can mend: told without a stack. */
export class DemoError extends Error {}

/** @returns what is in the file, or undefined when there is none. @throws DemoError when it is of no use. */
async function read(folder, name) {
  const file = path.join(folder, name);
  const [parse, expected] = KEPT[name];
  const refuse = (why) => {
    throw new DemoError(
      `${file} ${why}. Nothing was changed. Repair the file, or start afresh with: npm start -- --fresh`,
    );
  };
  const text = await readFile(file, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') refuse(`cannot be read (${error.code})`);
  });
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch {
    // What the parser says could quote a secret.
    return refuse(`does not hold ${expected}`);
  }
}

/** Moves what is kept to a folder beside it, so that nothing that the user made is lost. */
async function setAside(folder, log) {
  const aside = path.join(folder, `before-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`);
  await mkdir(aside, { mode: ONLY_USER.folder });
  for (const name of Object.keys(KEPT)) {
    await rename(path.join(folder, name), path.join(aside, name)).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  log(`starting afresh; what was kept is in ${aside}`);
}

/**
 * Opens the folder: reads what is kept, and fills in what is not there yet.
 * @param options `fresh`: begin anew. `flows`: what to begin with, with credentials inline.
 * @returns the gateway's key as hex.
 * @throws DemoError when something is kept that cannot be read (it is left as it is), or the folder is not to be used.
 */
export async function openFolder(folder, options) {
  try {
    return await open(folder, options);
  } catch (error) {
    if (error.syscall === undefined) throw error;
    throw new DemoError(
      `${error.message}. The demo keeps its files there; USMP_DEMO_DIR names another folder.`,
    );
  }
}

async function open(folder, { fresh, flows, log }) {
  await mkdir(folder, { recursive: true, mode: ONLY_USER.folder });
  if (fresh) await setAside(folder, log);
  const write = (name, text) => writeFile(path.join(folder, name), text, { mode: ONLY_USER.file });

  const [keptFlows, credentials = {}, keptKey] = await Promise.all(
    [FLOWS, CREDENTIALS, KEY].map((name) => read(folder, name)),
  );
  const key = keptKey ?? randomBytes(KEY_BYTES).toString('hex');
  if (keptKey) await chmod(path.join(folder, KEY), ONLY_USER.file);
  else await write(KEY, key);
  if (keptFlows) {
    log(`your flows of last time are kept in ${folder}; to start afresh: npm start -- --fresh`);
    return key;
  }
  // Node-RED takes no credentials from the flows on disk. The flows come last: with them the folder is complete.
  for (const { id, credentials: own } of flows) if (own) credentials[id] = own;
  await write(CREDENTIALS, JSON.stringify(encryptCredentials(CREDENTIAL_SECRET, credentials)));
  await write(
    FLOWS,
    JSON.stringify(
      flows.map((node) => ({ ...node, credentials: undefined })),
      null,
      2,
    ),
  );
  return key;
}
