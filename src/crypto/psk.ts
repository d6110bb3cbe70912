/** The pre-shared key as people write it, and the check that it is long enough (protocol §2). */
import { isBytes } from '../check.js';
import { ArgumentError } from '../errors.js';
import { Secret } from './secret.js';

export const MIN_PSK_BYTES = 16;
export const PSK_FORMATS = ['text', 'hex', 'base64'] as const;
export type PskFormat = (typeof PSK_FORMATS)[number];

/** The key printed in USMP's public documents: everybody knows it. */
export const DEVELOPMENT_PSK = 'usmp-dev-psk-change-me-before-prod';

/**
 * @param psk the key's bytes, or text that stands for its UTF-8 bytes.
 * @returns a copy in a holder that nothing prints.
 * @throws ArgumentError naming `psk` when it is missing or under 16 bytes; the message never shows it.
 */
export function toPsk(psk: unknown): Secret {
  if (typeof psk !== 'string' && !isBytes(psk)) {
    throw new ArgumentError('psk', `expected a string or bytes, got ${psk === null ? 'null' : typeof psk}`);
  }
  return new Secret(longEnough(typeof psk === 'string' ? new TextEncoder().encode(psk) : psk));
}

function longEnough(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= MIN_PSK_BYTES) return bytes;
  throw new ArgumentError(
    'psk',
    `the pre-shared key has ${bytes.length} bytes; at least ${MIN_PSK_BYTES} are needed`,
    { kind: 'pskShort', values: { size: bytes.length, min: MIN_PSK_BYTES } },
  );
}

/**
 * Reads a PSK as it is typed into a dialog: as text (its UTF-8 bytes), hex digits (spaces, colons and dashes
 * between them are ignored) or base64.
 * @throws ArgumentError naming `psk`.
 */
export function parsePsk(typed: string, format: PskFormat): Uint8Array {
  if (typed === '') throw new ArgumentError('psk', 'the pre-shared key is not set', { kind: 'pskMissing' });
  switch (format) {
    case 'text':
      return longEnough(new TextEncoder().encode(typed));
    case 'hex': {
      const digits = typed.replace(/[\s:-]/g, '');
      if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) {
        throw new ArgumentError('psk', 'expected pairs of hex digits (0-9, a-f)', { kind: 'pskHex' });
      }
      return longEnough(Uint8Array.from(Buffer.from(digits, 'hex')));
    }
    case 'base64': {
      const text = typed.trim();
      if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
        throw new ArgumentError('psk', 'expected base64 text', { kind: 'pskBase64' });
      }
      return longEnough(Uint8Array.from(Buffer.from(text, 'base64')));
    }
    default: {
      const choices = PSK_FORMATS.join(', ');
      const problem = { kind: 'choice', values: { choices } };
      throw new ArgumentError('pskFormat', `expected one of ${choices}`, problem);
    }
  }
}
