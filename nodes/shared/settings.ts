/** What is filled in the dialog of a gateway, as options of the engine. */
import {
  ArgumentError,
  parsePsk,
  type ConnectionOptions,
  type Protocol,
  type PskFormat,
  type Suite,
  type USMPClient,
} from '../../src/index.js';
import type { Words } from './text.js';

/** The dialog's fields as Node-RED hands them over: text, with `${ENV}` replaced where the variable is set. */
export interface ClientSettings {
  host?: string;
  port?: string | number;
  protocol?: string;
  deviceId?: string;
  suite?: string;
  pskFormat?: string;
  keepalive?: string | number;
  connectTimeout?: string | number;
  handshakeTimeout?: string | number;
  retryMin?: string | number;
  retryMax?: string | number;
  retryJitter?: string | number;
  outboxCount?: string | number;
  /** KiB */
  outboxSize?: string | number;
  outboxAge?: string | number;
  /** Minutes */
  rekeyAfter?: string | number;
  rekeyFrames?: string | number;
}

/** The options of the engine that have another unit in the dialog, and one another name. */
export const SCALED = {
  outboxBytes: { setting: 'outboxSize', unit: 1024 },
  rekeyAfter: { setting: 'rekeyAfter', unit: 60 },
} as const;

/**
 * Finds a variable of the environment for a field.
 * @throws ArgumentError naming the field when the variable may not or cannot be looked up.
 */
export type Environment = (name: string, field: string) => string | number | boolean | undefined;

/** @returns NAME, where the whole text is `${NAME}` or, of old, `$(NAME)`; Node-RED knows such a text alike. */
export function environmentName(text: string): string | undefined {
  const match = /^\$(?:\{(\S+)\}|\((\S+)\))$/.exec(text);
  return match?.[1] ?? match?.[2];
}

/** What variables are called. Anything else between the braces may be a key that only looks like one. */
const PLAIN_NAME = /^(?:\$parent\.)*[A-Za-z_]\w*$/;

/** What is typed, with a variable replaced. Node-RED does that too, for variables that are set. */
function resolved(
  field: string,
  typed: string | number | undefined,
  environment: Environment = () => undefined,
): string {
  const text = String(typed ?? '');
  const name = environmentName(text);
  if (name === undefined) return text;
  const found = environment(name, field);
  if (found !== undefined) return String(found);
  if (!PLAIN_NAME.test(name)) {
    throw new ArgumentError(field, 'there is no such environment variable', { kind: 'environmentName' });
  }
  const problem = { kind: 'environment', values: { name } };
  throw new ArgumentError(field, `the environment variable ${name} is not set`, problem);
}

/** Undefined when the field is blank. */
function numberFrom(field: string, text: string): number | undefined {
  if (text.trim() === '') return undefined;
  const result = Number(text);
  if (Number.isFinite(result)) return result;
  throw new ArgumentError(field, 'expected a number', { kind: 'numeric' });
}

/** Pinging more often is no use, and a gateway ends a session that sends many PINGs in a second (protocol §3.5.2). */
const INTERVAL = { min: 1, max: 86_400 };

/** @returns seconds; 0 for never. @throws ArgumentError naming `interval`. */
export function pingInterval(typed: string | number | undefined): number {
  const seconds = numberFrom('interval', resolved('interval', typed)) ?? 0;
  const { min, max } = INTERVAL;
  if (seconds === 0 || (seconds >= min && seconds <= max)) return seconds;
  const problem = { kind: 'number', values: INTERVAL };
  throw new ArgumentError('interval', `expected a number of seconds from ${min} to ${max}`, problem);
}

/** What a node's settings depend on besides themselves. */
export interface Place {
  /** What a blank device id stands for. */
  readonly deviceId: string;
  /** For what Node-RED has not replaced, as it does so only when it makes a node. */
  readonly environment?: Environment;
}

/** All that is filled in except the PSK. */
export interface GatewaySettings extends Omit<ConnectionOptions, 'psk'> {
  readonly pskFormat: PskFormat;
}

/** @throws ArgumentError naming the field that is not usable; it does not hold the value. */
export function gatewaySettings(def: ClientSettings, { deviceId, environment }: Place): GatewaySettings {
  const text = (field: keyof ClientSettings, standard = ''): string =>
    resolved(field, def[field] ?? standard, environment);
  const number = (field: keyof ClientSettings, unit = 1): number | undefined => {
    const value = numberFrom(field, text(field));
    return value === undefined ? undefined : value * unit;
  };

  const { outboxBytes, rekeyAfter } = SCALED;
  return {
    host: withoutBrackets(text('host').trim()),
    port: number('port'),
    protocol: text('protocol', 'tcp') as Protocol,
    suite: text('suite', 'aes-256-gcm') as Suite,
    deviceId: text('deviceId').trim() || deviceId,
    pskFormat: text('pskFormat', 'text') as PskFormat,
    keepalive: number('keepalive'),
    connectTimeout: number('connectTimeout'),
    handshakeTimeout: number('handshakeTimeout'),
    retryMin: number('retryMin'),
    retryMax: number('retryMax'),
    retryJitter: number('retryJitter'),
    outboxCount: number('outboxCount'),
    outboxBytes: number(outboxBytes.setting, outboxBytes.unit),
    outboxAge: number('outboxAge'),
    rekeyAfter: number(rekeyAfter.setting, rekeyAfter.unit),
    rekeyFrames: number('rekeyFrames'),
  };
}

/** An IPv6 address as it stands in a URL. */
const withoutBrackets = (host: string): string => host.replace(/^\[(.*:.*)\]$/, '$1');

/**
 * @param typed what is typed or stored; nothing when nothing is.
 * @returns the key, and a hint where it is usable but hardly what was meant.
 * @throws ArgumentError naming `psk`, or `pskFormat`; it does not hold the value.
 */
export function readPsk(
  typed: string | undefined,
  format: PskFormat,
  environment?: Environment,
): { psk: Uint8Array; hint: Words | undefined } {
  const text = resolved('psk', typed, environment);
  const psk = parsePsk(text, format);
  // A file or `echo` ends in one; other programs pass it on with the variable.
  const endsInNewline = format === 'text' && /[\r\n]$/.test(text);
  return { psk, hint: endsInNewline ? { key: 'hint.pskNewline' } : undefined };
}

/** What a PSK is there for, to be compared: the gateway and the device id, in whatever notation, and its own format. */
export function pskPurpose(
  { host, port, deviceId }: Pick<USMPClient, 'host' | 'port' | 'deviceId'>,
  format: PskFormat,
): string {
  // The name of a network interface, behind the %, is the one part of a host in which case matters.
  return JSON.stringify([host.includes('%') ? host : host.toLowerCase(), port, deviceId, format]);
}
