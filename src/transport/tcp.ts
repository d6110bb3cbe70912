/** A TCP socket as a transport. */
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import type { Dial, Transport, TransportHandlers } from './transport.js';

/** Wraps a socket that is open or opening. */
export function tcpTransport(socket: Socket, handlers: TransportHandlers): Transport {
  let failure: Error | undefined;
  let linger: NodeJS.Timeout | undefined;
  socket.setNoDelay(true);
  socket.on('connect', () => handlers.open());
  socket.on('data', (chunk: Buffer) => handlers.data(chunk));
  socket.on('drain', () => handlers.drain());
  socket.on('error', (error) => (failure = error));
  // USMP has no half-open sessions: when the peer has sent its last byte, ours are of no use.
  socket.on('end', () => socket.destroy());
  socket.on('close', () => {
    clearTimeout(linger);
    handlers.closed(failure);
  });
  return {
    write: (bytes) => socket.write(bytes),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close(withinMs) {
      if (linger || socket.destroyed) return;
      // A peer that does not read must not hold the socket.
      linger = setTimeout(() => socket.destroy(), withinMs);
      socket.resume(); // an unread byte would hold back the peer's FIN
      if (socket.connecting) socket.destroy();
      else socket.destroySoon();
    },
  };
}

/** Node.js resolves the name anew and tries IPv6 and IPv4 addresses side by side (RFC 8305). */
export const tcpDialer =
  (lookup?: LookupFunction): Dial =>
  ({ host, port }, handlers) => {
    const socket = connect({ host, port, autoSelectFamily: true, ...(lookup && { lookup }) });
    let isResolving = isIP(host) === 0;
    socket.once('lookup', () => (isResolving = false));
    return {
      ...tcpTransport(socket, handlers),
      get isResolving() {
        return isResolving;
      },
    };
  };

export const dialTcp = tcpDialer();
