/** A client's UDP transport on a port that can be chosen, whose datagrams can be looked at, and that can crash. */
import { createSocket, type Socket } from 'node:dgram';
import { systemEnvironment, type ClientEnvironment } from '../../src/client/options.js';
import type { Dial } from '../../src/transport/transport.js';
import { HOST } from './loopback.js';

export class BoundDial {
  readonly sent: Uint8Array[] = [];
  readonly received: Uint8Array[] = [];
  #socket: Socket | undefined;
  #crash: () => void = () => undefined;

  /** @param localPort 0 for any free one, which it then tells. */
  constructor(public localPort = 0) {}

  get environment(): ClientEnvironment {
    return { ...systemEnvironment, dial: { ...systemEnvironment.dial, udp: this.#dial } };
  }

  /** Sends a datagram from the same address. */
  inject(bytes: Uint8Array): void {
    this.#socket?.send(bytes);
  }

  /** The device loses its power: nothing is sent, and its port is free. */
  crash(): void {
    this.#crash();
  }

  readonly #dial: Dial = ({ host, port }, handlers) => {
    let open = true;
    const socket = createSocket('udp4');
    const close = (error?: Error): void => {
      if (!open) return;
      open = false;
      socket.close(() => handlers.closed(error));
    };
    this.#socket = socket;
    this.#crash = () => close(new Error('no power'));
    socket.once('error', close); // the port is taken
    socket.on('message', (datagram: Buffer) => {
      this.received.push(datagram);
      handlers.data(datagram);
    });
    socket.bind(this.localPort, HOST, () => {
      this.localPort = socket.address().port;
      socket.off('error', close).on('error', () => undefined);
      socket.connect(port, host, () => handlers.open());
    });
    return {
      write: (bytes) => {
        this.sent.push(Uint8Array.from(bytes));
        if (open) socket.send(bytes);
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      close: () => close(),
    };
  };
}
