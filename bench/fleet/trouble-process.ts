/** Makes trouble for a gateway (`Mischief`), in a process of its own. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { encodeFrame } from '../../src/wire/frame.js';
import { FrameType } from '../../src/wire/constants.js';
import { decodeHelloRetry, encodeHello } from '../../src/wire/payloads.js';
import { device, entered, type Device } from './devices.js';
import { sleep } from './scene.js';
import type { Mischief, Orders, Told } from './trouble.js';

const { port, protocol, mischief } = JSON.parse(process.argv[2] ?? '{}') as Orders;
const HOST = '127.0.0.1';

// Elsewhere they would have machines of their own: here they get what the gateway and those measured leave.
setPriority(constants.priority.PRIORITY_LOW);

let begun = 0;
let count = 0;
const told = (): Told => ({ count, seconds: (performance.now() - begun) / 1_000 });

type Kind<T extends Mischief['type']> = Extract<Mischief, { type: T }>;

/** @returns the devices, ready to go. */
function crowd({ size, timeout }: Kind<'storm'>): Device[] {
  return Array.from({ length: size }, () => device({ port, protocol }, { timeout }));
}

async function storm(devices: readonly Device[]): Promise<Told> {
  let last = told();
  await Promise.all(
    devices.map(async (each) => {
      if (!(await entered(each))) return;
      count += 1;
      last = told();
    }),
  );
  return last;
}

/** Calls it so often a second, in bunches as timers allow. */
function atRate(perSecond: number, act: (n: number) => void): void {
  const TICK_MS = 5;
  setInterval(() => {
    const due = Math.floor(told().seconds * perSecond);
    for (; count < due; count++) act(count);
  }, TICK_MS);
}

const hello = (cookie?: Uint8Array): Uint8Array => {
  const clientPublic = new Uint8Array(32).fill(9);
  const payload = encodeHello({ deviceId: new Uint8Array(6), clientPublic, ...(cookie && { cookie }) });
  return encodeFrame({ type: FrameType.HELLO, seq: cookie ? 1 : 0, payload });
};

function flood({ perSecond, from }: Kind<'flood'>): void {
  const socket = createSocket('udp4').on('message', () => undefined);
  const frame = hello();
  socket.bind(0, from, () => atRate(perSecond, () => socket.send(frame, port, HOST, () => undefined)));
}

function stranger(localAddress: string): Socket {
  return connect({ host: HOST, port, localAddress }).on('error', () => undefined);
}

function silent({ addresses, each }: Kind<'silent'>): void {
  const AGAIN_MS = 20;
  let open = 0;
  setInterval(() => {
    for (; open < addresses * each; open++, count++) {
      stranger(`127.0.0.${2 + (count % addresses)}`).on('close', () => (open -= 1));
    }
  }, AGAIN_MS);
}

function health({ everyMs }: Kind<'health'>): void {
  setInterval(() => {
    const socket = stranger(HOST);
    socket.on('connect', () => socket.destroy());
    count += 1;
  }, everyMs);
}

function wrongPsk({ everyMs }: Kind<'wrongPsk'>): void {
  setInterval(() => {
    const client = device({ port, protocol }, { id: '0a0000000001', psk: 'x'.repeat(20), timeout: 2 });
    void entered(client).then(() => client.disconnect(100));
    count += 1;
  }, everyMs);
}

async function datagrams({ frame, isNumbered, count: all }: Kind<'datagrams'>): Promise<Told> {
  const AT_ONCE = 200; // fits the receive buffer, so that the gateway sees most of them
  const socket = createSocket('udp4').on('message', () => undefined);
  const bytes = Buffer.from(frame, 'hex');
  for (; count < all; count++) {
    const each = Buffer.from(bytes);
    if (isNumbered) each.writeUInt32LE(count, 4);
    socket.send(each, port, HOST, () => undefined);
    if (count % AT_ONCE === AT_ONCE - 1) await sleep(5);
  }
  socket.close();
  return told();
}

/** A HELLO, and the HELLO with the cookie that comes back. */
async function helloTwice(socket: UdpSocket, localAddress: string): Promise<void> {
  socket.bind(0, localAddress);
  await once(socket, 'listening');
  socket.on('message', (datagram: Buffer) => {
    if (datagram[3] !== FrameType.HELLO_RETRY || datagram.length < 14) return;
    socket.send(hello(decodeHelloRetry(datagram.subarray(12))), port, HOST, () => undefined);
  });
  socket.send(hello(), port, HOST, () => undefined);
}

async function strangers({ count: all }: Kind<'strangers'>): Promise<Told> {
  const AT_ONCE = 50;
  const ADDRESSES = 200;
  const isUdp = (n: number): boolean => protocol === 'udp' || (protocol === 'both' && n % 2 === 1);
  for (; count < all; count++) {
    const address = `127.0.0.${2 + (count % ADDRESSES)}`;
    if (isUdp(count)) await helloTwice(createSocket('udp4'), address);
    else stranger(address);
    if (count % AT_ONCE === AT_ONCE - 1) await sleep(20);
  }
  await sleep(300);
  return told();
}

/** @returns what came of it, where it has an end of its own. */
function ready(): () => Promise<Told> | undefined {
  const endless =
    (make: () => void): (() => undefined) =>
    () => {
      make();
      return undefined;
    };
  switch (mischief.type) {
    case 'storm': {
      const devices = crowd(mischief);
      return () => storm(devices);
    }
    case 'datagrams':
      return () => datagrams(mischief);
    case 'strangers':
      return () => strangers(mischief);
    case 'flood':
      return endless(() => flood(mischief));
    case 'silent':
      return endless(() => silent(mischief));
    case 'health':
      return endless(() => health(mischief));
    case 'wrongPsk':
      return endless(() => wrongPsk(mischief));
  }
}

const act = ready();
process.on('message', (order) => {
  if (order === 'end') process.exit();
  if (order === 'tell') {
    process.send?.(told());
    return;
  }
  begun = performance.now();
  void Promise.resolve(act()).then((result) => process.send?.(result ?? told()));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
