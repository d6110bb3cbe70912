/**
 * A holder of key bytes that no log, JSON or `util.inspect` can show, and that can be wiped as far as
 * JavaScript allows: the one copy held here is overwritten; copies that the runtime made are out of reach.
 */
import { inspect } from 'node:util';
import { isBytes, show } from '../check.js';
import { ArgumentError } from '../errors.js';
import { longEnough } from './psk.js';

export class Secret {
  readonly #bytes: Uint8Array;

  /** Takes a copy of `bytes`. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes);
  }

  /** The live bytes: for computing with, not for keeping. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/**
 * @param psk the key's bytes, or text that stands for its UTF-8 bytes.
 * @returns a copy in a holder that nothing prints.
 * @throws ArgumentError naming `psk` when it is missing or under 16 bytes; the message never shows it.
 */
export function toPsk(psk: unknown): Secret {
  if (typeof psk !== 'string' && !isBytes(psk)) {
    throw new ArgumentError('psk', `expected a string or bytes, got ${show(psk)}`);
  }
  return new Secret(longEnough(typeof psk === 'string' ? new TextEncoder().encode(psk) : psk));
}
