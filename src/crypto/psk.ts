/**
 * The pre-shared key as people write it, and the check that it is long enough (protocol §2). Runs in a browser too: the
 * dialogs judge a key by what is here.
 */
import { show } from '../check.js';
import { ArgumentError } from '../errors.js';
import { fromHex } from '../wire/bytes.js';

export const MIN_PSK_BYTES = 16;
export const PSK_FORMATS = ['text', 'hex', 'base64'] as const;
export type PskFormat = (typeof PSK_FORMATS)[number];

/** The key printed in USMP's public documents: everybody knows it. */
export const DEVELOPMENT_PSK = 'usmp-dev-psk-change-me-before-prod';

export function longEnough(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= MIN_PSK_BYTES) return bytes;
  throw new ArgumentError(
    'psk',
    `the pre-shared key has ${bytes.length} bytes; at least ${MIN_PSK_BYTES} are needed`,
    { kind: 'pskShort', values: { size: bytes.length, min: MIN_PSK_BYTES } },
  );
}

/** How the reference SDK writes a key in hex, wherever a key is text. */
const HEX_PREFIX = /^\s*hex:/;

export const hasHexPrefix = (typed: string): boolean => HEX_PREFIX.test(typed);

/** Spaces, colons and dashes between hex digits are ignored. */
const hexDigits = (typed: string): string => typed.replace(HEX_PREFIX, '').replace(/[\s:-]/g, '');

const isHex = (digits: string): boolean => /^(?:[0-9a-f]{2})+$/i.test(digits);

const BASE64_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The digits of base64 text, those of its form for addresses made the usual ones; undefined when it is none. */
function base64Digits(typed: string): string | undefined {
  const [, digits, padding] = /^([A-Za-z0-9+/_-]+)(={0,2})$/.exec(typed.trim()) ?? [];
  if (digits === undefined || padding === undefined || digits.length % 4 === 1) return undefined;
  return digits.replaceAll('-', '+').replaceAll('_', '/');
}

function fromBase64(digits: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let [bits, at] = [0, 0];
  for (const [i, digit] of Array.from(digits).entries()) {
    bits = ((bits << 6) | BASE64_DIGITS.indexOf(digit)) & 0xfff;
    // Every digit but the first of four completes a byte; 4, 2 or 0 bits of it are left for the next.
    if (i % 4 !== 0) bytes[at++] = bits >> (6 - 2 * (i % 4));
  }
  return bytes;
}

/**
 * Reads a PSK as it is typed into a dialog: as text (its UTF-8 bytes), hex digits (spaces, colons and dashes between
 * them are ignored) or base64. In any format `hex:` and hex digits are understood as the reference SDK does.
 * @throws ArgumentError naming `psk`.
 */
export function parsePsk(typed: string, format: PskFormat): Uint8Array {
  if (typeof typed !== 'string') throw new ArgumentError('psk', `expected text, got ${show(typed)}`);
  if (typed === '') throw new ArgumentError('psk', 'the pre-shared key is not set', { kind: 'pskMissing' });
  switch (hasHexPrefix(typed) ? 'hex' : format) {
    case 'text':
      if (typed.trim() === '') {
        throw new ArgumentError('psk', 'the pre-shared key is only white space', { kind: 'pskMissing' });
      }
      return longEnough(new TextEncoder().encode(typed));
    case 'hex': {
      const digits = hexDigits(typed);
      if (!isHex(digits)) {
        throw new ArgumentError('psk', 'expected pairs of hex digits (0-9, a-f)', { kind: 'pskHex' });
      }
      return longEnough(fromHex(digits));
    }
    case 'base64': {
      const digits = base64Digits(typed);
      if (digits === undefined) {
        throw new ArgumentError('psk', 'expected base64 text', { kind: 'pskBase64' });
      }
      return longEnough(fromBase64(digits));
    }
    default: {
      const choices = PSK_FORMATS.join(', ');
      const problem = { kind: 'choice', values: { choices } };
      throw new ArgumentError('pskFormat', `expected one of ${choices}`, problem);
    }
  }
}

/**
 * What is odd about a PSK in this format, though it may be meant: `hex` and `base64` name the format that it looks to be
 * written in, `newline` and `space` what a text ends (or begins) with. Never a reason to read it otherwise than as said.
 */
export type PskHint = 'hex' | 'base64' | 'newline' | 'space';

export function pskHint(typed: string, format: PskFormat): PskHint | undefined {
  if (hasHexPrefix(typed)) return undefined;
  if (format === 'text' && /[\r\n]\s*$/.test(typed)) return 'newline';
  const digits = hexDigits(typed);
  const looksHex = isHex(digits) && digits.length >= 2 * MIN_PSK_BYTES;
  if (looksHex) return format === 'hex' ? undefined : 'hex';
  if (format !== 'base64' && looksBase64(typed)) return 'base64';
  return format === 'text' && typed.trim() !== typed ? 'space' : undefined;
}

/** Random bytes have letters of both cases and digits, and an encoder leaves no bits over, which words seldom do. */
function looksBase64(typed: string): boolean {
  const digits = base64Digits(typed);
  if (digits === undefined || digits.length < Math.ceil((MIN_PSK_BYTES * 4) / 3)) return false;
  const mixed = [/[a-z]/, /[A-Z]/, /[0-9]/].every((kind) => kind.test(digits));
  const bitsLeft = (digits.length * 6) % 8;
  return mixed && BASE64_DIGITS.indexOf(digits.slice(-1)) % 2 ** bitsLeft === 0;
}
