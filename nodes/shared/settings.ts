/** What is filled in the dialog of a gateway, as options of the engine. */
import { ArgumentError, deriveDeviceId, parsePsk, type ConnectionOptions } from '../../src/index.js';
import {
  checkRetryOrder,
  environmentName,
  readChoice,
  readDeviceId,
  readHost,
  readNumber,
  textOf,
  UNITS,
  type NumberField,
} from './rules.js';

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

/** The option of the engine that has another name and unit in the dialog. */
export const SCALED = { outboxBytes: { setting: 'outboxSize', unit: UNITS.outboxSize } } as const;

/** Finds a variable of the environment. */
export type Environment = (name: string) => string | number | boolean | undefined;

/** What is typed, with `${NAME}` (or, of old, `$(NAME)`) replaced. Node-RED does that too, for variables that are set. */
function resolved(
  field: string,
  typed: string | number | undefined,
  environment: Environment = () => undefined,
): string {
  const text = textOf(typed);
  const name = environmentName(text);
  if (name === undefined) return text;
  const found = environment(name);
  if (found !== undefined) return String(found);
  const problem = { kind: 'environment', values: { name } };
  throw new ArgumentError(field, `the environment variable ${name} is not set`, problem);
}

/** @returns seconds; 0 for never. @throws ArgumentError naming `interval`. */
export function pingInterval(typed: string | number | undefined): number {
  return readNumber('interval', resolved('interval', typed)) ?? 0;
}

/**
 * @param environment for what Node-RED has not replaced, as it does so only when it makes a node.
 * @throws ArgumentError naming the field that is not usable; it does not hold the value.
 */
export function connectionOptions(
  def: ClientSettings,
  psk: string | undefined,
  environment?: Environment,
): ConnectionOptions {
  const text = (field: keyof ClientSettings): string => resolved(field, def[field], environment);
  const number = (field: NumberField & keyof ClientSettings): number | undefined =>
    readNumber(field, text(field));
  const scaled = (field: keyof typeof UNITS): number | undefined => {
    const value = number(field);
    return value === undefined ? undefined : value * UNITS[field];
  };

  const options = {
    host: readHost(text('host')),
    port: number('port'),
    protocol: readChoice('protocol', text('protocol')),
    suite: readChoice('suite', text('suite')),
    deviceId: readDeviceId(text('deviceId')) ?? deriveDeviceId(def.id),
    psk: parsePsk(resolved('psk', psk, environment), readChoice('pskFormat', text('pskFormat')) ?? 'text'),
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
  checkRetryOrder(options.retryMin, options.retryMax);
  return options;
}
