/** The open sessions of a server: one a device, the newest in the place of those before it (protocol §6.2, §7.8). */
import { ConnectionClosedError } from '../errors.js';
import type { Channel } from '../endpoint/channel.js';
import { formatDeviceId } from '../wire/device-id.js';
import type { Admitted } from './entrance.js';
import type { Remote } from './listener.js';
import { ServerSession } from './server-session.js';

export class Sessions implements Iterable<ServerSession> {
  /** By device id, the newest last. */
  readonly #byId = new Map<string, { readonly session: ServerSession; readonly channel: Channel }>();
  readonly #byChannel = new WeakMap<Channel, ServerSession>();

  get size(): number {
    return this.#byId.size;
  }

  /** The oldest first. */
  *[Symbol.iterator](): Iterator<ServerSession> {
    for (const { session } of [...this.#byId.values()]) yield session;
  }

  get(deviceId: string): ServerSession | undefined {
    return this.#byId.get(deviceId)?.session;
  }

  channelOf(deviceId: string): Channel | undefined {
    return this.#byId.get(deviceId)?.channel;
  }

  moved(channel: Channel, remote: Remote): void {
    this.#byChannel.get(channel)?.moved(remote);
  }

  /** A device that lost its session comes back from another port: the new one takes the old one's place at once. */
  open({ channel, info, arrival, replaced }: Admitted): ServerSession {
    const { sessionId, key } = info;
    const { protocol, remote } = arrival;
    const deviceId = formatDeviceId(info.deviceId);
    const facts = { deviceId, sessionId, protocol, remoteAddress: remote.address, remotePort: remote.port };
    const session = new ServerSession(channel, facts, key);
    const own = this.channelOf(deviceId);
    for (const old of replaced) {
      const text =
        old === own
          ? 'the device opened a new session'
          : 'another device opened a session at the address and port of this one';
      old.abort(new ConnectionClosedError(text, { code: 'USMP_REPLACED' }));
    }
    this.#byId.delete(deviceId); // so that the newest is the last one
    this.#byId.set(deviceId, { session, channel });
    this.#byChannel.set(channel, session);
    session.once('close', () => {
      if (this.channelOf(deviceId) === channel) this.#byId.delete(deviceId);
    });
    return session;
  }
}
