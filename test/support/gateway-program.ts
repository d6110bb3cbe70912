/** Gateways that do as a test says: each answers a client's frames one by one, over whichever transport. */
import { systemRandom } from '../../src/crypto/random.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import type { Protocol } from '../../src/transport/transport.js';
import { FrameType } from '../../src/wire/constants.js';
import { Deframer } from '../../src/wire/deframer.js';
import { encodeFrame, type Frame } from '../../src/wire/frame.js';
import { encodeUtack } from '../../src/wire/utack.js';
import { framesOf } from './frames.js';
import type { Loopback } from './loopback.js';
import { frameOf } from './path.js';

/** Answers a client's frames one by one, with whatever handshake over whichever transport. */
export function gatewayProgram(
  loopback: Loopback,
  protocol: Protocol,
  answers: () => (frame: Frame) => Uint8Array | undefined,
): Promise<number> {
  if (protocol === 'udp') {
    const answer = answers();
    return loopback.udpProgram((datagram, reply) => {
      const frame = frameOf(datagram);
      if (!frame) return;
      reply(encodeUtack(frame));
      const bytes = answer(frame);
      if (bytes) reply(bytes);
    });
  }
  return loopback.tcpProgram((socket) => {
    const answer = answers();
    const deframer = new Deframer();
    socket.on('data', (chunk) => {
      for (const frame of framesOf(deframer, chunk)) {
        const bytes = answer(frame);
        if (bytes) socket.write(bytes);
      }
    });
  });
}

/** Goes as far as CHALLENGE, and then claims a session with a proof out of thin air. */
export function impostor(): (frame: Frame) => Uint8Array | undefined {
  return (frame) => {
    if (frame.type === FrameType.HELLO) {
      const handshake = new ServerHandshake({ random: systemRandom });
      handshake.receive(frame);
      const { reply } = handshake.providePsk(undefined);
      return reply && encodeFrame(reply);
    }
    return frame.type === FrameType.HELLO_ACK
      ? encodeFrame({ type: FrameType.SESSION_OK, seq: 0, payload: systemRandom(48) })
      : undefined;
  };
}
