/** Cuts a message into the plaintexts of its frames (protocol §3.4). */
import { PayloadError } from '../errors.js';
import { MAX_FRAGMENT_BYTES, MAX_MESSAGE_BYTES } from './constants.js';

/**
 * One to four pieces of 452 bytes each but the last; an empty message is one empty piece.
 * @throws PayloadError when the message is over 1,808 bytes.
 */
export function fragment(message: Uint8Array): Uint8Array[] {
  if (message.length > MAX_MESSAGE_BYTES) {
    throw new PayloadError(
      `a message of ${message.length} bytes is too long: USMP carries at most ${MAX_MESSAGE_BYTES} bytes a message`,
      { code: 'USMP_MESSAGE_TOO_LONG' },
    );
  }
  const pieces = [message.subarray(0, MAX_FRAGMENT_BYTES)];
  for (let at = MAX_FRAGMENT_BYTES; at < message.length; at += MAX_FRAGMENT_BYTES) {
    pieces.push(message.subarray(at, at + MAX_FRAGMENT_BYTES));
  }
  return pieces;
}
