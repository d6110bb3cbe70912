/** The options of a server, checked once (protocol §6). */
import { checkChoice, checkHost, checkInteger, checkOptions, checkPort, checkSeconds } from '../check.js';
import { systemClock, type Clock } from '../clock.js';
import { DEFAULT_SUITE, SUITES, type Suite } from '../crypto/aead.js';
import { systemRandom, type Random } from '../crypto/random.js';
import { PROTOCOLS, type Protocol } from '../transport/transport.js';
import { checkDeviceOptions, type CheckedDeviceOptions, type DeviceOptions } from './device-options.js';
import { keyFinder, type KeyFinder, type PskSource } from './keys.js';

export interface ServerOptions extends DeviceOptions {
  /** Who may come in, with which key; a device may have several while one is being rolled. */
  psk: PskSource;
  /** Address to listen on; default `0.0.0.0`. */
  host?: string | undefined;
  /** Default 9000; 0 lets the system choose one, which `port` then tells. */
  port?: number | undefined;
  /** Default `tcp`. */
  protocol?: Protocol | undefined;
  /** Default `aes-256-gcm`. Not negotiated: the devices must be configured alike. */
  suite?: Suite | undefined;
  /** Seconds for a handshake; default 10. */
  handshakeTimeout?: number | undefined;
  /** Seconds without a frame from a device after which its session ends; default 60, 0 for never. */
  sessionTimeout?: number | undefined;
  /** Sessions at once; default 100. */
  maxConnections?: number | undefined;
  /** Sessions at once from one IP address; default 5. */
  maxConnectionsPerIp?: number | undefined;
}

export interface ServerEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds since 1970, for people; the system's by default. */
  readonly wallTime?: () => number;
}

export const systemServerEnvironment: ServerEnvironment = { clock: systemClock, random: systemRandom };

export interface CheckedServerOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly suite: Suite;
  readonly handshakeMs: number;
  readonly sessionTimeoutMs: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly keys: KeyFinder;
  readonly devices: CheckedDeviceOptions;
}

const MAX_SESSIONS = 100_000;

/** @throws ArgumentError naming the field. */
export function checkServerOptions(given: ServerOptions): CheckedServerOptions {
  const options = checkOptions('options', given);
  return {
    host: checkHost('host', options.host ?? '0.0.0.0'),
    port: checkPort('port', options.port ?? 9000, 0),
    protocol: checkChoice('protocol', options.protocol ?? 'tcp', PROTOCOLS),
    suite: checkChoice('suite', options.suite ?? DEFAULT_SUITE, SUITES),
    handshakeMs: checkSeconds('handshakeTimeout', options.handshakeTimeout ?? 10, { min: 0.1 }),
    sessionTimeoutMs: checkSeconds('sessionTimeout', options.sessionTimeout ?? 60),
    maxSessions: checkInteger('maxConnections', options.maxConnections ?? 100, 1, MAX_SESSIONS),
    maxSessionsPerAddress: checkInteger(
      'maxConnectionsPerIp',
      options.maxConnectionsPerIp ?? 5,
      1,
      MAX_SESSIONS,
    ),
    keys: keyFinder(options.psk),
    devices: checkDeviceOptions(options),
  };
}
