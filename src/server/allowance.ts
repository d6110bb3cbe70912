/**
 * How much may be done for strangers in a window of time, so that they never keep the rest waiting: so much in all, of
 * that half at most for one address (IPv6: one /64), and of that an eighth for one port. Where more is asked for than
 * there is, chance says who gets it, not who comes first: whoever asks again now and then gets its turn beside a flood.
 * What is over is passed over. No more is kept than what is allowed in two windows.
 */
import type { Random } from '../crypto/random.js';
import { viewOf } from '../wire/bytes.js';
import type { Remote } from './listener.js';
import { networkOf } from './network.js';

/** Short against a session's patience, and long enough for a few dozen of anything. */
const WINDOW_MS = 100;
const NETWORK_SHARE = 1 / 2;
const PORT_SHARE = 1 / 8;

/** Of all, of a network, or of a port. */
class Share {
  readonly #max: number;
  /** By what was asked for in the window before. */
  readonly #chance: number;
  readonly parts = new Map<string | number, Share>();
  #asked = 0;
  #spent = 0;

  constructor(max: number, chance = 1) {
    this.#max = max;
    this.#chance = chance;
  }

  /** A part of it, which is kept only when something is spent there. */
  part(name: string | number, share: number): Share {
    return this.parts.get(name) ?? new Share(Math.ceil(this.#max * share));
  }

  ask(random: Random): boolean {
    this.#asked += 1;
    if (this.#spent >= this.#max) return false;
    return this.#chance >= 1 || viewOf(random(4)).getUint32(0) < this.#chance * 2 ** 32;
  }

  spend(): void {
    this.#spent += 1;
  }

  /** For the next window. */
  next(): Share {
    const next = new Share(this.#max, Math.min(1, this.#max / this.#asked));
    for (const [name, part] of this.parts) {
      const nextPart = part.next();
      if (nextPart.#chance < 1 || nextPart.parts.size > 0) next.parts.set(name, nextPart);
    }
    return next;
  }
}

export class Allowance {
  readonly #random: Random;
  readonly #max: number;
  #all: Share;
  #windowFrom = -Infinity;

  constructor(perSecond: number, random: Random) {
    this.#random = random;
    this.#max = Math.max(1, Math.ceil((perSecond * WINDOW_MS) / 1_000));
    this.#all = new Share(this.#max);
  }

  /** Networks and ports of which something is remembered. */
  get remembered(): number {
    let count = this.#all.parts.size;
    for (const { parts } of this.#all.parts.values()) count += parts.size;
    return count;
  }

  take({ address, port }: Remote, now: number): boolean {
    if (now - this.#windowFrom >= WINDOW_MS) {
      this.#all = now - this.#windowFrom < 2 * WINDOW_MS ? this.#all.next() : new Share(this.#max);
      this.#windowFrom = now;
    }
    const network = networkOf(address);
    const ofNetwork = this.#all.part(network, NETWORK_SHARE);
    const ofPort = ofNetwork.part(port, PORT_SHARE);
    const shares = [ofPort, ofNetwork, this.#all]; // what one has too much of never counts with the others
    if (!shares.every((share) => share.ask(this.#random))) return false;
    for (const share of shares) share.spend();
    ofNetwork.parts.set(port, ofPort);
    this.#all.parts.set(network, ofNetwork);
    return true;
  }
}
