/** A router between a client and a gateway on loopback that can go dark: then nothing passes, and nothing says so. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Protocol } from '../../src/transport/transport.js';
import { HOST, type Loopback } from './loopback.js';

export interface Relay {
  readonly port: number;
  goDark(): void;
}

export function relay(loopback: Loopback, protocol: Protocol, target: number): Promise<Relay> {
  return protocol === 'tcp' ? relayTcp(loopback, target) : relayUdp(loopback, target);
}

async function relayTcp(loopback: Loopback, target: number): Promise<Relay> {
  const halves: (() => void)[] = [];
  const port = await loopback.tcpProgram((inside) => {
    const outside = connect({ host: HOST, port: target, allowHalfOpen: true });
    outside.on('error', () => undefined);
    loopback.after(() => outside.destroy());
    inside.pipe(outside);
    outside.pipe(inside);
    halves.push(() => {
      inside.unpipe(outside).pause();
      outside.unpipe(inside).pause();
    });
  });
  return { port, goDark: () => halves.forEach((cut) => cut()) };
}

async function relayUdp(loopback: Loopback, target: number): Promise<Relay> {
  let dark = false;
  const outside = createSocket('udp4');
  outside.connect(target, HOST);
  await once(outside, 'connect');
  loopback.after(() => new Promise<void>((resolve) => outside.close(resolve)));
  let back: ((bytes: Uint8Array) => void) | undefined;
  outside.on('message', (datagram) => !dark && back?.(datagram));
  outside.on('error', () => undefined);
  const port = await loopback.udpProgram((datagram, reply) => {
    back = reply;
    if (!dark) outside.send(datagram);
  });
  return { port, goDark: () => (dark = true) };
}
