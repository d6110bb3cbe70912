/** Bytes as an attacker or a broken network makes them. */
import { concat, viewOf } from '../../src/wire/bytes.js';
import { AAD_BYTES, HEADER_BYTES } from '../../src/wire/constants.js';
import { crc16 } from '../../src/wire/crc16.js';
import type { Seeded } from './random.js';

export interface Raw {
  readonly magic?: number;
  readonly version?: number;
  readonly type: number;
  readonly seq?: number;
  readonly payload?: Uint8Array;
  /** What the length field says; by default the truth. */
  readonly length?: number;
  /** What the CRC is off by. */
  readonly crcError?: number;
}

/** A frame with any header, sound but for what is asked for. */
export function rawFrame(raw: Raw): Uint8Array {
  const { magic = 0xabcd, version = 2, type, seq = 0, payload = new Uint8Array(0), crcError = 0 } = raw;
  const head = new Uint8Array(HEADER_BYTES);
  const view = viewOf(head);
  view.setUint16(0, magic, true);
  view.setUint8(2, version);
  view.setUint8(3, type);
  view.setUint32(4, seq, true);
  view.setUint16(8, raw.length ?? payload.length, true);
  const bytes = concat(head, payload);
  mendCrc(bytes);
  const whole = viewOf(bytes);
  whole.setUint16(AAD_BYTES, whole.getUint16(AAD_BYTES, true) ^ crcError, true);
  return bytes;
}

/** Makes the CRC right again, in place: it is no secret. */
export function mendCrc(bytes: Uint8Array): void {
  if (bytes.length < HEADER_BYTES) return;
  const crc = crc16(bytes.subarray(0, AAD_BYTES), bytes.subarray(HEADER_BYTES));
  viewOf(bytes).setUint16(AAD_BYTES, crc, true);
}

/** Rubbish, or one of these after some harm has come to it. */
export function mangled(random: Seeded, originals: readonly Uint8Array[]): Uint8Array {
  const original = random.pick(originals);
  switch (random.below(7)) {
    case 0:
      return random.bytes(random.below(600));
    case 1:
      return original.slice(0, random.below(original.length));
    case 2:
      return concat(original, random.bytes(1 + random.below(20)));
    case 3:
      return concat(original.slice(0, random.below(original.length)), random.pick(originals));
    default: {
      const bytes = original.slice();
      for (let i = random.below(4); i >= 0; i--) {
        bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      }
      return bytes;
    }
  }
}

/** As `mangled`, but mostly with a CRC that is right and a length field that is true. */
export function forged(random: Seeded, originals: readonly Uint8Array[]): Uint8Array {
  const bytes = mangled(random, originals);
  if (bytes.length < HEADER_BYTES || random.below(8) === 0) return bytes;
  const view = viewOf(bytes);
  if (random.below(4) > 0) {
    view.setUint16(0, 0xabcd, true);
    view.setUint8(2, 2);
    view.setUint16(8, bytes.length - HEADER_BYTES, true);
  }
  if (random.below(4) === 0) view.setUint8(3, 1 + random.below(11));
  if (random.below(4) === 0) view.setUint32(4, random.below(4), true);
  mendCrc(bytes);
  return bytes;
}
