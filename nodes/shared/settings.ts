/** What is filled in the dialog of a gateway, as options of the engine. */
import {
  ArgumentError,
  deriveDeviceId,
  parsePsk,
  type ConnectionOptions,
  type Protocol,
  type PskFormat,
  type Suite,
} from '../../src/index.js';

/** The dialog's fields as Node-RED hands them over: text, with `${ENV}` replaced where the variable is set. */
export interface ClientSettings {
  id: string;
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

/** Finds a variable of the environment. */
export type Environment = (name: string) => string | number | boolean | undefined;

/**
 * @param environment for what Node-RED has not replaced: it does that when it makes a node, and leaves `${NAME}` (or,
 *   of old, `$(NAME)`) as it is when there is no such variable.
 * @throws ArgumentError naming the field that is not usable; it does not hold the value.
 */
export function connectionOptions(
  def: ClientSettings,
  psk: string | undefined,
  environment: Environment = () => undefined,
): ConnectionOptions {
  function text(field: string, value: string | number | undefined): string {
    const typed = String(value ?? '');
    const match = /^\$(?:\{(.*)\}|\((.*)\))$/.exec(typed);
    const name = match?.[1] ?? match?.[2];
    if (name === undefined) return typed;
    const found = environment(name);
    if (found !== undefined) return String(found);
    const problem = { kind: 'environment', values: { name } };
    throw new ArgumentError(field, `the environment variable ${name} is not set`, problem);
  }

  /** A blank field stands for the default. */
  function number(field: keyof ClientSettings, unit = 1): number | undefined {
    const typed = text(field, def[field]).trim();
    if (typed === '') return undefined;
    const result = Number(typed) * unit;
    if (Number.isFinite(result)) return result;
    throw new ArgumentError(field, 'expected a number', { kind: 'numeric' });
  }

  const choice = (field: 'protocol' | 'suite' | 'pskFormat', standard: string): string =>
    text(field, def[field] ?? standard);

  const { outboxBytes, rekeyAfter } = SCALED;
  const deviceId = text('deviceId', def.deviceId).trim();
  return {
    host: text('host', def.host).trim(),
    port: number('port'),
    protocol: choice('protocol', 'tcp') as Protocol,
    suite: choice('suite', 'aes-256-gcm') as Suite,
    deviceId: deviceId === '' ? deriveDeviceId(def.id) : deviceId,
    psk: parsePsk(text('psk', psk), choice('pskFormat', 'text') as PskFormat),
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
