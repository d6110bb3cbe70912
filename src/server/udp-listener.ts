/** The UDP port that all devices share: moves datagrams between the socket, the doorman and the channels. */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../clock.js';
import type { Channel } from '../endpoint/channel.js';
import type { Transport, TransportHandlers } from '../transport/transport.js';
import { fromHex } from '../wire/bytes.js';
import { isMarkedUtack } from '../wire/utack.js';
import { Doorman, type DoormanOptions } from './doorman.js';
import type { Incoming, Listener, Remote } from './listener.js';

/** A handshake or a session. */
interface Conversation {
  /** Undefined only while it is being made. */
  channel: Channel | undefined;
  /** Where the device is. */
  remote: Remote;
  /** Where the datagram came from that is being dealt with. */
  answerTo: Remote;
}

export interface UdpListener extends Listener {
  /** Addresses with which something goes on; the others are forgotten. */
  readonly addresses: number;
}

/**
 * All devices share one socket, so what a crowd sends at once waits in one buffer, and what does not fit there is lost
 * for the sessions, too: two HELLOs each of a thousand devices, which take the kernel 768 bytes each, twice over. Where
 * the system allows less, it gives what it allows.
 */
const RECEIVE_BUFFER_BYTES = 4 * 1_024 * 1_024;

export async function listenUdp(
  host: string,
  port: number,
  incoming: Incoming,
  options: { readonly clock: Clock } & DoormanOptions,
): Promise<UdpListener> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const doorman = new Doorman<Conversation>(options);
  /** Where datagrams came from that are not from where their session is known to be. */
  const strays = new WeakMap<Uint8Array, Remote>();
  let open = true;

  const send = (bytes: Uint8Array, remote: Remote): void => {
    // What cannot be sent is as good as lost on the way.
    if (open) socket.send(bytes, remote.port, remote.address, () => undefined);
  };

  const transport = (conversation: Conversation, handlers: TransportHandlers): Transport => ({
    write(bytes) {
      // The acknowledgement of a frame goes where the frame came from, all else to where the device is.
      send(bytes, isMarkedUtack(bytes) ? conversation.answerTo : conversation.remote);
      return true;
    },
    took(datagram, isNew) {
      const from = strays.get(datagram);
      conversation.answerTo = from ?? conversation.remote;
      if (!from || !isNew || !conversation.channel) return;
      conversation.remote = from;
      doorman.moved(conversation, from);
      incoming.moved(conversation.channel, from);
      conversation.channel.moved();
    },
    pause: () => undefined,
    resume: () => undefined,
    close: () => queueMicrotask(() => handlers.closed()),
  });

  const begin = (remote: Remote, deviceId: Uint8Array, datagram: Uint8Array): void => {
    const conversation: Conversation = { channel: undefined, remote, answerTo: remote };
    const channel = incoming.begin({
      protocol: 'udp',
      remote,
      deviceId,
      open: (handlers) => transport(conversation, handlers),
      occupants: () =>
        doorman.sessionsAt(remote).flatMap((occupant) => (occupant.channel ? [occupant.channel] : [])),
    });
    if (!channel) return;
    conversation.channel = channel;
    const replaced = doorman.began(conversation, remote, datagram);
    channel.established.then(
      ({ sessionId }) => doorman.established(conversation, fromHex(sessionId)),
      () => undefined,
    );
    void channel.closed.then(() => doorman.ended(conversation));
    void replaced?.channel?.close(0);
    channel.receive(datagram);
  };

  const deliver = (conversation: Conversation, datagram: Uint8Array, from: Remote): void => {
    const { address, port } = conversation.remote;
    if (from.port !== port || from.address !== address) strays.set(datagram, from);
    conversation.channel?.receive(datagram);
  };

  socket.on('message', (datagram: Buffer, { address, port: from }: RemoteInfo) => {
    const remote = { address, port: from };
    const decision = doorman.decide(datagram, remote, options.clock.now());
    switch (decision.type) {
      case 'reply':
        for (const bytes of decision.datagrams) send(bytes, remote);
        break;
      case 'deliver':
        for (const conversation of decision.to) deliver(conversation, datagram, remote);
        break;
      case 'begin':
        begin(remote, decision.deviceId, datagram);
        break;
      case 'drop':
    }
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(port, host, () => {
      socket.removeAllListeners('error');
      try {
        socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      } catch {
        // Some systems refuse instead; then it is the size that sockets have there.
      }
      // An ICMP answer to one device's datagram concerns that device alone.
      socket.on('error', () => undefined);
      resolve();
    });
  });
  return {
    port: socket.address().port,
    get addresses() {
      return doorman.addresses;
    },
    async close(after) {
      await after;
      open = false;
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}
