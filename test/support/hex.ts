/** Bytes from hex digits, between which white space may stand as it does in RFCs. */
export function hex(digits: string): Uint8Array {
  const joined = digits.replace(/\s/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(joined)) throw new Error(`not hex: ${digits}`);
  return Uint8Array.from(Buffer.from(joined, 'hex'));
}

export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A copy with one bit turned over. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
