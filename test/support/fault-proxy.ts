/**
 * Stands between a client and a gateway on loopback and does, by a seeded choice, what networks do. TCP: reset, stall,
 * half-close, single-byte writes, a cut in the middle of a frame. UDP: loss, duplication, reordering, delay,
 * corruption. Both: the gateway at another address from now on (`move`), and a cut of everything (`cut`).
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Faults {
  /** Chances per TCP chunk. */
  readonly reset?: number;
  readonly stall?: number;
  readonly halfClose?: number;
  readonly midFrameCut?: number;
  readonly singleBytes?: number;
  /** Chances per datagram. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly corrupt?: number;
}

/** How long a reordered datagram is held back, at most. */
const REORDER_MS = 20;

export interface FaultProxy {
  readonly port: number;
  /** Faults come to pass from now on, or no more. */
  faults: Faults;
  /** How often each fault came to pass. */
  readonly count: Record<string, number>;
  cut(): void;
  /** UDP: the gateway sees another source port from now on. */
  move(): void;
  close(): Promise<void>;
}

type Chance = () => number;

export async function startFaultProxy(
  protocol: 'tcp' | 'udp',
  target: () => number,
  chance: Chance,
  faults: Faults,
): Promise<FaultProxy> {
  const count: Record<string, number> = {};
  const proxy = { faults, count };
  const happens = (fault: keyof Faults): boolean => {
    if (chance() >= (proxy.faults[fault] ?? 0)) return false;
    count[fault] = (count[fault] ?? 0) + 1;
    return true;
  };
  const started = await (protocol === 'tcp' ? startTcp : startUdp)(target, chance, happens);
  return Object.assign(proxy, started);
}

type Started = Omit<FaultProxy, 'faults' | 'count'>;
type Happens = (fault: keyof Faults) => boolean;

/** Node.js cannot reset a socket whose FIN is just leaving: that is an error (EINVAL), and the socket stays open. */
const reset = (socket: Socket): Socket =>
  socket.writableEnded ? socket.destroy() : socket.resetAndDestroy();

async function startTcp(target: () => number, chance: Chance, happens: Happens): Promise<Started> {
  const sockets = new Set<Socket>();
  const own = (socket: Socket): Socket => {
    sockets.add(socket.setNoDelay(true));
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };

  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (chunk: Buffer) => {
      if (happens('reset')) {
        reset(from);
        reset(to);
      } else if (happens('stall')) {
        from.removeAllListeners('data').resume(); // reads, and passes nothing on any more
      } else if (happens('halfClose')) {
        to.end();
      } else if (happens('midFrameCut')) {
        to.end(chunk.subarray(0, Math.floor(chance() * chunk.length)));
        from.destroySoon();
      } else if (happens('singleBytes')) {
        for (const byte of chunk) to.write(Uint8Array.of(byte));
      } else if (to.writable && !to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
    });
    from.on('end', () => to.end());
    from.on('close', () => to.destroySoon());
  };

  const server: Server = createServer((client) => {
    const gateway = own(connect(target(), '127.0.0.1'));
    pass(own(client), gateway);
    pass(gateway, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) reset(socket);
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    move: cut,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

async function startUdp(target: () => number, chance: Chance, happens: Happens): Promise<Started> {
  const front = createSocket('udp4');
  /** The socket towards the gateway for each client. */
  const backs = new Map<string, UdpSocket>();
  const timers = new Set<NodeJS.Timeout>();
  let open = true;

  const disturb = (datagram: Buffer, send: (bytes: Buffer) => void): void => {
    if (happens('loss')) return;
    const bytes = Buffer.from(datagram);
    if (happens('corrupt')) {
      const at = Math.floor(chance() * bytes.length);
      bytes[at] = bytes[at]! ^ (1 << Math.floor(chance() * 8));
    }
    if (happens('duplicate')) send(bytes);
    if (!happens('reorder')) {
      send(bytes);
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (open) send(bytes);
    }, chance() * REORDER_MS);
    timers.add(timer);
  };

  const backOf = ({ address, port }: RemoteInfo): UdpSocket => {
    const key = `${address}|${port}`;
    const known = backs.get(key);
    if (known) return known;
    const back = createSocket('udp4');
    backs.set(key, back);
    back.on('error', () => undefined);
    back.on('message', (datagram) =>
      disturb(datagram, (bytes) => open && front.send(bytes, port, address, ignore)),
    );
    return back;
  };
  const cut = (): void => {
    for (const back of backs.values()) back.close();
    backs.clear();
  };

  front.on('message', (datagram, info) => {
    disturb(datagram, (bytes) => open && backOf(info).send(bytes, target(), '127.0.0.1', ignore));
  });
  front.on('error', () => undefined);
  front.bind(0, '127.0.0.1');
  await once(front, 'listening');
  return {
    port: front.address().port,
    cut,
    move: cut,
    close: async () => {
      open = false;
      for (const timer of timers) clearTimeout(timer);
      cut();
      front.close();
      await once(front, 'close');
    },
  };
}

const ignore = (): void => undefined;
