/**
 * The two cipher suites (protocol §3.2), behind one interface with two providers: `node:crypto` where the runtime
 * has the cipher, as it is faster, and `@noble/ciphers` where it has not (builds without ChaCha20, for instance).
 */
import { createCipheriv, createDecipheriv, getCiphers, type CipherGCMTypes } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { CryptoError } from '../errors.js';
import { concat } from '../wire/bytes.js';
import { AEAD_TAG_BYTES } from '../wire/constants.js';
import type { Secret } from './secret.js';

export const SUITES = ['aes-256-gcm', 'chacha20-poly1305'] as const;
export type Suite = (typeof SUITES)[number];
export const DEFAULT_SUITE: Suite = 'aes-256-gcm';

export interface Aead {
  /** @returns ciphertext ‖ tag(16). */
  seal(key: Secret, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** @throws CryptoError when the tag does not match: wrong key, nonce, AAD or ciphertext. */
  open(key: Secret, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array;
}

export interface AeadProvider {
  readonly name: string;
  supports(suite: Suite): boolean;
  create(suite: Suite): Aead;
}

function tagError(): CryptoError {
  return new CryptoError(
    'a frame failed its authentication: altered on its way, or sealed under another key or cipher suite',
    {
      code: 'USMP_TAG',
    },
  );
}

export const nodeAead: AeadProvider = {
  name: 'node:crypto',
  supports: (suite) => getCiphers().includes(suite),
  create(suite) {
    // Node's types know the option for GCM only under that name; ChaCha20-Poly1305 takes the same calls.
    const cipher = suite as CipherGCMTypes;
    const options = { authTagLength: AEAD_TAG_BYTES };
    return {
      seal(key, nonce, aad, plaintext) {
        const c = createCipheriv(cipher, key.bytes, nonce, options);
        c.setAAD(aad, { plaintextLength: plaintext.length });
        return concat(c.update(plaintext), c.final(), c.getAuthTag());
      },
      open(key, nonce, aad, sealed) {
        if (sealed.length < AEAD_TAG_BYTES) throw tagError();
        const length = sealed.length - AEAD_TAG_BYTES;
        const d = createDecipheriv(cipher, key.bytes, nonce, options);
        d.setAAD(aad, { plaintextLength: length });
        d.setAuthTag(sealed.subarray(length));
        try {
          return concat(d.update(sealed.subarray(0, length)), d.final());
        } catch {
          throw tagError();
        }
      },
    };
  },
};

export const nobleAead: AeadProvider = {
  name: '@noble/ciphers',
  supports: () => true,
  create(suite) {
    const cipher = suite === 'aes-256-gcm' ? gcm : chacha20poly1305;
    return {
      seal: (key, nonce, aad, plaintext) => cipher(key.bytes, nonce, aad).encrypt(plaintext),
      open(key, nonce, aad, sealed) {
        try {
          return cipher(key.bytes, nonce, aad).decrypt(sealed);
        } catch {
          throw tagError();
        }
      },
    };
  },
};

/** One for all sessions, as it keeps nothing. */
const made = new Map<Suite, Aead>();

/** That of the faster provider that has the suite. */
export function createAead(suite: Suite): Aead {
  const found = made.get(suite);
  if (found) return found;
  const aead = (nodeAead.supports(suite) ? nodeAead : nobleAead).create(suite);
  made.set(suite, aead);
  return aead;
}
