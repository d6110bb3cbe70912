/** Two ends of one session, and frames that a well-behaved end would not make. */
import assert from 'node:assert/strict';
import { createAead, type Suite } from '../../src/crypto/aead.js';
import type { Random } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import { Session, type Content, type SealedFrame, type SessionOptions } from '../../src/session/session.js';
import type { USMPError } from '../../src/errors.js';
import { concat, viewOf } from '../../src/wire/bytes.js';
import { SEAL_BYTES, type FrameType, type LinkKind } from '../../src/wire/constants.js';
import { decodeFrame, encodeAad, type Frame } from '../../src/wire/frame.js';
import { hex } from './hex.js';
import { seededRandom } from './random.js';

export const SESSION_ID = hex('f0e1d2c3b4a5968778695a4b3c2d1e0f');
/** The key under which `a` sends, and the one under which `b` does. */
export const KEY_A = hex('0a'.repeat(16) + '1b'.repeat(16));
export const KEY_B = hex('2c'.repeat(16) + '3d'.repeat(16));

export function makeSession(options: Partial<SessionOptions> = {}): Session {
  return new Session({
    sessionId: SESSION_ID,
    txKey: new Secret(KEY_A),
    rxKey: new Secret(KEY_B),
    suite: 'aes-256-gcm',
    over: 'stream',
    random: seededRandom(1),
    ...options,
  });
}

export function makePair(
  over: LinkKind,
  suite: Suite = 'aes-256-gcm',
  random: Random = seededRandom(1),
): { a: Session; b: Session } {
  return {
    a: makeSession({ over, suite, random }),
    b: makeSession({ over, suite, random, txKey: new Secret(KEY_B), rxKey: new Secret(KEY_A) }),
  };
}

/** As the other end gets it. */
export function onWire(sealed: SealedFrame): Frame {
  return decodeFrame(sealed.bytes);
}

/** What the receiver makes of these frames, in this order. */
export function deliver(to: Session, ...frames: readonly SealedFrame[]): Content[] {
  return frames.map((frame) => to.open(onWire(frame)).content);
}

/** The messages among what was delivered; anything else is left out. */
export function messages(contents: readonly Content[]): Uint8Array[] {
  return contents.flatMap((content) => (content.kind === 'message' ? [content.data] : []));
}

/** The error of content that has to be at fault in this way. */
export function faultOf(content: Content, kind: 'violation' | 'fatal'): USMPError {
  if (content.kind !== kind) assert.fail(`expected a ${kind}, got ${content.kind}`);
  return content.error;
}

export interface HandMade {
  readonly key: Uint8Array;
  readonly suite?: Suite;
  readonly sessionId?: Uint8Array;
  readonly type: FrameType;
  readonly seq: number;
  readonly plaintext?: Uint8Array;
}

/** Seals a frame by protocol §3.1 alone, with any type and number; what `Session` would not send can be made so. */
export function sealByHand({
  key,
  suite = 'aes-256-gcm',
  sessionId = SESSION_ID,
  type,
  seq,
  plaintext = new Uint8Array(0),
}: HandMade): Frame {
  const nonce = new Uint8Array(12);
  viewOf(nonce).setUint32(0, seq, true);
  nonce.set(sessionId.subarray(0, 8), 4);
  const aad = encodeAad(type, seq, plaintext.length + SEAL_BYTES);
  const payload = concat(nonce, createAead(suite).seal(new Secret(key), nonce, aad, plaintext));
  return { type, seq, payload };
}
