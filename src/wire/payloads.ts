/** The payloads of the handshake's frames (protocol §1, §2). */
import { PayloadError } from '../errors.js';
import { concat, copyOf } from './bytes.js';
import {
  COOKIE_BYTES,
  DEVICE_ID_BYTES,
  NONCE_BYTES,
  PROOF_BYTES,
  PUBLIC_KEY_BYTES,
  SESSION_ID_BYTES,
} from './constants.js';

/** Splits a payload into fields of the given sizes. */
function split(name: string, payload: Uint8Array, ...sizes: readonly number[]): Uint8Array[] {
  const expected = sizes.reduce((sum, size) => sum + size, 0);
  if (payload.length !== expected) {
    throw new PayloadError(`${name} with ${payload.length} payload bytes; ${expected} expected`);
  }
  let at = 0;
  return sizes.map((size) => copyOf(payload, at, (at += size)));
}

export interface Hello {
  readonly deviceId: Uint8Array;
  readonly clientPublic: Uint8Array;
  /** Only in the second HELLO over UDP. */
  readonly cookie?: Uint8Array;
}

const PLAIN_HELLO_BYTES = DEVICE_ID_BYTES + PUBLIC_KEY_BYTES;

export function encodeHello(hello: Hello): Uint8Array {
  const plain = concat(hello.deviceId, hello.clientPublic);
  return hello.cookie ? concat(plain, hello.cookie) : plain;
}

export function decodeHello(payload: Uint8Array): Hello {
  if (payload.length === PLAIN_HELLO_BYTES) {
    const [deviceId, clientPublic] = split('HELLO', payload, DEVICE_ID_BYTES, PUBLIC_KEY_BYTES) as Pair;
    return { deviceId, clientPublic };
  }
  const [deviceId, clientPublic, cookie] = split(
    'HELLO',
    payload,
    DEVICE_ID_BYTES,
    PUBLIC_KEY_BYTES,
    COOKIE_BYTES,
  ) as [Uint8Array, Uint8Array, Uint8Array];
  return { deviceId, clientPublic, cookie };
}

export interface Challenge {
  readonly nonce: Uint8Array;
  readonly serverPublic: Uint8Array;
}

export function encodeChallenge({ nonce, serverPublic }: Challenge): Uint8Array {
  return concat(nonce, serverPublic);
}

export function decodeChallenge(payload: Uint8Array): Challenge {
  const [nonce, serverPublic] = split('CHALLENGE', payload, NONCE_BYTES, PUBLIC_KEY_BYTES) as Pair;
  return { nonce, serverPublic };
}

export function decodeHelloRetry(payload: Uint8Array): Uint8Array {
  return (split('HELLO_RETRY', payload, COOKIE_BYTES) as [Uint8Array])[0];
}

export function decodeHelloAck(payload: Uint8Array): Uint8Array {
  return (split('HELLO_ACK', payload, PROOF_BYTES) as [Uint8Array])[0];
}

export interface SessionOk {
  readonly sessionId: Uint8Array;
  readonly proof: Uint8Array;
}

export function encodeSessionOk({ sessionId, proof }: SessionOk): Uint8Array {
  return concat(sessionId, proof);
}

export function decodeSessionOk(payload: Uint8Array): SessionOk {
  const [sessionId, proof] = split('SESSION_OK', payload, SESSION_ID_BYTES, PROOF_BYTES) as Pair;
  return { sessionId, proof };
}

type Pair = [Uint8Array, Uint8Array];
