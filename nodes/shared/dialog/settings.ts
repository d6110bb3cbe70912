/** What is filled in the dialog of a gateway, as options of the engine. */
import {
  ArgumentError,
  parsePsk,
  type ConnectionOptions,
  type PskFormat,
  type USMPClient,
} from '../../../src/index.js';
import {
  checkRetryOrder,
  environmentName,
  pskHint,
  readChoice,
  readDeviceId,
  readHost,
  readNumber,
  textOf,
  UNITS,
  type NumberField,
} from './rules.js';
import type { Words } from '../words/text.js';

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

/**
 * Finds a variable of the environment for a field.
 * @throws ArgumentError naming the field when the variable may not or cannot be looked up.
 */
export type Environment = (name: string, field: string) => string | number | boolean | undefined;

/** What variables are called. Anything else between the braces may be a key that only looks like one. */
const PLAIN_NAME = /^(?:\$parent\.)*[A-Za-z_]\w*$/;

/** What is typed, with a variable replaced. Node-RED does that too, for variables that are set. */
function resolved(
  field: string,
  typed: string | number | undefined,
  environment: Environment = () => undefined,
): string {
  const text = textOf(typed);
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

/** @returns seconds; 0 for never. @throws ArgumentError naming `interval`. */
export function pingInterval(typed: string | number | undefined): number {
  return readNumber('interval', resolved('interval', typed)) ?? 0;
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
  const text = (field: keyof ClientSettings): string => resolved(field, def[field], environment);
  const number = (field: NumberField & keyof ClientSettings): number | undefined =>
    readNumber(field, text(field));
  const scaled = (field: keyof typeof UNITS): number | undefined => {
    const value = number(field);
    return value === undefined ? undefined : value * UNITS[field];
  };

  const settings = {
    host: readHost(text('host')),
    port: number('port'),
    protocol: readChoice('protocol', text('protocol')),
    suite: readChoice('suite', text('suite')),
    deviceId: readDeviceId(text('deviceId')) ?? deviceId,
    pskFormat: readChoice('pskFormat', text('pskFormat')) ?? 'text',
    keepalive: number('keepalive'),
    connectTimeout: number('connectTimeout'),
    handshakeTimeout: number('handshakeTimeout'),
    retryMin: number('retryMin'),
    retryMax: number('retryMax'),
    retryJitter: number('retryJitter'),
    outboxCount: number('outboxCount'),
    outboxBytes: scaled('outboxSize'),
    outboxAge: number('outboxAge'),
    rekeyAfter: scaled('rekeyAfter'),
    rekeyFrames: number('rekeyFrames'),
  };
  checkRetryOrder(settings.retryMin, settings.retryMax);
  return settings;
}

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
  return { psk, hint: pskHint(text, format) === 'newline' ? { key: 'hint.pskNewline' } : undefined };
}

/** What a PSK is there for, to be compared: the gateway and the device id, in whatever notation, and its own format. */
export function pskPurpose(
  { host, port, deviceId }: Pick<USMPClient, 'host' | 'port' | 'deviceId'>,
  format: PskFormat,
): string {
  // The name of a network interface, behind the %, is the one part of a host in which case matters.
  return JSON.stringify([host.includes('%') ? host : host.toLowerCase(), port, deviceId, format]);
}
