/** What a listener, TCP or UDP, tells the server about who comes in, and why one could not be opened. */
import { USMPError } from '../errors.js';
import type { Channel } from '../endpoint/channel.js';
import type { Protocol, Transport, TransportHandlers } from '../transport/transport.js';

export interface Remote {
  readonly address: string;
  readonly port: number;
}

export interface Listener {
  /** The port listened on. */
  readonly port: number;
  /**
   * Takes nothing new; open connections stay. Resolves when the socket is released.
   * @param after UDP: the sessions are over, which share the listener's socket.
   */
  close(after?: Promise<unknown>): Promise<void>;
}

/** Somebody who has opened a connection, or who sent a HELLO over UDP from where it says. */
export interface Arrival {
  readonly protocol: Protocol;
  readonly remote: Remote;
  /** Gives the transport, which is open, its handlers. */
  readonly open: (handlers: TransportHandlers) => Transport;
  /** UDP: who it says it is. Over TCP that comes later. */
  readonly deviceId?: Uint8Array;
  /** UDP: the channels of sessions at this very address and port, whose place a new session takes. */
  readonly occupants: () => readonly Channel[];
}

export interface Incoming {
  /** Begins a handshake. @returns undefined when there is no room for it. */
  begin(arrival: Arrival): Channel | undefined;
  /** UDP: a session is at another address now. */
  moved(channel: Channel, remote: Remote): void;
}

export function explainListenFailure(
  { host, port, protocol }: { host: string; port: number; protocol: Protocol },
  error: NodeJS.ErrnoException,
): USMPError {
  const where = `${protocol.toUpperCase()} port ${port} on ${host}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new USMPError(
        `${where} is taken by another program: choose another port, or stop that program`,
        {
          code: 'USMP_PORT_IN_USE',
          fault: 'local',
          cause: error,
        },
      );
    case 'EACCES':
      return new USMPError(`${where} may not be used by this user: ports below 1024 need rights`, {
        code: 'USMP_PORT_FORBIDDEN',
        fault: 'local',
        cause: error,
      });
    default:
      return new USMPError(`cannot listen on ${where} (${error.code ?? error.message})`, {
        code: 'USMP_LISTEN',
        fault: 'local',
        cause: error,
      });
  }
}
