/**
 * The keys of a server as they are now: they may change while it runs, and a session whose key is not valid any more is
 * to end (protocol §2).
 */
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

export class Keyring implements KeyFinder {
  #finder: KeyFinder;
  #changedAt = -Infinity;

  constructor(finder: KeyFinder) {
    this.#finder = finder;
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
  async replace(finder: KeyFinder, sessions: Iterable<Keyed>, now: number): Promise<void> {
    this.#finder = finder;
    this.#changedAt = now;
    const left = sessions[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = left.next(); !next.done; next = left.next()) await this.judge(next.value);
    };
    await Promise.all(Array.from({ length: LOOK_UPS }, work));
  }

  /** Whether a handshake that is over now may have begun with the keys that were valid before. */
  isFresh(now: number, handshakeMs: number): boolean {
    return now - this.#changedAt <= handshakeMs;
  }

  /** Ends a session whose key is not valid any more. A look-up that fails says nothing against its key. */
  async judge(session: Keyed): Promise<void> {
    const { deviceId, keyMark } = session;
    if (keyMark === undefined) return;
    const finder = this.#finder;
    const isValid = await isStillValid(finder, toDeviceId(deviceId), keyMark).catch(() => true);
    // Keys that changed again meanwhile are judged by whoever changed them.
    if (isValid || finder !== this.#finder) return;
    const text = 'the key that this session was opened with is not valid any more';
    void session.end(new ConnectionClosedError(text, { code: 'USMP_KEY_CHANGED', fault: 'local' }));
  }
}
