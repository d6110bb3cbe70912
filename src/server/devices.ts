/**
 * The devices of a server: of each one that has a key of its own or was here, whether it is online, what is known of it,
 * and the mailbox with what waits for it, which goes with the next session over whichever transport (protocol §6.2, §7).
 * A mailbox is made when something is sent and dropped when it is empty and the device away.
 */
import type { CancelTimer, Clock } from '../clock.js';
import { Budget } from '../delivery/budget.js';
import { NEVER_REKEY } from '../delivery/courier.js';
import { Mailbox, type MailboxSettings, type MailboxStats, type SendOptions } from '../delivery/mailbox.js';
import type { Outcome } from '../delivery/outbox.js';
import { DEVICE_POLICY } from '../delivery/policy.js';
import type { USMPError } from '../errors.js';
import type { Protocol } from '../transport/transport.js';
import { formatDeviceId } from '../wire/device-id.js';
import type { CheckedDeviceOptions } from './device-options.js';
import { TokenBucket } from './rate.js';
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

/** What is known of the devices of a server; a live view. */
export interface DeviceTable extends Iterable<DeviceStatus> {
  readonly size: number;
  /** @throws ArgumentError naming `deviceId`. */
  get(deviceId: string | Uint8Array): DeviceStatus | undefined;
}

export interface DevicesOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
  readonly limits: CheckedDeviceOptions;
  readonly onOnline: (session: ServerSession) => void;
  readonly onOffline: (session: ServerSession, reason: USMPError | undefined) => void;
}

type Stay =
  | { readonly at: 'never' }
  | { readonly at: 'online'; readonly since: number; readonly session: ServerSession }
  | {
      readonly at: 'offline';
      readonly since: number;
      readonly session: DeviceSession;
      readonly reason: USMPError | undefined;
    };

interface Device {
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

export class Devices implements DeviceTable {
  readonly #options: DevicesOptions;
  #limits: CheckedDeviceOptions;
  #settings: MailboxSettings;
  #known: ReadonlySet<string> = new Set();
  readonly #devices = new Map<string, Device>();
  /** Those that may be forgotten, who left longest ago first. */
  readonly #forgettable = new Set<string>();

  constructor(options: DevicesOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#settings = this.#settingsFor(new Budget(options.limits.mailboxes));
  }

  get size(): number {
    let size = this.#devices.size;
    for (const id of this.#known) if (!this.#devices.has(id)) size += 1;
    return size;
  }

  get(deviceId: string | Uint8Array): DeviceStatus | undefined {
    const id = formatDeviceId(deviceId);
    const device = this.#devices.get(id);
    if (device) return this.#status(device);
    return this.#known.has(id) ? this.#status(blank(id)) : undefined;
  }

  *[Symbol.iterator](): Iterator<DeviceStatus> {
    for (const device of this.#devices.values()) yield this.#status(device);
    for (const id of this.#known) if (!this.#devices.has(id)) yield this.#status(blank(id));
  }

  /** These devices have a key of their own, from now on these only. */
  know(deviceIds: readonly string[]): void {
    this.#known = new Set(deviceIds);
    for (const device of this.#devices.values()) this.#tidy(device);
  }

  /** A device is in; its session before this one, if any, is over. */
  opened(session: ServerSession): void {
    const { clock, onOnline } = this.#options;
    const device = this.#device(session.deviceId);
    device.stay = { at: 'online', since: clock.now(), session };
    this.#tidy(device);
    session.observer = {
      received: () => this.#received(device, session),
      sent: () => (device.sent += 1),
      roundTrip: (ms) => (device.rttMs = ms),
      rekeyed: (by) => {
        if (by === 'peer' && session.protocol === 'udp') device.mailbox?.keysChanged();
      },
      ended: (reason) => this.#ended(device, session, reason),
    };
    this.#holdBack(device, session);
    onOnline(session);
    device.mailbox?.attach(session.carrier);
  }

  /** As `USMPServer.send`. */
  async send(deviceId: string, message: string | Uint8Array, options?: SendOptions): Promise<Outcome> {
    const device = this.#device(formatDeviceId(deviceId));
    const mailbox = this.#mailbox(device);
    const outcome = mailbox.send(message, options);
    this.#tidy(device); // what was refused leaves nothing behind
    return outcome;
  }

  /** Asks for the receipts of what is under way, for so many milliseconds at most. */
  async drain(withinMs: number): Promise<void> {
    const all = Array.from(this.#devices.values(), async ({ mailbox }) => mailbox?.drain(withinMs));
    await Promise.all(all);
  }

  /** Gives up all that waits, which whoever sent it is told. */
  close(): void {
    for (const device of this.#devices.values()) {
      const { mailbox } = device;
      device.mailbox = undefined;
      mailbox?.close();
      this.#tidy(device);
    }
  }

  /** Other limits from now on. What waits is kept, and counts. */
  limit(limits: CheckedDeviceOptions): void {
    const { clock } = this.#options;
    this.#limits = limits;
    this.#settings = this.#settingsFor(new Budget(limits.mailboxes));
    for (const device of this.#devices.values()) {
      const { stay, mailbox: old } = device;
      if (old) {
        device.mailbox = undefined;
        old.handOver(this.#mailbox(device));
      }
      device.bucket = undefined;
      cancelHold(device);
      if (stay.at === 'online') stay.session.hold(false);
      if (limits.rate.perSecond > 0) device.bucket = new TokenBucket(limits.rate, clock.now());
      this.#tidy(device);
    }
  }

  #settingsFor(budget: Budget): MailboxSettings {
    const { clock } = this.#options;
    const policy = DEVICE_POLICY;
    return { limits: this.#limits.mailbox, clock, other: 'device', budget, policy, rekey: NEVER_REKEY };
  }

  #device(deviceId: string): Device {
    const found = this.#devices.get(deviceId);
    if (found) return found;
    const device = blank(deviceId);
    this.#devices.set(deviceId, device);
    return device;
  }

  #mailbox(device: Device): Mailbox {
    if (device.mailbox) return device.mailbox;
    const mailbox: Mailbox = new Mailbox(this.#settings, () => {
      if (device.mailbox === mailbox && mailbox.count === 0) this.#tidy(device);
    });
    device.mailbox = mailbox;
    if (device.stay.at === 'online') mailbox.attach(device.stay.session.carrier);
    return mailbox;
  }

  #received(device: Device, session: ServerSession): void {
    const now = this.#options.clock.now();
    device.received += 1;
    device.lastMessageAt = now;
    const { rate } = this.#limits;
    if (rate.perSecond === 0) return;
    device.bucket ??= new TokenBucket(rate, now);
    device.bucket.take(now);
    this.#holdBack(device, session);
  }

  /** Takes no more from a device that has used up what it may send, until it may send again. */
  #holdBack(device: Device, session: ServerSession): void {
    const { clock } = this.#options;
    const waitMs = device.bucket?.waitMs(clock.now()) ?? 0;
    cancelHold(device);
    if (waitMs === 0) return;
    session.hold(true);
    device.cancelHold = clock.setTimer(waitMs, () => {
      device.cancelHold = undefined;
      session.hold(false);
    });
  }

  #ended(device: Device, session: ServerSession, reason: USMPError | undefined): void {
    session.observer = undefined;
    if (device.stay.at !== 'online' || device.stay.session !== session) return;
    cancelHold(device);
    device.repeats += session.repeats;
    const since = this.#options.clock.now();
    device.stay = { at: 'offline', since, session: facts(session), reason };
    device.mailbox?.detach();
    this.#tidy(device);
    this.#options.onOffline(session, reason);
  }

  /** Drops what is not needed: an empty mailbox of a device that is away, and the device that left longest ago. */
  #tidy(device: Device): void {
    const { deviceId, stay } = device;
    const isAway = stay.at !== 'online';
    if (isAway && device.mailbox?.count === 0) device.mailbox = undefined;
    if (!isAway || device.mailbox || this.#known.has(deviceId)) {
      this.#forgettable.delete(deviceId);
      return;
    }
    if (stay.at === 'never') {
      this.#devices.delete(deviceId);
      return;
    }
    this.#forgettable.add(deviceId);
    for (const oldest of this.#forgettable) {
      if (this.#forgettable.size <= this.#limits.maxSeen) break;
      this.#forgettable.delete(oldest);
      this.#devices.delete(oldest);
    }
  }

  #status(device: Device): DeviceStatus {
    const { deviceId, stay, received, sent, rttMs } = device;
    const { clock, wallTime } = this.#options;
    const wall = (at: number): number => Math.round(wallTime() - (clock.now() - at));
    const online = stay.at === 'online' ? stay.session : undefined;
    return {
      deviceId,
      isKnown: this.#known.has(deviceId),
      presence: presenceOf(stay, wall),
      lastMessageAt: device.lastMessageAt === undefined ? undefined : wall(device.lastMessageAt),
      received,
      sent,
      rttMs,
      repeats: device.repeats + (online?.repeats ?? 0),
      mailbox: device.mailbox?.stats,
    };
  }
}

function cancelHold(device: Device): void {
  device.cancelHold?.();
  device.cancelHold = undefined;
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

function blank(deviceId: string): Device {
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

const facts = (session: ServerSession): DeviceSession => ({
  sessionId: session.sessionId,
  protocol: session.protocol,
  address: session.remoteAddress,
  port: session.remotePort,
  keyIndex: session.keyIndex,
});
