/** The row about a UDP device whose NAT changed its port: a relay between it and the gateway that does so. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { encodeFrame } from '../../src/wire/frame.js';
import { FrameType } from '../../src/wire/constants.js';
import { device, echo, sleep, startGateway, ROOM, type Gateway } from './gateway.js';
import type { Scene } from './crowd.js';
import { figure, ms } from './report.js';

/** Server CPU in microseconds for each datagram sent from a socket of its own. */
async function costOf(gateway: Gateway, count: number, make: (n: number) => Uint8Array): Promise<number> {
  const AT_ONCE = 200; // fits the receive buffer, so that the server sees most of them
  const elsewhere = createSocket('udp4').on('message', () => undefined);
  const before = await gateway.measure();
  for (let n = 0; n < count; n++) {
    elsewhere.send(make(n), gateway.port, '127.0.0.1', () => undefined);
    if (n % AT_ONCE === AT_ONCE - 1) await sleep(5);
  }
  await sleep(100);
  const after = await gateway.measure();
  elsewhere.close();
  return ((after.cpuMs - before.cpuMs) * 1_000) / count;
}

export async function rebind({ protocol, scale }: Scene): Promise<void> {
  if (protocol === 'tcp') return;
  const gateway = await startGateway({ protocol: 'udp', ...ROOM });
  const inside = createSocket('udp4');
  inside.bind(0, '127.0.0.1');
  await once(inside, 'listening');
  let deviceSide = 0;
  let lastSent: Uint8Array = new Uint8Array();
  const outgoing = (): Socket =>
    createSocket('udp4').on('message', (datagram) => inside.send(datagram, deviceSide, '127.0.0.1'));
  let outside = outgoing();
  inside.on('message', (datagram, info) => {
    deviceSide = info.port;
    lastSent = datagram;
    outside.send(datagram, gateway.port, '127.0.0.1');
  });
  const client = device(gateway, 'udp', { port: inside.address().port });
  await client.connect();
  const { sessionId } = client;
  await client.send('before');
  outside.close();
  outside = outgoing();
  const start = performance.now();
  let reconnected = false;
  // `send` resolves with the UTACK; a session that has died is opened again, as a device does.
  for (let isSent = false; !isSent && performance.now() - start < 30_000;) {
    try {
      if (!client.connected) await client.connect();
      await client.send('after');
      isSent = true;
    } catch {
      reconnected = true;
    }
  }
  const took = performance.now() - start;
  const again = reconnected || client.sessionId !== sessionId;
  const seen = `${ms(took)}, ${again ? 'with' : 'without'} a new handshake`;
  figure(
    'rebind udp',
    'until the next confirmed message',
    seen,
    'under 100 ms, without',
    took < 100 && !again,
  );
  const real = Buffer.from(client.sessionId ?? '', 'hex').subarray(0, 8);
  const forged = (id: Uint8Array) => (seq: number) => {
    const payload = Buffer.alloc(44);
    payload.writeUInt32LE(seq);
    payload.set(id, 4);
    return encodeFrame({ type: FrameType.DATA, seq, payload });
  };
  const replayed = Uint8Array.from(lastSent);
  for (const [what, count, make] of [
    ['forged frames, unknown id', 1_000_000, forged(Buffer.alloc(8, 1))],
    ['forged frames, known id', 1_000_000, forged(real)],
    ['replayed frames', 10_000, () => replayed],
  ] as const) {
    const sent = Math.max(100, Math.round(count * scale));
    const cost = await costOf(gateway, sent, make);
    const back = await Promise.race([echo(client).catch(() => undefined), sleep(5_000)]);
    const seen = `${cost.toFixed(1)} µs server CPU each, session ${back === undefined ? 'moved' : 'stays'}`;
    figure('rebind udp', `${sent} ${what} from elsewhere`, seen, 'stays', back !== undefined);
  }
  await client.disconnect(500);
  outside.close();
  inside.close();
  await gateway.close();
}
