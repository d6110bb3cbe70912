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

/** What is typed, with `${NAME}` (or, of old, `$(NAME)`) replaced. Node-RED does that too, for variables that are set. */
function resolved(
  field: string,
  typed: string | number | undefined,
  environment: Environment = () => undefined,
): string {
  const text = String(typed ?? '');
  const match = /^\$(?:\{(.*)\}|\((.*)\))$/.exec(text);
  const name = match?.[1] ?? match?.[2];
  if (name === undefined) return text;
  const found = environment(name);
  if (found !== undefined) return String(found);
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

/**
 * @param environment for what Node-RED has not replaced, as it does so only when it makes a node.
 * @throws ArgumentError naming the field that is not usable; it does not hold the value.
 */
export function connectionOptions(
  def: ClientSettings,
  psk: string | undefined,
  environment?: Environment,
): ConnectionOptions {
  const text = (field: keyof ClientSettings, standard = ''): string =>
    resolved(field, def[field] ?? standard, environment);
  const number = (field: keyof ClientSettings, unit = 1): number | undefined => {
    const value = numberFrom(field, text(field));
    return value === undefined ? undefined : value * unit;
  };

  const { outboxBytes, rekeyAfter } = SCALED;
  const deviceId = text('deviceId').trim();
  return {
    host: text('host').trim(),
    port: number('port'),
    protocol: text('protocol', 'tcp') as Protocol,
    suite: text('suite', 'aes-256-gcm') as Suite,
    deviceId: deviceId === '' ? deriveDeviceId(def.id) : deviceId,
    psk: parsePsk(resolved('psk', psk, environment), text('pskFormat', 'text') as PskFormat),
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
