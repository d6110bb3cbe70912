/** X25519 key agreement (RFC 7748; protocol §2), from node:crypto. */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import { CryptoError } from '../errors.js';
import { concat } from '../wire/bytes.js';
import { PUBLIC_KEY_BYTES } from '../wire/constants.js';
import type { Random } from './random.js';
import { Secret } from './secret.js';

/** DER wrappings of a raw key (RFC 8410): node:crypto takes no raw X25519 keys on every supported Node.js. */
const PKCS8_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b656e04220420', 'hex'));
const SPKI_PREFIX = Uint8Array.from(Buffer.from('302a300506032b656e032100', 'hex'));

export interface KeyPair {
  readonly publicKey: Uint8Array;
  /** The shared secret with `peerPublic`; CryptoError when it is all zero, which a small-order key forces. */
  agree(peerPublic: Uint8Array): Secret;
}

/** A fresh key pair from 32 bytes of `random`, which are wiped. */
export function generateKeyPair(random: Random): KeyPair {
  const seed = random(PUBLIC_KEY_BYTES);
  const der = Buffer.from(concat(PKCS8_PREFIX, seed).buffer); // the same memory, wiped below
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  seed.fill(0);
  const publicKey = Uint8Array.from(
    createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length),
  );
  return { publicKey, agree: (peerPublic) => agree(privateKey, peerPublic) };
}

function agree(privateKey: KeyObject, peerPublic: Uint8Array): Secret {
  if (peerPublic.length !== PUBLIC_KEY_BYTES) {
    throw new CryptoError(`a public key of ${peerPublic.length} bytes; ${PUBLIC_KEY_BYTES} expected`, {
      code: 'USMP_BAD_PUBLIC_KEY',
    });
  }
  let shared: Buffer;
  try {
    const der = Buffer.from(concat(SPKI_PREFIX, peerPublic));
    shared = diffieHellman({
      privateKey,
      publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }),
    });
  } catch (cause) {
    // OpenSSL itself refuses an all-zero result.
    throw new CryptoError("the peer's public key is not usable", { code: 'USMP_BAD_PUBLIC_KEY', cause });
  }
  if (shared.every((byte) => byte === 0)) {
    throw new CryptoError("the peer's public key is not usable", { code: 'USMP_BAD_PUBLIC_KEY' });
  }
  const secret = new Secret(shared);
  shared.fill(0);
  return secret;
}
