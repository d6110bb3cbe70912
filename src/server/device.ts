/** One device of a server: what is kept of it, over all its sessions, and what is told of that (protocol §6.2). */
import type { CancelTimer } from '../clock.js';
import type { Mailbox, MailboxStats } from '../delivery/mailbox.js';
import type { USMPError } from '../errors.js';
import type { Protocol } from '../transport/transport.js';
import type { TokenBucket } from './rate.js';
import type { ServerSession } from './server-session.js';

/** Where a device is or was last, and how it came in. */
export interface DeviceSession {
  readonly sessionId: string;
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** Which of the device's keys it came in with, by its place in the look-up's answer. */
  readonly keyIndex: number;
}

/** Times are milliseconds since 1970. */
export type Presence =
  | { readonly at: 'never' }
  | { readonly at: 'online'; readonly since: number; readonly session: DeviceSession }
  /** Without a reason the session was closed from here. */
  | {
      readonly at: 'offline';
      readonly since: number;
      readonly session: DeviceSession;
      readonly reason: USMPError | undefined;
    };

export interface DeviceStatus {
  /** As `aa:bb:cc:dd:ee:ff`. */
  readonly deviceId: string;
  /** Whether the keys that the server was given name this device; they can not where one key or a function serves all. */
  readonly isKnown: boolean;
  readonly presence: Presence;
  /** Of the last message from the device. */
  readonly lastMessageAt: number | undefined;
  /** Messages from and to the device, over all its sessions. */
  readonly received: number;
  readonly sent: number;
  /** Of the last PING, in milliseconds. */
  readonly rttMs: number | undefined;
  /** UDP: datagrams that were sent to it again. */
  readonly repeats: number;
  /** Undefined while nothing waits and none is needed. */
  readonly mailbox: MailboxStats | undefined;
}

/** Times are those of the server's clock. */
type Stay =
  | { readonly at: 'never' }
  | { readonly at: 'online'; readonly since: number; readonly session: ServerSession }
  | {
      readonly at: 'offline';
      readonly since: number;
      readonly session: DeviceSession;
      readonly reason: USMPError | undefined;
    };

export interface Device {
  readonly deviceId: string;
  stay: Stay;
  lastMessageAt: number | undefined;
  received: number;
  sent: number;
  rttMs: number | undefined;
  /** Of sessions that are over. */
  repeats: number;
  mailbox: Mailbox | undefined;
  bucket: TokenBucket | undefined;
  cancelHold: CancelTimer | undefined;
}

/** One that has not been here. */
export function blank(deviceId: string): Device {
  return {
    deviceId,
    stay: { at: 'never' },
    lastMessageAt: undefined,
    received: 0,
    sent: 0,
    rttMs: undefined,
    repeats: 0,
    mailbox: undefined,
    bucket: undefined,
    cancelHold: undefined,
  };
}

/** @param wall turns the clock's milliseconds into those since 1970. */
export function statusOf(device: Device, isKnown: boolean, wall: (at: number) => number): DeviceStatus {
  const { deviceId, stay, lastMessageAt, received, sent, rttMs, mailbox } = device;
  const online = stay.at === 'online' ? stay.session : undefined;
  return {
    deviceId,
    isKnown,
    presence: presenceOf(stay, wall),
    lastMessageAt: lastMessageAt === undefined ? undefined : wall(lastMessageAt),
    received,
    sent,
    rttMs,
    repeats: device.repeats + (online?.repeats ?? 0),
    mailbox: mailbox?.stats,
  };
}

function presenceOf(stay: Stay, wall: (at: number) => number): Presence {
  switch (stay.at) {
    case 'never':
      return stay;
    case 'online':
      return { ...stay, since: wall(stay.since), session: facts(stay.session) };
    case 'offline':
      return { ...stay, since: wall(stay.since) };
  }
}

export const facts = (session: ServerSession): DeviceSession => ({
  sessionId: session.sessionId,
  protocol: session.protocol,
  address: session.remoteAddress,
  port: session.remotePort,
  keyIndex: session.keyIndex,
});
