/** The options of a server, checked once (protocol §6). */
import { checkChoice, checkHost, checkInteger, checkOptions, checkPort, checkSeconds } from '../check.js';
import { systemClock, type Clock } from '../clock.js';
import { DEFAULT_SUITE, SUITES, type Suite } from '../crypto/aead.js';
import { systemRandom, type Random } from '../crypto/random.js';
import { DEFAULT_PORT, PROTOCOLS, type Protocol } from '../transport/transport.js';
import { checkDeviceOptions, type CheckedDeviceOptions, type DeviceOptions } from './device-options.js';
import { keyFinder, type KeyFinder, type PskSource } from './keys.js';

export const SERVER_PROTOCOLS = [...PROTOCOLS, 'both'] as const;
export type ServerProtocol = Protocol | 'both';

export interface ServerOptions extends DeviceOptions {
  /** Who may come in, with which key; a device may have several while one is being rolled. */
  psk: PskSource;
  /** Address to listen on; default `0.0.0.0`. */
  host?: string | undefined;
  /** Default 9000; 0 lets the system choose one, which `port` then tells. */
  port?: number | undefined;
  /** Default `tcp`; `both` listens on the same port of either. */
  protocol?: ServerProtocol | undefined;
  /** Default `aes-256-gcm`. Not negotiated: the devices must be configured alike. */
  suite?: Suite | undefined;
  /** Seconds for a handshake; default 10. */
  handshakeTimeout?: number | undefined;
  /** Seconds for a new connection to send its HELLO, and no more than `handshakeTimeout`; default 5. */
  helloTimeout?: number | undefined;
  /** Seconds without a frame from a device after which its session ends; default 60, 0 for never. */
  sessionTimeout?: number | undefined;
  /** Sessions at once; default 100. */
  maxConnections?: number | undefined;
  /** Sessions at once from one IP address; default 5. */
  maxConnectionsPerIp?: number | undefined;
  /** Handshakes at once, after which the oldest of the address with most of them makes way; default 2048. */
  maxHandshakes?: number | undefined;
  /** Handshakes at once from one IP address, after which its oldest makes way; default half of `maxHandshakes`. */
  maxHandshakesPerAddress?: number | undefined;
  /**
   * Seconds in which each of three lanes earns a try for a device id: where the device succeeded last, origins that have
   * not failed with it, and those that have; what one lane does not use, the others may. Default 3.5, which makes 0.86
   * tries a second in all; 0 for no limit.
   */
  tryInterval?: number | undefined;
  /** UDP: HELLOs without a cookie that are answered in a second, of which one address gets half at most; default 5000. */
  maxHelloRetriesPerSecond?: number | undefined;
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
  readonly protocol: ServerProtocol;
  readonly suite: Suite;
  readonly handshakeMs: number;
  readonly helloMs: number;
  readonly sessionTimeoutMs: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly maxHandshakes: number;
  readonly maxHandshakesPerAddress: number;
  readonly tryIntervalMs: number;
  readonly maxHelloRetriesPerSecond: number;
  readonly keys: KeyFinder;
  readonly devices: CheckedDeviceOptions;
}

const MAX_SESSIONS = 100_000;
/** A full TCP backlog's worth of devices after a power cut, four times over; some 20 KB each. */
const DEFAULT_HANDSHAKES = 2_048;
/** A device sends HELLO at once; the reference gives each step so long (protocol §2.6). */
const DEFAULT_HELLO_SECONDS = 5;
/** Three lanes together stay below one try a second. */
const DEFAULT_TRY_SECONDS = 3.5;
const MAX_TRY_SECONDS = 60;
/** A third of a core's time at most; a thousand devices at once are answered in 0.4 s. */
const DEFAULT_HELLO_RETRIES = 5_000;
const MAX_HELLO_RETRIES = 1_000_000;

/** @throws ArgumentError naming the field. */
export function checkServerOptions(given: ServerOptions): CheckedServerOptions {
  const options = checkOptions('options', given);
  const handshakeMs = checkSeconds('handshakeTimeout', options.handshakeTimeout ?? 10, { min: 0.1 });
  const helloMs = checkSeconds('helloTimeout', options.helloTimeout ?? DEFAULT_HELLO_SECONDS, { min: 0.1 });
  const maxHandshakes = checkInteger(
    'maxHandshakes',
    options.maxHandshakes ?? DEFAULT_HANDSHAKES,
    1,
    MAX_SESSIONS,
  );
  return {
    host: checkHost('host', options.host ?? '0.0.0.0'),
    port: checkPort('port', options.port ?? DEFAULT_PORT, 0),
    protocol: checkChoice('protocol', options.protocol ?? 'tcp', SERVER_PROTOCOLS),
    suite: checkChoice('suite', options.suite ?? DEFAULT_SUITE, SUITES),
    handshakeMs,
    helloMs: Math.min(helloMs, handshakeMs),
    sessionTimeoutMs: checkSeconds('sessionTimeout', options.sessionTimeout ?? 60),
    maxSessions: checkInteger('maxConnections', options.maxConnections ?? 100, 1, MAX_SESSIONS),
    maxSessionsPerAddress: checkInteger(
      'maxConnectionsPerIp',
      options.maxConnectionsPerIp ?? 5,
      1,
      MAX_SESSIONS,
    ),
    maxHandshakes,
    maxHandshakesPerAddress: checkInteger(
      'maxHandshakesPerAddress',
      options.maxHandshakesPerAddress ?? Math.ceil(maxHandshakes / 2),
      1,
      MAX_SESSIONS,
    ),
    tryIntervalMs: checkSeconds('tryInterval', options.tryInterval ?? DEFAULT_TRY_SECONDS, {
      max: MAX_TRY_SECONDS,
    }),
    maxHelloRetriesPerSecond: checkInteger(
      'maxHelloRetriesPerSecond',
      options.maxHelloRetriesPerSecond ?? DEFAULT_HELLO_RETRIES,
      1,
      MAX_HELLO_RETRIES,
    ),
    keys: keyFinder(options.psk),
    devices: checkDeviceOptions(options),
  };
}
