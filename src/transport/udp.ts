/** A connected UDP socket as a transport: one datagram a write, and only the peer's datagrams come in. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { Dial } from './transport.js';

/** All addresses of a name, anew at each call. */
export type Lookup = (
  host: string,
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void;

/** IPv4 first: USMP servers listen on 0.0.0.0 by default, and `localhost` often is ::1 as well. */
const lookupAll: Lookup = (host, callback) => systemLookup(host, { all: true, order: 'ipv4first' }, callback);

/**
 * Nothing tells over UDP whether an address is the right one before the handshake, so each failed attempt moves on to
 * the name's next address, IPv6 or IPv4.
 */
export const udpDialer =
  (lookup: Lookup): Dial =>
  ({ host, port, failures }, handlers) => {
    let socket: Socket | undefined;
    let state: 'resolving' | 'open' | 'closed' = 'resolving';

    const close = (error?: NodeJS.ErrnoException): void => {
      if (state === 'closed') return;
      state = 'closed';
      if (socket) socket.close(() => handlers.closed(error));
      else queueMicrotask(() => handlers.closed(error));
    };

    lookup(host, (error, addresses) => {
      if (state === 'closed') return;
      const chosen = error ? undefined : addresses[failures % addresses.length];
      if (!chosen) {
        close(error ?? Object.assign(new Error('no address'), { code: 'ENOTFOUND' }));
        return;
      }
      const { address, family } = chosen;
      socket = createSocket(family === 6 ? 'udp6' : 'udp4');
      socket.on('message', (datagram) => handlers.data(datagram));
      socket.on('error', (fault) => (state === 'open' ? handlers.fault(fault) : close(fault)));
      socket.connect(port, address, (fault?: NodeJS.ErrnoException) => {
        if (state !== 'resolving') return;
        if (fault) {
          close(fault);
          return;
        }
        state = 'open';
        handlers.open();
      });
    });

    return {
      write(bytes) {
        // A datagram that cannot be sent is as good as lost on the way: it is repeated.
        if (state === 'open')
          socket?.send(bytes, (error) => error && state === 'open' && handlers.fault(error));
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      close: () => close(),
      get isResolving() {
        return state === 'resolving' && !socket;
      },
    };
  };

export const dialUdp = udpDialer(lookupAll);
