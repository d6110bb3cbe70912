/**
 * Return routability over UDP without keeping state (protocol §2.5): the cookie is an HMAC over the client's
 * address, port and a 30-second bucket, so that a forged source address costs this side no memory.
 */
import { cookieMac, equalProofs } from '../crypto/proofs.js';
import type { Random } from '../crypto/random.js';
import { KEY_BYTES } from '../crypto/schedule.js';
import { Secret } from '../crypto/secret.js';

const BUCKET_MS = 30_000;

export interface Cookies {
  issue(address: string, port: number, now: number): Uint8Array;
  /** The cookie of the running bucket or of the one before it. */
  accepts(cookie: Uint8Array, address: string, port: number, now: number): boolean;
}

export function createCookies(random: Random): Cookies {
  const key = new Secret(random(KEY_BYTES));
  const mac = (address: string, port: number, bucket: number): Uint8Array =>
    cookieMac(key, new TextEncoder().encode(`${address}|${port}|${bucket}`));
  const bucketAt = (now: number): number => Math.floor(now / BUCKET_MS);
  return {
    issue: (address, port, now) => mac(address, port, bucketAt(now)),
    accepts: (cookie, address, port, now) =>
      [0, 1].some((age) => equalProofs(cookie, mac(address, port, bucketAt(now) - age))),
  };
}
