// Writes flows_cred.json as Node-RED does when settings.js has a credentialSecret: AES-256-CTR under its SHA-256.
import { createCipheriv, createHash, randomBytes } from 'node:crypto';

export function encryptCredentials(secret, credentials) {
  const key = createHash('sha256').update(secret).digest();
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-ctr', key, iv);
  const text = cipher.update(JSON.stringify(credentials), 'utf8', 'base64') + cipher.final('base64');
  return { $: iv.toString('hex') + text };
}
