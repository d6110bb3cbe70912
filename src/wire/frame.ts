/** One frame, to bytes and back (protocol §1). */
import { CRCError, FrameError, MagicError, PayloadError, VersionError } from '../errors.js';
import { copyOf, viewOf } from './bytes.js';
import {
  AAD_BYTES,
  HEADER_BYTES,
  isFrameType,
  MAGIC,
  MAX_PAYLOAD_BYTES,
  typeName,
  VERSION,
  type FrameType,
} from './constants.js';
import { crc16 } from './crc16.js';

export interface Frame {
  readonly type: FrameType;
  readonly seq: number;
  readonly payload: Uint8Array;
}

/** The frame's first ten bytes, which are the AAD of a sealed frame (protocol §3.1). */
export function encodeAad(type: FrameType, seq: number, length: number): Uint8Array {
  const aad = new Uint8Array(AAD_BYTES);
  const view = viewOf(aad);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  view.setUint8(3, type);
  view.setUint32(4, seq, true);
  view.setUint16(8, length, true);
  return aad;
}

/** @throws PayloadError when the payload is over 480 bytes. */
export function encodeFrame({ type, seq, payload }: Frame): Uint8Array {
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new PayloadError(
      `a payload of ${payload.length} bytes; a frame carries at most ${MAX_PAYLOAD_BYTES}`,
      {
        fault: 'local',
      },
    );
  }
  const aad = encodeAad(type, seq, payload.length);
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  bytes.set(aad);
  viewOf(bytes).setUint16(AAD_BYTES, crc16(aad, payload), true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/**
 * Checks as much of a header as is there, so that a stream of rubbish is refused at its first bytes.
 * @returns the size of the whole frame in bytes, or undefined when the length field has not arrived yet.
 * @throws MagicError, VersionError, FrameError (unknown type) or PayloadError (length over 480).
 */
export function checkHeader(bytes: Uint8Array): number | undefined {
  const view = viewOf(bytes);
  if (bytes.length >= 2 && view.getUint16(0, true) !== MAGIC) {
    throw new MagicError('the peer does not speak USMP: its bytes do not begin with CD AB');
  }
  if (bytes.length >= 3 && bytes[2] !== VERSION) throw new VersionError(view.getUint8(2));
  if (bytes.length >= 4 && !isFrameType(view.getUint8(3))) {
    throw new FrameError(`a frame of unknown ${typeName(view.getUint8(3))}`, { code: 'USMP_FRAME_TYPE' });
  }
  if (bytes.length < AAD_BYTES) return undefined;
  const length = view.getUint16(8, true);
  if (length > MAX_PAYLOAD_BYTES) {
    throw new PayloadError(
      `a frame that claims ${length} payload bytes; at most ${MAX_PAYLOAD_BYTES} are allowed`,
    );
  }
  return HEADER_BYTES + length;
}

/**
 * Reads one whole frame; the payload is a copy.
 * @throws FrameError or one of its subclasses when the bytes are not exactly one sound frame.
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  const size = checkHeader(bytes);
  if (size === undefined || size !== bytes.length) {
    throw new FrameError(`${bytes.length} bytes that are not one whole frame`);
  }
  const view = viewOf(bytes);
  const payload = copyOf(bytes, HEADER_BYTES);
  if (crc16(bytes.subarray(0, AAD_BYTES), payload) !== view.getUint16(AAD_BYTES, true)) {
    throw new CRCError('a frame was damaged on its way (CRC mismatch)');
  }
  return { type: view.getUint8(3) as FrameType, seq: view.getUint32(4, true), payload };
}
