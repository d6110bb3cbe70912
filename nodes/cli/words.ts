/**
 * What people are told, in the words of the nodes: the English catalogue, and own words where the catalogue speaks of
 * dialogs or of Node-RED. Also how a message looks on a line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { USMPError, type Protocol } from '../../src/index.js';
import { toldOf } from '../shared/words/codes.js';
import { explain } from '../shared/words/explain.js';
import type { Translate } from '../shared/words/text.js';
import { Failure } from './world.js';

const OWN: Readonly<Record<string, string>> = {
  'advice.name':
    'Check the spelling of the host. Its name has to be known on this machine; otherwise give the IP address.',
  'advice.USMP_EXPIRED':
    'Look into why the session was away, or let a message wait longer with --timeout (0: as long as it takes).',
  'advice.USMP_NO_SESSION_OK':
    'The gateway or the network is slow. Over UDP a gateway that turns a PSK down is silent, too, so check the PSK as well.',
  'advice.USMP_OUTBOX_CLOSED': 'It was ended before that.',
  'advice.USMP_OUTBOX_FULL': 'Send less at a time, or wait until the other side is back.',
  'invalid.hostPort':
    'host: write host:port, and an IPv6 address with a port in brackets, as in [fe80::1]:9000',
  'invalid.pskMissing': 'the PSK is empty',
  'label.host': 'host',
  'label.port': 'port',
  'label.protocol': '--protocol',
  'label.suite': '--suite',
  'label.deviceId': '--device-id',
  'label.psk': 'PSK',
  'label.pskFormat': '--psk-format',
  'label.delivery': '--delivery',
  'label.outboxAge': '--timeout',
  'label.count': '--count',
  'label.interval': '--interval',
  'label.bytes': '--bytes',
  'label.format': '--format',
};

/** It lies at the same place beside the sources and in the package. */
const CATALOGUE = join(__dirname, '..', 'locales', 'en-US', 'usmp-client.json');

interface Texts {
  readonly [key: string]: string | Texts;
}

let catalogue: Texts | undefined;

/** @returns the text with its placeholders filled in; the key when there is none, as with RED._. */
export const translate: Translate = (key, values = {}) => {
  catalogue ??= JSON.parse(readFileSync(CATALOGUE, 'utf8')) as Texts;
  const found = OWN[key] ?? `usmp.${key}`.split('.').reduce<string | Texts | undefined>(below, catalogue);
  if (typeof found !== 'string') return key;
  return found.replace(/__(\w+?)__/g, (mark, name: string) => String(values[name] ?? mark));
};

const below = (texts: string | Texts | undefined, part: string): string | Texts | undefined =>
  typeof texts === 'object' ? texts[part] : undefined;

/** What happened and what to do about it. What only gateways meet is said in the engine's own words. */
export function explained(error: USMPError, protocol?: Protocol): string {
  return toldOf(error.code) ? explain(translate, error, protocol) : error.message;
}

/** An error of the engine as one that is told; any other one stays as it is. */
export const asFailure = (error: unknown, protocol?: Protocol): unknown =>
  error instanceof USMPError ? new Failure(explained(error, protocol)) : error;

export const tooLong = (size: number | string, max: number): string =>
  translate('error.tooLong', { size, max });

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that a message is; undefined when it is no UTF-8. */
export function textIn(message: Uint8Array): string | undefined {
  try {
    return utf8.decode(message);
  } catch {
    return undefined;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * A message on one line: as text, or as hex where it is none or holds control characters, which are for a terminal to
 * obey and not to show.
 */
export function shown(message: Uint8Array): string {
  const text = textIn(message)?.replace(/[\n\r\t]/g, (each) => ESCAPES[each] ?? each);
  return text === undefined || /[\p{Cc}\u2028\u2029]/u.test(text)
    ? `hex:${Buffer.from(message).toString('hex')}`
    : text;
}

export const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Such as 14:03:07. */
export const clockTime = (time: Date): string =>
  [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
