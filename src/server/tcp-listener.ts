/** Takes in devices over TCP. */
import { createServer, type Socket } from 'node:net';
import { tcpTransport } from '../transport/tcp.js';
import type { Incoming, Listener } from './listener.js';

export async function listenTcp(host: string, port: number, incoming: Incoming): Promise<Listener> {
  const server = createServer((socket: Socket) => {
    const { remoteAddress: address, remotePort } = socket;
    const remote = { address: address ?? '', port: remotePort ?? 0 };
    if (address === undefined || !incoming.admits(remote)) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    incoming.begin(remote, (handlers) => tcpTransport(socket, handlers));
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
