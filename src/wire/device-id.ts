/** The 6-byte device id, usually a MAC address (protocol §2). */
import { isBytes, show } from '../check.js';
import { ArgumentError } from '../errors.js';
import { fromHex, hexPair } from './bytes.js';
import { DEVICE_ID_BYTES } from './constants.js';

/** Pairs of hex digits, also with `:`, `-` or a space between them, or groups of four with `.`, as on labels of devices. */
const WRITTEN = /^[0-9a-f]{2}(?:[:\s-]?[0-9a-f]{2}){5}$|^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}$/i;

/**
 * @param deviceId six bytes, or twelve hex digits as MAC addresses are written: `a4:cf:12:00:00:01`, `A4-CF-12-00-00-01`,
 *   `a4cf.1200.0001` or `a4cf12000001`, with any white space around them.
 * @throws ArgumentError naming `deviceId`.
 */
export function toDeviceId(deviceId: unknown): Uint8Array {
  if (isBytes(deviceId)) {
    if (deviceId.length === DEVICE_ID_BYTES) return Uint8Array.from(deviceId);
    throw new ArgumentError('deviceId', `expected ${DEVICE_ID_BYTES} bytes, got ${deviceId.length}`);
  }
  if (typeof deviceId === 'string' && WRITTEN.test(deviceId.trim())) {
    return fromHex(deviceId.replace(/[^0-9a-f]/gi, ''));
  }
  const message = `expected 12 hex digits such as a4:cf:12:00:00:01, got ${show(deviceId)}`;
  throw new ArgumentError('deviceId', message, { kind: 'deviceId' });
}

/** As `aa:bb:cc:dd:ee:ff`, from any notation. @throws ArgumentError naming `deviceId`. */
export function formatDeviceId(deviceId: Uint8Array | string): string {
  return Array.from(toDeviceId(deviceId), hexPair).join(':');
}
