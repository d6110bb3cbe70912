/** Checks of options at the door: each error names the field, what was expected and what came. */
import { ArgumentError } from './errors.js';

function show(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value;
}

export function checkHost(field: string, value: unknown): string {
  // Anything but white space and control characters may be a name for the resolver.
  if (typeof value === 'string' && value !== '' && !/[\s\p{Cc}/]/u.test(value)) return value;
  throw new ArgumentError(field, `expected a host name or an IP address, got ${show(value)}`, {
    kind: 'host',
  });
}

export function checkPort(field: string, value: unknown, lowest = 1): number {
  return checkInteger(field, value, lowest, 65_535);
}

export function checkInteger(field: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  const message = `expected a whole number from ${min} to ${max}, got ${show(value)}`;
  throw new ArgumentError(field, message, { kind: 'whole', values: { min, max } });
}

/** A number of seconds, to milliseconds. */
export function checkSeconds(field: string, value: unknown, { min = 0, max = 86_400 } = {}): number {
  if (typeof value === 'number' && value >= min && value <= max) return value * 1000;
  const message = `expected a number of seconds from ${min} to ${max}, got ${show(value)}`;
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
  throw new ArgumentError(field, `expected a string or bytes, got ${value === null ? 'null' : typeof value}`);
}
