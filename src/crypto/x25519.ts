/** X25519 key agreement (RFC 7748; protocol §2), from node:crypto. */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { CryptoError } from '../errors.js';
import { concat } from '../wire/bytes.js';
import { PUBLIC_KEY_BYTES } from '../wire/constants.js';
import { systemRandom, type Random } from './random.js';
import { Secret } from './secret.js';

/** DER wrapping of a raw private key (RFC 8410): node:crypto takes no raw X25519 keys on every supported Node.js. */
const PKCS8_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b656e04220420', 'hex'));

export interface KeyPair {
  readonly publicKey: Uint8Array;
  /** The shared secret with `peerPublic`; CryptoError when it is all zero, which a small-order key forces. */
  agree(peerPublic: Uint8Array): Secret;
}

/**
 * A fresh key pair. The system's random bytes OpenSSL takes itself, a tenth of the work, and the private key never
 * leaves it; of any other source it is made of 32 bytes, which are wiped.
 */
export function generateKeyPair(random: Random): KeyPair {
  const privateKey = random === systemRandom ? generateKeyPairSync('x25519').privateKey : keyOf(random);
  return {
    publicKey: toRaw(createPublicKey(privateKey)),
    agree: (peerPublic) => agree(privateKey, peerPublic),
  };
}

function keyOf(random: Random): KeyObject {
  const seed = random(PUBLIC_KEY_BYTES);
  const der = Buffer.from(concat(PKCS8_PREFIX, seed).buffer); // the same memory, wiped below
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  seed.fill(0);
  return privateKey;
}

/** Public keys go in and out as JWK (RFC 8037), which OpenSSL reads ten times as fast as DER; no private key does. */
function toRaw(publicKey: KeyObject): Uint8Array {
  return Uint8Array.from(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'));
}

function fromRaw(publicKey: Uint8Array): KeyObject {
  const x = Buffer.from(publicKey).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
}

function agree(privateKey: KeyObject, peerPublic: Uint8Array): Secret {
  if (peerPublic.length !== PUBLIC_KEY_BYTES) {
    throw new CryptoError(`a public key of ${peerPublic.length} bytes; ${PUBLIC_KEY_BYTES} expected`, {
      code: 'USMP_BAD_PUBLIC_KEY',
    });
  }
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey, publicKey: fromRaw(peerPublic) });
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
