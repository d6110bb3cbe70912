/** What HMAC-SHA256 (RFC 2104) proves in USMP: knowledge of the PSK, and who sent a UTACK or asked for a cookie. */
import { timingSafeEqual } from 'node:crypto';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat } from '../wire/bytes.js';
import { COOKIE_BYTES, FrameType, MAGIC, UTACK_MAC_BYTES, VERSION } from '../wire/constants.js';
import { encodeUtackHead } from '../wire/utack.js';
import type { Secret } from './secret.js';

/** What both sides have seen of a handshake when it comes to the proofs. */
export interface ProofInput {
  readonly nonce: Uint8Array;
  readonly clientPublic: Uint8Array;
  readonly serverPublic: Uint8Array;
}

function proof(psk: Secret, type: FrameType, input: ProofInput, id: Uint8Array): Uint8Array {
  const label = Uint8Array.of(MAGIC & 0xff, MAGIC >> 8, VERSION, type);
  return hmac(sha256, psk.bytes, concat(label, input.nonce, id, input.clientPublic, input.serverPublic));
}

/** The client's proof (protocol §2, step 4). */
export function helloAckProof(psk: Secret, input: ProofInput, deviceId: Uint8Array): Uint8Array {
  return proof(psk, FrameType.HELLO_ACK, input, deviceId);
}

/** The server's proof (protocol §2, step 5). */
export function sessionOkProof(psk: Secret, input: ProofInput, sessionId: Uint8Array): Uint8Array {
  return proof(psk, FrameType.SESSION_OK, input, sessionId);
}

/** The mac of a UTACK, under the directional key of the frame that it acknowledges (protocol §4.1). */
export function utackMac(key: Secret, type: number, seq: number): Uint8Array {
  return hmac(sha256, key.bytes, encodeUtackHead(type, seq)).subarray(0, UTACK_MAC_BYTES);
}

/** The cookie of HELLO_RETRY (protocol §2): opaque to the client, so its input is the server's own affair. */
export function cookieMac(key: Secret, input: Uint8Array): Uint8Array {
  return hmac(sha256, key.bytes, input).subarray(0, COOKIE_BYTES);
}

/** Whether two proofs or macs are the same, in constant time. */
export function equalProofs(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
