/** What is told of those who did not come in: not too often, and within bounds, as it is strangers who cause it. */
import type { USMPError } from '../errors.js';
import type { Remote } from './listener.js';
import { networkOf } from './network.js';
import { Notices } from './notices.js';

export interface Refused {
  readonly address: string;
  readonly port: number;
  readonly reason: USMPError;
  /** As `aa:bb:cc:dd:ee:ff`, where it is known. Anybody may claim one. */
  readonly deviceId: string | undefined;
  /** How often it happened since it was told last, now included. */
  readonly count: number;
}

/** A device that has no key here asked to be let in. */
export interface Knock {
  /** As `aa:bb:cc:dd:ee:ff`. Anybody may claim one. */
  readonly deviceId: string;
  readonly address: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** How often it happened since it was told last, now included. */
  readonly count: number;
}

export interface RefusalsOptions {
  readonly onRefused: (refused: Refused) => void;
  readonly onKnock: (knock: Knock) => void;
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallTime: () => number;
}

export class Refusals {
  readonly #options: RefusalsOptions;
  #notices: Notices;

  /** @param intervalMs between two that tell the same: the same address (IPv6: the same /64), device id and code. */
  constructor(intervalMs: number, options: RefusalsOptions) {
    this.#options = options;
    this.#notices = new Notices(intervalMs);
  }

  /** Another interval from now on. */
  setInterval(intervalMs: number): void {
    this.#notices = new Notices(intervalMs);
  }

  refused({ address, port }: Remote, reason: USMPError): void {
    const { onRefused, onKnock, now, wallTime } = this.#options;
    const claimed = reason.values.deviceId;
    const deviceId = claimed === undefined ? undefined : String(claimed);
    const count = this.#notices.note(`${networkOf(address)}|${deviceId ?? ''}|${reason.code}`, now());
    if (count === undefined) return;
    onRefused({ address, port, reason, deviceId, count });
    if (reason.code !== 'USMP_UNKNOWN_DEVICE' || deviceId === undefined) return;
    onKnock({ deviceId, address, time: wallTime(), count });
  }
}
