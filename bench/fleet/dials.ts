/** Where a device comes from, where that matters: an address of this machine, and over UDP a port of it. */
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { tcpTransport } from '../../src/transport/tcp.js';
import type { Dial } from '../../src/transport/transport.js';

export interface Place {
  readonly dial: { readonly tcp: Dial; readonly udp: Dial };
  /** The device there loses its power: over UDP nothing tells the gateway, and the port is free. */
  powerOff(): Promise<void>;
}

/** @param localPort for UDP; 0 for any. */
export function at(localAddress: string, localPort = 0): Place {
  let last: Socket | undefined;
  const udp: Dial = ({ host, port }, handlers) => {
    const socket = createSocket('udp4');
    last = socket;
    socket.on('message', (datagram) => handlers.data(datagram)).on('error', () => undefined);
    socket.on('close', () => handlers.closed());
    socket.bind(localPort, localAddress, () => socket.connect(port, host, () => handlers.open()));
    return {
      write(bytes) {
        if (last === socket) socket.send(bytes, () => undefined);
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      close() {
        if (last !== socket) return;
        last = undefined;
        socket.close();
      },
    };
  };
  return {
    dial: {
      tcp: ({ host, port }, handlers) => tcpTransport(connect({ host, port, localAddress }), handlers),
      udp,
    },
    async powerOff() {
      const socket = last;
      last = undefined;
      if (socket) await new Promise<void>((resolve) => socket.close(resolve));
    },
  };
}
