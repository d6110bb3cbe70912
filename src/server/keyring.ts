/**
 * The keys of a server as they are now: they may change while it runs, and a session whose key is not valid any more is
 * to end (protocol §2).
 */
import type { Clock } from '../clock.js';
import { ConnectionClosedError, type USMPError } from '../errors.js';
import { toDeviceId } from '../wire/device-id.js';
import { isStillValid, type KeyFinder } from './keys.js';

/** A session, as far as its key is concerned. */
export interface Keyed {
  readonly deviceId: string;
  /** Of the key that it was opened with. */
  readonly keyMark: string | undefined;
  end(reason: USMPError): Promise<void>;
}

/** Keys are looked up for so many sessions at once, as a function may ask a database for each. */
const LOOK_UPS = 32;
/** For a look-up that a session is judged by; one that takes longer says nothing against its key. */
const LOOK_UP_MS = 10_000;

export class Keyring implements KeyFinder {
  readonly #clock: Clock;
  #finder: KeyFinder;
  #changedAt = -Infinity;

  constructor(finder: KeyFinder, clock: Clock) {
    this.#finder = finder;
    this.#clock = clock;
  }

  get deviceIds(): readonly string[] {
    return this.#finder.deviceIds;
  }

  find(deviceId: Uint8Array): ReturnType<KeyFinder['find']> {
    return this.#finder.find(deviceId);
  }

  /**
   * From now on these keys are the valid ones. Resolves when each session has been judged; those that end are told, and
   * may take their second to close.
   */
  async replace(finder: KeyFinder, sessions: Iterable<Keyed>): Promise<void> {
    this.#finder = finder;
    this.#changedAt = this.#clock.now();
    const left = sessions[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = left.next(); !next.done; next = left.next()) await this.judge(next.value);
    };
    await Promise.all(Array.from({ length: LOOK_UPS }, work));
  }

  /** Whether a handshake that is over now may have begun with the keys that were valid before. */
  isFresh(handshakeMs: number): boolean {
    return this.#clock.now() - this.#changedAt <= handshakeMs;
  }

  /** Ends a session whose key is not valid any more. A look-up that fails says nothing against its key. */
  async judge(session: Keyed): Promise<void> {
    const { deviceId, keyMark } = session;
    if (keyMark === undefined) return;
    const finder = this.#finder;
    const isValid = await this.#inTime(isStillValid(finder, toDeviceId(deviceId), keyMark)).catch(() => true);
    // Keys that changed again meanwhile are judged by whoever changed them.
    if (isValid || finder !== this.#finder) return;
    const text = 'the key that this session was opened with is not valid any more';
    void session.end(new ConnectionClosedError(text, { code: 'USMP_KEY_CHANGED', fault: 'local' }));
  }

  async #inTime(judgement: Promise<boolean>): Promise<boolean> {
    let cancel = (): void => undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      cancel = this.#clock.setTimer(LOOK_UP_MS, () => resolve(true));
    });
    return Promise.race([judgement, tooLate]).finally(cancel);
  }
}
