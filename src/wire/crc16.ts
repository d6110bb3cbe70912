/**
 * CRC-16/MODBUS: polynomial 0x8005 reflected (0xA001), initial value 0xFFFF, no final xor (protocol §1).
 * It guards against corruption only; it proves nothing about who sent a frame.
 */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/** The CRC of the given parts, taken as one run of bytes. */
export function crc16(...parts: readonly Uint8Array[]): number {
  let crc = 0xffff;
  for (const part of parts) {
    for (const byte of part) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  }
  return crc;
}
