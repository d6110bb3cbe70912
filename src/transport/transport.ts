/** What carries the bytes: a stream or datagrams, as the rest of the engine sees them. */

/** By convention, of gateways. */
export const DEFAULT_PORT = 9000;

export const PROTOCOLS = ['tcp', 'udp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface TransportHandlers {
  open(): void;
  data(bytes: Uint8Array): void;
  /** More can be written, after `write` returned false. */
  drain(): void;
  /** A fault that need not be the end, such as an ICMP answer to a datagram. */
  fault(error: NodeJS.ErrnoException): void;
  /** The last call, exactly once, also after `close`. */
  closed(error?: NodeJS.ErrnoException): void;
}

export interface Transport {
  /** @returns false when the caller should wait for `drain`. */
  write(bytes: Uint8Array): boolean;
  /**
   * Datagrams: this one was dealt with, and what is written next answers it.
   * @param isNew whether it was a sealed frame that authenticated and was no repeat.
   */
  took?(datagram: Uint8Array, isNew: boolean): void;
  pause(): void;
  resume(): void;
  /** Sends what was written, where the path allows, and releases the socket within so many milliseconds. */
  close(withinMs: number): void;
  /** While it opens: whether it still waits for the address of a host name. */
  readonly isResolving?: boolean;
}

export interface Target {
  readonly host: string;
  readonly port: number;
  /** How many attempts in a row have failed before this one, for choosing among several addresses. */
  readonly failures: number;
}

/** Opens a transport to a gateway. */
export type Dial = (target: Target, handlers: TransportHandlers) => Transport;
