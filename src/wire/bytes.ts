/** Small helpers on byte arrays. */

export const EMPTY = new Uint8Array(0);

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A copy of a part; `slice` of a Buffer would share its memory. */
export function copyOf(bytes: Uint8Array, from = 0, to = bytes.length): Uint8Array {
  return Uint8Array.from(bytes.subarray(from, to));
}

/** Not constant-time: for public values only. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A view for reading and writing integers; USMP's are little-endian. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export const hexPair = (byte: number): string => byte.toString(16).padStart(2, '0');

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, hexPair).join('');
}

/** @param digits pairs of hex digits, nothing else. */
export function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
