/** What a listener, TCP or UDP, tells the server about the connections that come in. */
import { USMPError } from '../errors.js';
import type { Channel } from '../endpoint/channel.js';
import type { TransportHandlers, Transport } from '../transport/transport.js';
import type { Protocol } from '../transport/transport.js';

export interface Remote {
  readonly address: string;
  readonly port: number;
}

export interface Listener {
  /** The port listened on. */
  readonly port: number;
  /** Takes nothing new; open connections stay. Resolves when the socket is released. */
  close(): Promise<void>;
}

export interface Incoming {
  /** Whether this address may begin a handshake now; asked before anything is spent on it. */
  admits(remote: Remote): boolean;
  /** Begins a handshake over a transport that is open. */
  begin(remote: Remote, open: (handlers: TransportHandlers) => Transport): Channel | undefined;
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
