/** A device id for those who have no MAC address to give. */
import { sha256 } from '@noble/hashes/sha2.js';
import { show } from '../check.js';
import { ArgumentError } from '../errors.js';
import { DEVICE_ID_BYTES } from '../wire/constants.js';
import { formatDeviceId } from '../wire/device-id.js';

/**
 * Always the same id for the same text, as `aa:bb:cc:dd:ee:ff`. It is marked as locally administered and unicast, as
 * in IEEE 802, so that it is no manufacturer's MAC address.
 * @throws ArgumentError naming `text` when it is none.
 */
export function deriveDeviceId(text: string): string {
  if (typeof text !== 'string') throw new ArgumentError('text', `expected text, got ${show(text)}`);
  const id = sha256(new TextEncoder().encode(text)).slice(0, DEVICE_ID_BYTES);
  id[0] = ((id[0] ?? 0) & 0xfc) | 0x02;
  return formatDeviceId(id);
}
