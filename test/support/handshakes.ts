/** A client's and a server's handshake, joined without transport. */
import assert from 'node:assert/strict';
import type { Random } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import type { Established } from '../../src/handshake/handshake.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { FrameType } from '../../src/wire/constants.js';
import type { Frame } from '../../src/wire/frame.js';
import { ascii, hex } from './hex.js';
import { seededRandom } from './random.js';

export const DEVICE_ID = hex('a4cf12000001');

/** A fresh holder each time, as whoever gets one may wipe it. */
export const thePsk = (): Secret => new Secret(ascii('the key of device one'));
export const anotherPsk = (): Secret => new Secret(ascii('the key of device two'));

export function makeClient(psk = thePsk(), random: Random = seededRandom(1)): ClientHandshake {
  return new ClientHandshake({ psk, deviceId: DEVICE_ID, random });
}

export function makeServer(random: Random = seededRandom(2)): ServerHandshake {
  return new ServerHandshake({ random });
}

export const helloRetry = (cookie = new Uint8Array(16).fill(7)): Frame => ({
  type: FrameType.HELLO_RETRY,
  seq: 0,
  payload: cookie,
});

/** The frame that a side must answer this one with; a server that asks for the PSK gets it. */
export function reply(to: Frame, side: ClientHandshake | ServerHandshake): Frame {
  if (side.role === 'server' && to.type === FrameType.HELLO) return challenge(side, to, thePsk());
  const step = side.receive(to);
  assert.ok(step.reply, 'no reply');
  return step.reply;
}

/** The server's answer to HELLO, given the device's key. */
export function challenge(server: ServerHandshake, hello: Frame, psk: Secret | undefined): Frame {
  assert.deepEqual(server.receive(hello), { pskWanted: DEVICE_ID });
  const { reply: frame } = server.providePsk(psk);
  assert.ok(frame, 'no CHALLENGE');
  return frame;
}

/** The server's answer to HELLO_ACK. */
export function prove(server: ServerHandshake, helloAck: Frame) {
  const { reply: sessionOk, established } = server.receive(helloAck);
  assert.ok(sessionOk && established, 'not established');
  return { sessionOk, established };
}

/** Takes both from HELLO to the end; the client may have been started before. */
export function join(
  client: ClientHandshake,
  server: ServerHandshake,
  hello = client.start(),
): { client: Established; server: Established } {
  const helloAck = reply(challenge(server, hello, thePsk()), client);
  const { sessionOk, established } = prove(server, helloAck);
  const last = client.receive(sessionOk);
  assert.ok(last.established && !last.reply, 'the client is not done');
  return { client: last.established, server: established };
}

/** A frame of every type, none of which is of use to a handshake unless its type is awaited. */
export function everyTypeBut(...awaited: readonly FrameType[]): Frame[] {
  return Object.values(FrameType)
    .filter((type) => !awaited.includes(type))
    .map((type) => ({ type, seq: 0, payload: new Uint8Array(48) }));
}
