/**
 * Keys for a large fleet: each device's PSK is computed from one master key and the device's id, as USMP's security page
 * recommends, so that nothing has to be stored for a device (protocol §2: the device id chooses the PSK).
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { isBytes, show } from '../check.js';
import { ArgumentError } from '../errors.js';
import { toDeviceId } from '../wire/device-id.js';
import { MIN_PSK_BYTES } from './psk.js';
import { Secret } from './secret.js';

/**
 * A look-up of keys, for the option `psk` of a server.
 * @param master the master key: bytes, or text that stands for its UTF-8 bytes; at least 16 bytes. A copy is kept.
 * @returns a function that gives, for a device id, the device's key: the 32 bytes of HMAC-SHA256(master, the 6 bytes of
 * the device id). It throws ArgumentError naming `deviceId` for what is none.
 * @throws ArgumentError naming `master` when it is missing or too short; the message never shows it.
 */
export function derivedPsk(master: string | Uint8Array): (deviceId: string) => Uint8Array {
  const given: unknown = master;
  if (typeof given !== 'string' && !isBytes(given)) {
    throw new ArgumentError('master', `expected a string or bytes, got ${show(given)}`);
  }
  const bytes = typeof given === 'string' ? new TextEncoder().encode(given) : given;
  if (bytes.length < MIN_PSK_BYTES) {
    const text = `the master key has ${bytes.length} bytes; at least ${MIN_PSK_BYTES} are needed`;
    throw new ArgumentError('master', text);
  }
  const secret = new Secret(bytes);
  return (deviceId) => hmac(sha256, secret.bytes, toDeviceId(deviceId));
}
