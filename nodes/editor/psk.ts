/** What the dialog tells about a PSK, and how it makes one. Nothing here looks at the page. */
import {
  DEVELOPMENT_PSK,
  hasHexPrefix,
  parsePsk,
  PSK_FORMATS,
  pskHint,
  type PskFormat,
  type PskHint,
} from '../../src/crypto/psk.js';
import { DEVICE_ID_BYTES } from '../../src/wire/constants.js';
import { toHex } from '../../src/wire/bytes.js';
import { formatDeviceId } from '../../src/wire/device-id.js';
import { environmentName } from '../shared/dialog/rules.js';
import { objection, type Text } from './fields.js';

/** What Node-RED puts into a password field instead of a stored value. */
export const STORED = '__PWRD__';

export const GENERATED_BYTES = 32;
const ENOUGH_DISTINCT_BYTES = 8;

export interface Verdict {
  readonly kind: 'ok' | 'info' | 'warning' | 'danger' | 'error';
  readonly text: Text;
  /** The format that this PSK is probably written in. */
  readonly otherFormat?: PskFormat;
}

const HINTS: Readonly<Record<PskHint, string>> = {
  hex: 'usmp-client.psk.looksHex',
  base64: 'usmp-client.psk.looksBase64',
  newline: 'usmp-client.psk.newline',
  space: 'usmp-client.psk.space',
};

/** A select without a choice stands for the default, as in the runtime. */
export const formatOf = (value: unknown): PskFormat =>
  PSK_FORMATS.find((format) => format === value) ?? 'text';

export function assessPsk(typed: string, format: PskFormat): Verdict {
  if (typed === STORED) return { kind: 'info', text: { key: 'usmp-client.psk.stored' } };
  if (environmentName(typed) !== undefined) return { kind: 'info', text: { key: 'usmp-client.psk.env' } };
  const hint = pskHint(typed, format);
  const other = hint === 'hex' || hint === 'base64' ? { otherFormat: hint } : {};
  const problem = objection(() => parsePsk(typed, format));
  if (problem) return { kind: 'error', text: problem, ...other };
  const bytes = parsePsk(typed, format);
  const values = { size: bytes.length };
  if (new TextDecoder().decode(bytes).trim() === DEVELOPMENT_PSK) {
    return { kind: 'danger', text: { key: 'usmp-client.psk.development' } };
  }
  if (hint) return { kind: 'warning', text: { key: HINTS[hint], values }, ...other };
  const hasPrefix = hasHexPrefix(typed);
  if (isGuessable(bytes, format === 'text' && !hasPrefix ? typed : undefined)) {
    return { kind: 'warning', text: { key: 'usmp-client.psk.guessable', values } };
  }
  return {
    kind: 'ok',
    text: { key: hasPrefix ? 'usmp-client.psk.hexPrefix' : 'usmp-client.psk.ok', values },
  };
}

/** Whether a PSK of sufficient length looks like something that a person made up. */
function isGuessable(bytes: Uint8Array, words: string | undefined): boolean {
  if (new Set(bytes).size < ENOUGH_DISTINCT_BYTES) return true;
  const neighbours = bytes.filter((byte, i) => i > 0 && Math.abs(byte - (bytes[i - 1] ?? 0)) <= 1).length;
  if (neighbours > bytes.length / 2) return true;
  for (let period = 1; period <= bytes.length / 2; period++) {
    if (bytes.every((byte, i) => i < period || byte === bytes[i - period])) return true;
  }
  return (
    words !== undefined &&
    (/^[\p{L}\p{P}\s]+\d{0,4}[\p{P}\s]*$/u.test(words) ||
      /^\d+$/.test(words) ||
      /passwor|secret|geheim|qwert|12345|admin|letmein|changeme/i.test(words))
  );
}

const randomBytes = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));

/** What *Generate* writes a key in while this format is chosen; text is no way to write random bytes. */
export const generatedFormat = (format: PskFormat): 'hex' | 'base64' =>
  format === 'base64' ? format : 'hex';

export function generatePsk(format: 'hex' | 'base64'): string {
  const bytes = randomBytes(GENERATED_BYTES);
  return format === 'hex' ? toHex(bytes) : btoa(String.fromCharCode(...bytes));
}

export function generateDeviceId(): string {
  const bytes = randomBytes(DEVICE_ID_BYTES);
  // Locally administered and unicast: bit 1 of the first byte set, bit 0 clear.
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return formatDeviceId(bytes);
}
