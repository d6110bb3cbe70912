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

/** Node-RED leaves `${NAME}` as it is when there is no such environment variable. */
function known(field: string, value: string): string {
  const name = /^\$[{(](.*)[})]$/.exec(value)?.[1];
  if (name === undefined) return value;
  throw new ArgumentError(field, `the environment variable ${name} is not set`);
}

/** A number, or undefined for the default when the field is blank. */
function number(field: string, value: string | number | undefined): number | undefined {
  const text = known(field, String(value ?? '').trim());
  if (text === '') return undefined;
  const result = Number(text);
  if (Number.isFinite(result)) return result;
  throw new ArgumentError(field, `expected a number, got "${text}"`);
}

const times = (factor: number, value: number | undefined): number | undefined =>
  value === undefined ? undefined : value * factor;

/** @throws ArgumentError naming the field that is not usable. */
export function connectionOptions(def: ClientSettings, psk: string | undefined): ConnectionOptions {
  const deviceId = known('deviceId', (def.deviceId ?? '').trim());
  return {
    host: known('host', (def.host ?? '').trim()),
    port: number('port', def.port),
    protocol: (def.protocol ?? 'tcp') as Protocol,
    suite: (def.suite ?? 'aes-256-gcm') as Suite,
    deviceId: deviceId === '' ? deriveDeviceId(def.id) : deviceId,
    psk: parsePsk(known('psk', psk ?? ''), (def.pskFormat ?? 'text') as PskFormat),
    keepalive: number('keepalive', def.keepalive),
    connectTimeout: number('connectTimeout', def.connectTimeout),
    handshakeTimeout: number('handshakeTimeout', def.handshakeTimeout),
    retryMin: number('retryMin', def.retryMin),
    retryMax: number('retryMax', def.retryMax),
    retryJitter: number('retryJitter', def.retryJitter),
    outboxCount: number('outboxCount', def.outboxCount),
    outboxBytes: times(1024, number('outboxSize', def.outboxSize)),
    outboxAge: number('outboxAge', def.outboxAge),
    rekeyAfter: times(60, number('rekeyAfter', def.rekeyAfter)),
    rekeyFrames: number('rekeyFrames', def.rekeyFrames),
  };
}
