/** Takes in devices over TCP. */
import { createServer, type Socket } from 'node:net';
import { tcpTransport } from '../transport/tcp.js';
import type { Transport, TransportHandlers } from '../transport/transport.js';
import type { Incoming, Listener } from './listener.js';

export async function listenTcp(host: string, port: number, incoming: Incoming): Promise<Listener> {
  const server = createServer((socket: Socket) => {
    const { remoteAddress: address, remotePort: from = 0 } = socket;
    const open = (handlers: TransportHandlers): Transport => tcpTransport(socket, handlers);
    const remote = address === undefined ? undefined : { address, port: from };
    if (remote && incoming.begin({ protocol: 'tcp', remote, open, occupants: () => [] })) return;
    socket.on('error', () => undefined);
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // A fault while accepting (no more file handles, say) concerns one connection, not the listener.
      server.on('error', () => undefined);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
