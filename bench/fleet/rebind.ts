/** The row about UDP devices whose NAT changes their port, and about those who claim to be one from elsewhere. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { createCookies } from '../../src/handshake/cookie.js';
import { Doorman } from '../../src/server/doorman.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { around, device, disconnectAll, echo, openBeside, type Device } from './devices.js';
import { ROOM, startGateway, type Gateway } from './gateway.js';
import { figure, ms } from './report.js';
import { scaled, sleep, type Scene } from './scene.js';
import { troubleFor } from './trouble.js';

const HOST = '127.0.0.1';

/** A device behind a NAT. */
interface Behind {
  readonly client: Device;
  /** The NAT gives it another port. */
  rebind(): void;
  /** The last datagram that it sent. */
  readonly lastSent: Uint8Array;
  close(): void;
}

async function behindNat(gateway: Gateway): Promise<Behind> {
  const inside = createSocket('udp4');
  inside.bind(0, HOST);
  await once(inside, 'listening');
  let deviceSide = 0;
  let lastSent: Uint8Array = new Uint8Array();
  const outgoing = (): Socket =>
    createSocket('udp4').on('message', (datagram) => inside.send(datagram, deviceSide, HOST));
  let outside = outgoing();
  inside.on('message', (datagram, info) => {
    deviceSide = info.port;
    lastSent = datagram;
    outside.send(datagram, gateway.port, HOST);
  });
  const client = device(gateway, { protocol: 'udp', port: inside.address().port });
  await client.connect();
  return {
    client,
    rebind() {
      outside.close();
      outside = outgoing();
    },
    get lastSent() {
      return lastSent;
    },
    close() {
      outside.close();
      inside.close();
    },
  };
}

/** Milliseconds until a message is confirmed; a session that has died is opened again, as a device does. */
async function confirmed(client: Device): Promise<{ took: number; isSame: boolean }> {
  const { sessionId } = client;
  const start = performance.now();
  for (let isSent = false; !isSent && performance.now() - start < 30_000;) {
    try {
      if (!client.connected) await client.connect();
      await client.send('a reading'); // resolves with the UTACK
      isSent = true;
    } catch {
      // The session is over.
    }
  }
  return { took: performance.now() - start, isSame: client.sessionId === sessionId };
}

/** Frames of a session, from elsewhere: forged under an id, or replayed. */
async function fromElsewhere(row: string, gateway: Gateway, nat: Behind, scale: number): Promise<void> {
  const established = await openBeside(gateway);
  const real = Buffer.from(nat.client.sessionId ?? '', 'hex').subarray(0, 8);
  const forged = (id: Uint8Array): Uint8Array => {
    const payload = Buffer.alloc(44);
    payload.set(id, 4);
    return encodeFrame({ type: FrameType.DATA, seq: 0, payload });
  };
  const replayed = Uint8Array.from(nat.lastSent);
  for (const [what, count, frame, isNumbered] of [
    ['forged frames, unknown id', 1_000_000, forged(Buffer.alloc(8, 1)), true],
    ['forged frames, known id', 1_000_000, forged(real), true],
    ['replayed frames', 10_000, replayed, false],
  ] as const) {
    const sent = Math.max(100, Math.round(count * scale));
    const hex = Buffer.from(frame).toString('hex');
    const mischief = { type: 'datagrams', frame: hex, isNumbered, count: sent } as const;
    const trouble = await troubleFor(gateway, mischief);
    const { cpuMs } = await gateway.measure();
    const { text } = await around(established, async () => trouble.begin());
    const cost = (((await gateway.measure()).cpuMs - cpuMs) * 1_000) / sent;
    await trouble.end();
    const back = await Promise.race([echo(nat.client).catch(() => undefined), sleep(5_000)]);
    const stays = back === undefined ? 'moved' : 'stays';
    const seen = `at most ${cost.toFixed(1)} µs server CPU each, session ${stays}`;
    figure(row, `${sent} ${what} from elsewhere`, seen, 'stays', back !== undefined);
    figure(row, 'sessions: p99 before, during, after', text);
  }
  await disconnectAll(established);
}

/** A million sealed frames of sessions that do not exist, at a door with a thousand that do; no socket. */
function atTheDoor(row: string, count: number): void {
  const random = (length: number): Uint8Array => randomBytes(length);
  const cookies = createCookies(random);
  const doorman = new Doorman<object>({ cookies, random, maxHelloRetriesPerSecond: 2_000 });
  for (let n = 0; n < 1_000; n++) {
    const session = {};
    doorman.began(session, { address: HOST, port: n }, randomBytes(66));
    doorman.established(session, randomBytes(16));
  }
  const frames = Array.from({ length: 1_000 }, () =>
    encodeFrame({ type: FrameType.DATA, seq: 0, payload: randomBytes(60) }),
  );
  const start = performance.now();
  for (let n = 0; n < count; n++)
    doorman.decide(frames[n % 1_000] ?? randomBytes(1), { address: HOST, port: 1 }, 0);
  const cost = ((performance.now() - start) * 1_000) / count;
  figure(row, `${count} forged frames at the door alone`, `${cost.toFixed(2)} µs each`);
}

export async function rebind({ protocol, scale }: Scene): Promise<void> {
  if (protocol === 'tcp') return;
  const row = `rebind ${protocol}`;
  const gateway = await startGateway({ protocol, ...ROOM });
  const nat = await behindNat(gateway);
  const before = await confirmed(nat.client);
  nat.rebind();
  const during = await confirmed(nat.client);
  const after = await confirmed(nat.client);
  const [took, isSame] = [during.took, during.isSame];
  const seen = `${[before, during, after].map((each) => ms(each.took)).join(', ')}, ${isSame ? 'without' : 'with'} a new handshake`;
  const what = 'a confirmed message before, right after, and later';
  figure(row, what, seen, 'under 100 ms, without', took < 100 && isSame);
  await fromElsewhere(row, gateway, nat, scale);
  atTheDoor(row, scaled(1_000_000, scale));
  await nat.client.disconnect(500);
  nat.close();
  await gateway.close();
}
