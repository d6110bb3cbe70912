/** A connected UDP socket as a transport: one datagram a write, and only the peer's datagrams come in. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns';
import type { Dial } from './transport.js';

export const dialUdp: Dial = ({ host, port }, handlers) => {
  let socket: Socket | undefined;
  let state: 'resolving' | 'open' | 'closed' = 'resolving';

  const close = (error?: NodeJS.ErrnoException): void => {
    if (state === 'closed') return;
    state = 'closed';
    if (socket) socket.close(() => handlers.closed(error));
    else queueMicrotask(() => handlers.closed(error));
  };

  lookup(host, (error, address, family) => {
    if (state === 'closed') return;
    if (error) {
      close(error);
      return;
    }
    socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('message', (datagram) => handlers.data(datagram));
    socket.on('error', (fault) => (state === 'open' ? handlers.fault(fault) : close(fault)));
    socket.connect(port, address, () => {
      if (state !== 'resolving') return;
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
  };
};
