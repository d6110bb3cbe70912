/** The options of a client, checked once (protocol §6). */
import { checkChoice, checkHost, checkOptions, checkPort, checkSeconds } from '../check.js';
import { systemClock, type Clock } from '../clock.js';
import { DEFAULT_SUITE, SUITES, type Suite } from '../crypto/aead.js';
import { toPsk, type Secret } from '../crypto/secret.js';
import { systemRandom, type Random } from '../crypto/random.js';
import { dialTcp } from '../transport/tcp.js';
import type { Dial } from '../transport/transport.js';
import { dialUdp } from '../transport/udp.js';
import { DEFAULT_PORT, PROTOCOLS, type Protocol } from '../transport/transport.js';
import { DEVICE_ID_BYTES } from '../wire/constants.js';
import { toDeviceId } from '../wire/device-id.js';
import { LIMITS } from './limits.js';

export interface ClientOptions {
  /** Host name or IP address of the gateway. */
  host: string;
  /** Default 9000. */
  port?: number | undefined;
  /** The pre-shared key, at least 16 bytes; a string stands for its UTF-8 bytes. */
  psk: string | Uint8Array;
  /** Six bytes, or 12 hex digits such as `a4:cf:12:00:00:01`. Random when omitted. */
  deviceId?: string | Uint8Array | undefined;
  /** Default `tcp`. */
  protocol?: Protocol | undefined;
  /** Default `aes-256-gcm`. Not negotiated: the gateway must be configured alike. */
  suite?: Suite | undefined;
  /** Seconds for the connection to open; default 10. */
  connectTimeout?: number | undefined;
  /** Seconds for the handshake; default 10. */
  handshakeTimeout?: number | undefined;
  /** Seconds without anything sent or received after which PING is sent; default 30, 0 for never. */
  keepalive?: number | undefined;
  /** Seconds without any frame after a PING until the session counts as dead; default 10. */
  pongTimeout?: number | undefined;
}

/** What a client needs from the world around it. */
export interface ClientEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: Readonly<Record<Protocol, Dial>>;
}

export const systemEnvironment: ClientEnvironment = {
  clock: systemClock,
  random: systemRandom,
  dial: { tcp: dialTcp, udp: dialUdp },
};

export interface CheckedClientOptions {
  readonly host: string;
  readonly port: number;
  readonly psk: Secret;
  readonly deviceId: Uint8Array;
  readonly protocol: Protocol;
  readonly suite: Suite;
  readonly connectMs: number;
  readonly handshakeMs: number;
  readonly keepaliveMs: number;
  readonly pongTimeoutMs: number;
}

/** @throws ArgumentError naming the field. */
export function checkClientOptions(given: ClientOptions, random: Random): CheckedClientOptions {
  const options = checkOptions('options', given);
  return {
    host: checkHost('host', options.host),
    port: checkPort('port', options.port ?? DEFAULT_PORT),
    protocol: checkChoice('protocol', options.protocol ?? 'tcp', PROTOCOLS),
    suite: checkChoice('suite', options.suite ?? DEFAULT_SUITE, SUITES),
    deviceId: options.deviceId === undefined ? random(DEVICE_ID_BYTES) : toDeviceId(options.deviceId),
    connectMs: checkSeconds('connectTimeout', options.connectTimeout ?? 10, LIMITS.connectTimeout),
    handshakeMs: checkSeconds('handshakeTimeout', options.handshakeTimeout ?? 10, LIMITS.handshakeTimeout),
    keepaliveMs: checkSeconds('keepalive', options.keepalive ?? 30, LIMITS.keepalive),
    pongTimeoutMs: checkSeconds('pongTimeout', options.pongTimeout ?? 10, LIMITS.pongTimeout),
    psk: toPsk(options.psk),
  };
}
