/**
 * A holder of key bytes that no log, JSON or `util.inspect` can show, and that can be wiped as far as
 * JavaScript allows: the one copy held here is overwritten; copies that the runtime made are out of reach.
 */
import { inspect } from 'node:util';

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
