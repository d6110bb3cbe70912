/** A relay between a client and a gateway on loopback that holds back what it is told to, until it lets all go at once. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Protocol } from '../../src/transport/transport.js';
import { HOST, type Loopback } from './loopback.js';
import { otherSide, type Side } from './path.js';

export class HoldingRelay {
  port = 0;
  #holds: Side | undefined;
  readonly #held: Uint8Array[] = [];
  readonly #out: Partial<Record<Side, (bytes: Uint8Array) => void>> = {};

  /** Bytes that are held back. */
  get held(): number {
    return this.#held.reduce((sum, { length }) => sum + length, 0);
  }

  /** Holds back what comes from this side. */
  hold(from: Side): void {
    this.#holds = from;
  }

  /** When it returns, all that was held back is in the other side's socket. */
  release(): void {
    const to = this.#holds && otherSide(this.#holds);
    this.#holds = undefined;
    for (const bytes of this.#held.splice(0)) if (to) this.#out[to]?.(bytes);
  }

  async open(loopback: Loopback, protocol: Protocol, target: number): Promise<this> {
    this.port = await (protocol === 'tcp' ? this.#tcp(loopback, target) : this.#udp(loopback, target));
    return this;
  }

  #pass(from: Side, bytes: Uint8Array): void {
    if (this.#holds === from) this.#held.push(bytes);
    else this.#out[otherSide(from)]?.(bytes);
  }

  #tcp(loopback: Loopback, target: number): Promise<number> {
    return loopback.tcpProgram((inside) => {
      const outside = connect({ host: HOST, port: target });
      outside.on('error', () => undefined);
      loopback.after(() => outside.destroy());
      for (const [side, socket, other] of [
        ['client', inside, outside],
        ['server', outside, inside],
      ] as const) {
        this.#out[side] = (bytes) => void socket.setNoDelay(true).write(bytes);
        socket.on('data', (chunk) => this.#pass(side, chunk));
        socket.on('close', () => other.end());
      }
    });
  }

  async #udp(loopback: Loopback, target: number): Promise<number> {
    const outside = createSocket('udp4');
    outside.connect(target, HOST);
    await once(outside, 'connect');
    loopback.after(() => new Promise<void>((resolve) => outside.close(resolve)));
    const inside = await loopback.udpSocket();
    inside.once('message', (_datagram, { port }) => inside.connect(port, HOST)); // so that it sends at once
    for (const [side, socket] of [
      ['client', inside],
      ['server', outside],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('message', (datagram) => this.#pass(side, datagram));
    }
    this.#out.server = (bytes) => outside.send(bytes);
    const early: Uint8Array[] = [];
    this.#out.client = (bytes) => early.push(bytes);
    inside.once('connect', () => {
      this.#out.client = (bytes) => inside.send(bytes);
      for (const bytes of early) inside.send(bytes);
    });
    return inside.address().port;
  }
}
