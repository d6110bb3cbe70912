/** Checks of options at the door: each error names the field, what was expected and what came. */
import { ArgumentError } from './errors.js';

export const MAX_PORT = 65_535;
export const DAY_SECONDS = 86_400;

/** What came, but not the value itself: that may be a key in the wrong place. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `text of ${value.length} characters`;
  return value === null ? 'null' : typeof value;
}

/** Where a number is expected, a number is no key. */
const showNumber = (value: unknown): string => (typeof value === 'number' ? String(value) : show(value));

/** An object with options. */
export function checkOptions<T>(field: string, value: T): T & object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ArgumentError(field, `expected an object with options, got ${show(value)}`);
}

/** What a host cannot be, and how it is called; anything else may be a name for the resolver. */
const NO_HOST: readonly { readonly kind: string; readonly pattern: RegExp }[] = [
  { kind: 'hostMissing', pattern: /^$/ },
  { kind: 'hostSpace', pattern: /\s/ },
  { kind: 'hostScheme', pattern: /\// },
  // No IPv6 address has a single colon; one that is left in its brackets has something behind them.
  { kind: 'hostPort', pattern: /^[^:]*:[^:]*$|[[\]]/ },
  { kind: 'host', pattern: /\p{Cc}/u },
];

/** @returns the host, an IPv6 address without the brackets that it may be written in. */
export function checkHost(field: string, value: unknown): string {
  const refuse = (kind: string, got: string): never => {
    throw new ArgumentError(field, `expected a host name or an IP address, got ${got}`, { kind });
  };
  if (typeof value !== 'string') return refuse('host', show(value));
  const host = value.replace(/^\[([^[\]]*:[^[\]]*)\]$/, '$1');
  const objection = NO_HOST.find(({ pattern }) => pattern.test(host));
  return objection ? refuse(objection.kind, show(value)) : host;
}

/** Host and port as a URL has them: an IPv6 address in brackets (RFC 3986 §3.2.2). */
export const hostAndPort = (host: string, port: number | string): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

export function checkPort(field: string, value: unknown, lowest = 1): number {
  return checkInteger(field, value, lowest, MAX_PORT);
}

export function checkInteger(field: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  const message = `expected a whole number from ${min} to ${max}, got ${showNumber(value)}`;
  throw new ArgumentError(field, message, { kind: 'whole', values: { min, max } });
}

/** A number of seconds, to milliseconds. */
export function checkSeconds(field: string, value: unknown, { min = 0, max = DAY_SECONDS } = {}): number {
  if (typeof value === 'number' && value >= min && value <= max) return value * 1000;
  const message = `expected a number of seconds from ${min} to ${max}, got ${showNumber(value)}`;
  throw new ArgumentError(field, message, { kind: 'number', values: { min, max } });
}

export function checkChoice<T extends string>(field: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((each) => each === value);
  if (choice !== undefined) return choice;
  const list = choices.join(', ');
  const problem = { kind: 'choice', values: { choices: list } };
  throw new ArgumentError(field, `expected one of ${list}, got ${show(value)}`, problem);
}

/** Whether it is a `Uint8Array`, of whatever realm: code in a `vm` context has classes of its own. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]';
}

/** A message as bytes; a string stands for its UTF-8 bytes. */
export function toBytes(field: string, value: unknown): Uint8Array {
  if (isBytes(value)) return value;
  if (typeof value === 'string') return new TextEncoder().encode(value);
  throw new ArgumentError(field, `expected a string or bytes, got ${show(value)}`);
}
