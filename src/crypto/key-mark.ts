/**
 * By which a server knows a key again without keeping it: whether a session was opened with a key that is still valid.
 * A mark is good within this process only, and nobody can compute a key from it.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../wire/bytes.js';
import { KEY_BYTES } from './schedule.js';
import { systemRandom } from './random.js';
import { Secret } from './secret.js';

/** Made anew in each process, so that marks tell nothing outside of it. */
const salt = new Secret(systemRandom(KEY_BYTES));

/** The same text for the same key, in 64 hex digits. */
export const keyMark = (psk: Secret): string => toHex(hmac(sha256, salt.bytes, psk.bytes));
