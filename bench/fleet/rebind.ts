/** The row about a UDP device whose NAT changed its port: a relay between it and the gateway that does so. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { device, startGateway, ROOM } from './gateway.js';
import type { Scene } from './crowd.js';
import { figure, ms } from './report.js';

export async function rebind({ protocol }: Scene): Promise<void> {
  if (protocol === 'tcp') return;
  const gateway = await startGateway({ protocol: 'udp', ...ROOM });
  const inside = createSocket('udp4');
  inside.bind(0, '127.0.0.1');
  await once(inside, 'listening');
  let deviceSide = 0;
  const outgoing = (): Socket =>
    createSocket('udp4').on('message', (datagram) => inside.send(datagram, deviceSide, '127.0.0.1'));
  let outside = outgoing();
  inside.on('message', (datagram, info) => {
    deviceSide = info.port;
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
  await client.disconnect(500);
  outside.close();
  inside.close();
  await gateway.close();
}
