// flows_cred.json as Node-RED has it when settings.js has a credentialSecret: AES-256-CTR under its SHA-256.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-ctr';
const IV_DIGITS = 32;
const keyOf = (secret) => createHash('sha256').update(secret).digest();

export function encryptCredentials(secret, credentials) {
  const iv = randomBytes(IV_DIGITS / 2);
  const cipher = createCipheriv(ALGORITHM, keyOf(secret), iv);
  const text = cipher.update(JSON.stringify(credentials), 'utf8', 'base64') + cipher.final('base64');
  return { $: iv.toString('hex') + text };
}

/** @throws when they are not such credentials, or of another secret. */
export function decryptCredentials(secret, { $: text }) {
  const decipher = createDecipheriv(ALGORITHM, keyOf(secret), Buffer.from(text.slice(0, IV_DIGITS), 'hex'));
  return JSON.parse(decipher.update(text.slice(IV_DIGITS), 'base64', 'utf8') + decipher.final('utf8'));
}
