/** The directional keys of a session: HKDF-SHA256 (RFC 5869) at its start and at REKEY (protocol §2, §3.8). */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat } from '../wire/bytes.js';
import { Secret } from './secret.js';

export const KEY_BYTES = 32;

const HANDSHAKE_INFO = new TextEncoder().encode('usmp-v2');
const REKEY_INFO = new TextEncoder().encode('usmp-rekey');

export interface SessionKeys {
  readonly clientToServer: Secret;
  readonly serverToClient: Secret;
}

export interface RekeyedKeys {
  /** The new sending key of the side that sent REKEY. */
  readonly initiatorTx: Secret;
  readonly initiatorRx: Secret;
}

function deriveTwo(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array): [Secret, Secret] {
  const okm = hkdf(sha256, ikm, salt, info, 2 * KEY_BYTES);
  const keys: [Secret, Secret] = [
    new Secret(okm.subarray(0, KEY_BYTES)),
    new Secret(okm.subarray(KEY_BYTES)),
  ];
  okm.fill(0);
  return keys;
}

/** Protocol §2, step 3. `shared` is wiped. */
export function deriveSessionKeys(
  shared: Secret,
  nonce: Uint8Array,
  clientPublic: Uint8Array,
  serverPublic: Uint8Array,
): SessionKeys {
  const info = concat(HANDSHAKE_INFO, clientPublic, serverPublic);
  const [clientToServer, serverToClient] = deriveTwo(shared.bytes, nonce, info);
  shared.wipe();
  return { clientToServer, serverToClient };
}

/** Protocol §3.8. The old keys are left as they are: frames under them may still be on their way. */
export function deriveRekeyedKeys(
  oldInitiatorTx: Secret,
  oldInitiatorRx: Secret,
  salt: Uint8Array,
  sessionId: Uint8Array,
): RekeyedKeys {
  const ikm = concat(oldInitiatorTx.bytes, oldInitiatorRx.bytes);
  const [initiatorTx, initiatorRx] = deriveTwo(ikm, salt, concat(REKEY_INFO, sessionId));
  ikm.fill(0);
  return { initiatorTx, initiatorRx };
}
