/**
 * Takes in devices over UDP: one socket for all, told apart by address and port. A HELLO without a valid cookie is
 * answered without keeping any state (protocol §2.5, §7.1, §7.2).
 */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../clock.js';
import type { Cookies } from '../handshake/cookie.js';
import type { TransportHandlers } from '../transport/transport.js';
import type { Channel } from '../endpoint/channel.js';
import { sameBytes } from '../wire/bytes.js';
import { COOKIE_HELLO_SEQ, FrameType } from '../wire/constants.js';
import { decodeFrame, encodeFrame, type Frame } from '../wire/frame.js';
import { decodeHello } from '../wire/payloads.js';
import { decodeUtack, encodeUtack } from '../wire/utack.js';
import type { Incoming, Listener, Remote } from './listener.js';

interface Conversation {
  readonly channel: Channel;
  /** The HELLO that began it, by which its repeats are known. */
  readonly hello: Uint8Array;
}

/** All that goes on with one address and port: a client that restarts may begin anew beside its old session. */
interface Party {
  session?: Conversation;
  beginning?: Conversation;
}

export interface UdpListener extends Listener {
  /** Addresses with which something goes on; the others are forgotten. */
  readonly parties: number;
}

/** The plain answer to a HELLO without cookie: UTACK and HELLO_RETRY together, for every repeat again. */
export function answerPlainHello(hello: Frame, cookie: Uint8Array): Uint8Array[] {
  return [
    encodeUtack({ type: hello.type, seq: hello.seq }),
    encodeFrame({ type: FrameType.HELLO_RETRY, seq: 0, payload: cookie }),
  ];
}

export async function listenUdp(
  host: string,
  port: number,
  incoming: Incoming,
  { clock, cookies }: { clock: Clock; cookies: Cookies },
): Promise<UdpListener> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const parties = new Map<string, Party>();
  let open = true;

  const send = (bytes: Uint8Array, remote: Remote): void => {
    // What cannot be sent is as good as lost on the way.
    if (open) socket.send(bytes, remote.port, remote.address, () => undefined);
  };

  const begin = (key: string, party: Party, remote: Remote, datagram: Uint8Array): void => {
    if (!incoming.admits(remote)) return;
    const channel = incoming.begin(remote, (handlers: TransportHandlers) => ({
      write(bytes) {
        send(bytes, remote);
        return true;
      },
      pause: () => undefined,
      resume: () => undefined,
      close: () => queueMicrotask(() => handlers.closed()),
    }));
    if (!channel) return;
    const conversation = { channel, hello: Uint8Array.from(datagram) };
    parties.set(key, party);
    const replaced = party.beginning;
    party.beginning = conversation;
    void channel.established.then(
      () => {
        if (party.beginning === conversation) delete party.beginning;
        party.session = conversation;
      },
      () => undefined,
    );
    void channel.closed.then(() => {
      if (party.beginning === conversation) delete party.beginning;
      if (party.session === conversation) delete party.session;
      if (!party.beginning && !party.session && parties.get(key) === party) parties.delete(key);
    });
    void replaced?.channel.close(0);
    channel.receive(datagram);
  };

  const hello = (key: string, remote: Remote, frame: Frame, datagram: Uint8Array): void => {
    const { cookie } = decodeHello(frame.payload);
    const now = clock.now();
    if (!cookie) {
      for (const bytes of answerPlainHello(frame, cookies.issue(remote.address, remote.port, now)))
        send(bytes, remote);
      return;
    }
    if (frame.seq !== COOKIE_HELLO_SEQ || !cookies.accepts(cookie, remote.address, remote.port, now)) return;
    const party = parties.get(key) ?? {};
    const repeated = [party.beginning, party.session].find(
      (known) => known && sameBytes(known.hello, datagram),
    );
    if (repeated) repeated.channel.receive(datagram);
    else begin(key, party, remote, datagram);
  };

  const receive = (datagram: Uint8Array, remote: Remote): void => {
    const key = `${remote.address}|${remote.port}`;
    const party = parties.get(key);
    if (decodeUtack(datagram)) {
      party?.beginning?.channel.receive(datagram);
      party?.session?.channel.receive(datagram);
      return;
    }
    let frame: Frame;
    try {
      frame = decodeFrame(datagram);
      if (frame.type === FrameType.HELLO) {
        hello(key, remote, frame, datagram);
        return;
      }
    } catch {
      return; // not a frame: dropped (protocol §4.6)
    }
    const { session, beginning } = party ?? {};
    if (frame.type === FrameType.HELLO_ACK) beginning?.channel.receive(datagram);
    // The session has repeats of its own HELLO_ACK to acknowledge.
    if (frame.type !== FrameType.HELLO_ACK || session) (session ?? beginning)?.channel.receive(datagram);
  };

  socket.on('message', (datagram: Buffer, info: RemoteInfo) =>
    receive(datagram, { address: info.address, port: info.port }),
  );
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      // An ICMP answer to one device's datagram concerns that device alone.
      socket.on('error', () => undefined);
      resolve();
    });
  });
  return {
    port: socket.address().port,
    get parties() {
      return parties.size;
    },
    close: () =>
      new Promise((resolve) => {
        open = false;
        socket.close(() => resolve());
      }),
  };
}
