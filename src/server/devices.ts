/**
 * The devices of a server: of each one that has a key of its own or was here, whether it is online, what is known of it,
 * and the mailbox with what waits for it, which goes with the next session over whichever transport (protocol §6.2, §7).
 * A mailbox is made when something is sent and dropped when it is empty and the device away.
 */
import type { Clock } from '../clock.js';
import { Budget } from '../delivery/budget.js';
import { NEVER_REKEY } from '../delivery/courier.js';
import { Mailbox, type MailboxSettings, type SendOptions } from '../delivery/mailbox.js';
import type { Outcome } from '../delivery/outbox.js';
import { DEVICE_POLICY } from '../delivery/policy.js';
import type { USMPError } from '../errors.js';
import { formatDeviceId } from '../wire/device-id.js';
import { blank, facts, statusOf, type Device, type DeviceStatus } from './device.js';
import type { CheckedDeviceOptions } from './device-options.js';
import type { KeptMailbox } from './kept.js';
import { TokenBucket } from './rate.js';
import type { ServerSession } from './server-session.js';

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

  /** What is not delivered. */
  get undelivered(): KeptMailbox[] {
    return Array.from(this.#devices.values(), ({ deviceId, mailbox }) => ({
      deviceId,
      messages: mailbox?.content ?? [],
    })).filter(({ messages }) => messages.length > 0);
  }

  /** Puts these before all that waits and is not under way. */
  restore(kept: readonly KeptMailbox[]): void {
    for (const { deviceId, messages } of kept.toReversed()) {
      const device = this.#device(deviceId);
      this.#mailbox(device).restore(messages);
      this.#tidy(device);
    }
  }

  /**
   * Gives up all that waits, which whoever sent it is told.
   * @param outcome `kept` when it is kept elsewhere.
   */
  close(outcome?: 'kept'): void {
    for (const device of this.#devices.values()) {
      const { mailbox } = device;
      device.mailbox = undefined;
      mailbox?.close(outcome);
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
    const { clock, wallTime } = this.#options;
    const wall = (at: number): number => Math.round(wallTime() - (clock.now() - at));
    return statusOf(device, this.#known.has(device.deviceId), wall);
  }
}

function cancelHold(device: Device): void {
  device.cancelHold?.();
  device.cancelHold = undefined;
}
