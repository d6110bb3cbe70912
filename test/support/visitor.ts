/** A server's entrance without sockets, and devices that take each step of the handshake when they are told to. */
import { Secret } from '../../src/crypto/secret.js';
import type { Channel } from '../../src/endpoint/channel.js';
import type { USMPError } from '../../src/errors.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import { Entrance } from '../../src/server/entrance.js';
import type { Arrival, Remote } from '../../src/server/listener.js';
import { checkServerOptions, type ServerOptions } from '../../src/server/options.js';
import type { Protocol, TransportHandlers } from '../../src/transport/transport.js';
import { FrameType } from '../../src/wire/constants.js';
import { formatDeviceId, toDeviceId } from '../../src/wire/device-id.js';
import { decodeFrame, encodeFrame, type Frame } from '../../src/wire/frame.js';
import { FakeClock, settle } from './clock.js';
import { ascii } from './hex.js';
import { PSK, WRONG_PSK } from './loopback.js';
import { nameOf } from './path.js';
import { seededRandom } from './random.js';

interface VisitorOptions {
  readonly deviceId?: string;
  readonly address?: string;
  readonly protocol?: Protocol;
  readonly psk?: string;
}

export function entranceWorld<C extends FakeClock = FakeClock>(
  given: Partial<ServerOptions> = {},
  clock: C = new FakeClock() as C,
) {
  const random = seededRandom(11);
  const refused: string[] = [];
  const present = new Map<string, Channel>();
  const state = { calledOff: 0, port: 40_000 };
  const entrance = new Entrance({
    options: checkServerOptions({ psk: PSK, ...given }),
    environment: { clock, random },
    present: (deviceId) => present.get(deviceId),
    onAdmitted: ({ channel, info, replaced }) => {
      const deviceId = formatDeviceId(info.deviceId);
      present.set(deviceId, channel);
      for (const old of replaced) void old.close(0);
      void channel.closed.then(() => present.get(deviceId) === channel && present.delete(deviceId));
    },
    onRefused: ({ address }: Remote, reason: USMPError) => refused.push(`${address} ${reason.code}`),
    onCallOff: () => (state.calledOff += 1),
  });

  /** Has opened a connection, or is about to send its HELLO. */
  const visitor = (options: VisitorOptions = {}) => {
    const { deviceId = 'a4:cf:12:00:00:01', address = '192.0.2.1', protocol = 'tcp', psk = PSK } = options;
    const handshake = new ClientHandshake({
      deviceId: toDeviceId(deviceId),
      psk: new Secret(ascii(psk)),
      random: seededRandom(state.port),
    });
    const got: Frame[] = [];
    let handlers: TransportHandlers | undefined;
    let isClosed = false;
    const hello = handshake.start();
    const arrival: Arrival = {
      protocol,
      remote: { address, port: state.port++ },
      open: (given) => {
        handlers = given;
        return {
          write(bytes) {
            if (bytes[0] === 0xcd) got.push(decodeFrame(bytes)); // UTACKs are of no interest here
            return true;
          },
          pause: () => undefined,
          resume: () => undefined,
          close() {
            isClosed = true;
            queueMicrotask(() => given.closed());
          },
        };
      },
      ...(protocol === 'udp' && { deviceId: toDeviceId(deviceId) }),
      occupants: () => [],
    };
    const channel = entrance.begin(arrival);
    const send = async (frame: Frame): Promise<void> => {
      channel?.receive(encodeFrame(frame));
      await settle();
    };
    return {
      channel,
      get got() {
        return got.map((frame) => nameOf(encodeFrame(frame)));
      },
      get isClosed() {
        return isClosed;
      },
      hello: () => send(hello),
      /** Answers the CHALLENGE that has come. */
      async prove() {
        const challenge = got.find(({ type }) => type === FrameType.CHALLENGE);
        const { reply } = challenge ? handshake.receive(challenge) : {};
        if (!reply) throw new Error('nothing to prove');
        await send(reply);
      },
      /** Closes the connection. */
      async leave(error?: NodeJS.ErrnoException) {
        handlers?.closed(error);
        await settle();
      },
    };
  };

  return {
    clock,
    entrance,
    refused,
    present,
    visitor,
    wrong: (options: VisitorOptions = {}) => visitor({ psk: WRONG_PSK, ...options }),
    get calledOff() {
      return state.calledOff;
    },
  };
}
