/** The 6-byte device id, usually a MAC address (protocol §2). */
import { isBytes } from '../check.js';
import { ArgumentError } from '../errors.js';
import { DEVICE_ID_BYTES } from './constants.js';

/**
 * @param deviceId six bytes, or twelve hex digits with or without `:` or `-` between the pairs.
 * @throws ArgumentError naming `deviceId`.
 */
export function toDeviceId(deviceId: unknown): Uint8Array {
  if (isBytes(deviceId)) {
    if (deviceId.length === DEVICE_ID_BYTES) return Uint8Array.from(deviceId);
    throw new ArgumentError('deviceId', `expected ${DEVICE_ID_BYTES} bytes, got ${deviceId.length}`);
  }
  if (typeof deviceId === 'string' && /^[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}$/i.test(deviceId)) {
    return Uint8Array.from(Buffer.from(deviceId.replace(/[:-]/g, ''), 'hex'));
  }
  const got = typeof deviceId === 'string' ? `"${deviceId}"` : typeof deviceId;
  const message = `expected 12 hex digits such as a4:cf:12:00:00:01, got ${got}`;
  throw new ArgumentError('deviceId', message, { kind: 'deviceId' });
}

/** As `aa:bb:cc:dd:ee:ff`. */
export function formatDeviceId(deviceId: Uint8Array): string {
  return Array.from(deviceId, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
