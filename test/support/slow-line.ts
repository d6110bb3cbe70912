/** A TCP line that takes its time in each direction, between a client and a gateway on loopback. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface SlowLine {
  readonly port: number;
  close(): Promise<void>;
}

/** @param delayMs for each way. */
export async function startSlowLine(target: number, delayMs: number): Promise<SlowLine> {
  const sockets = new Set<Socket>();
  const own = (socket: Socket): Socket => {
    sockets.add(socket.setNoDelay(true));
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    return socket;
  };
  const later = (act: () => void): void => void setTimeout(act, delayMs);
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => later(() => to.writable && to.write(chunk)));
    from.on('end', () => later(() => to.end()));
    from.on('close', () => later(() => to.destroy()));
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = own(connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }));
    pass(own(near), far);
    pass(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
