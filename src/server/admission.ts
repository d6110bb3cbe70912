/**
 * Room for handshakes and for sessions, each with a share for every address. A handshake always finds room: the oldest
 * one of whoever holds most makes way, so that strangers who open connections hold up nobody but themselves. A session
 * finds room or does not, which is settled before the device is told of it. Pure; time plays no part.
 */

export interface AdmissionLimits {
  readonly maxHandshakes: number;
  readonly maxHandshakesPerAddress: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
}

/** What is taken up: by a handshake first, by its session then. */
export interface Place {
  /** Where the other side is. */
  readonly address: string;
  /**
   * The handshake becomes a session, in the place of these, which the caller ends.
   * @returns false when there is no room for it; then nothing has changed.
   */
  establish(leaving: readonly Place[]): boolean;
  /** The session is at another address now. Its limit does not matter: the session is there. */
  move(address: string): void;
  /** Gives the place back; harmless when repeated. */
  release(): void;
}

type State =
  | { readonly at: 'handshake'; readonly evict: () => void }
  | { readonly at: 'session' }
  | { readonly at: 'released' };

class Held implements Place {
  state: State;

  constructor(
    readonly owner: Admission,
    public address: string,
    evict: () => void,
  ) {
    this.state = { at: 'handshake', evict };
  }

  establish(leaving: readonly Place[]): boolean {
    return this.owner.establish(this, leaving);
  }

  move(address: string): void {
    this.owner.move(this, address);
  }

  release(): void {
    this.owner.release(this);
  }
}

/** Places by address, the oldest first. */
class Shares {
  readonly #byAddress = new Map<string, Set<Held>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(address: string): number {
    return this.#byAddress.get(address)?.size ?? 0;
  }

  add(place: Held): void {
    const { address } = place;
    const share = this.#byAddress.get(address);
    if (share) share.add(place);
    else this.#byAddress.set(address, new Set([place]));
    this.#size += 1;
  }

  delete(place: Held): void {
    const share = this.#byAddress.get(place.address);
    if (!share?.delete(place)) return;
    this.#size -= 1;
    if (share.size === 0) this.#byAddress.delete(place.address);
  }

  has(place: Held): boolean {
    return this.#byAddress.get(place.address)?.has(place) ?? false;
  }

  oldestOf(address: string): Held | undefined {
    return this.#byAddress.get(address)?.values().next().value;
  }

  /** The oldest of the address that has most; looked for only when all is taken. */
  oldestOfLargest(): Held | undefined {
    let largest: Set<Held> | undefined;
    for (const share of this.#byAddress.values()) if (share.size > (largest?.size ?? 0)) largest = share;
    return largest?.values().next().value;
  }
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #handshakes = new Shares();
  readonly #sessions = new Shares();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get handshakes(): number {
    return this.#handshakes.size;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /**
   * A place for a handshake.
   * @param evict called when it has to make way for another one; its place is given back already.
   */
  enter(address: string, evict: () => void): Place {
    const { maxHandshakes, maxHandshakesPerAddress } = this.#limits;
    if (this.#handshakes.of(address) >= maxHandshakesPerAddress) evicted(this.#handshakes.oldestOf(address));
    else if (this.#handshakes.size >= maxHandshakes) evicted(this.#handshakes.oldestOfLargest());
    const place = new Held(this, address, evict);
    this.#handshakes.add(place);
    return place;
  }

  /** Whether there would be room for a session at this address, in the place of these. */
  hasRoom(address: string, leaving: readonly Place[]): boolean {
    const gone = leaving.filter((place) => place instanceof Held && this.#sessions.has(place));
    const goneHere = gone.filter((place) => place.address === address);
    return (
      this.#sessions.size - gone.length < this.#limits.maxSessions &&
      this.#sessions.of(address) - goneHere.length < this.#limits.maxSessionsPerAddress
    );
  }

  /** @internal by the place. */
  establish(place: Held, leaving: readonly Place[]): boolean {
    if (place.state.at !== 'handshake' || !this.hasRoom(place.address, leaving)) return false;
    this.#handshakes.delete(place);
    place.state = { at: 'session' };
    this.#sessions.add(place);
    return true;
  }

  /** @internal by the place. */
  move(place: Held, address: string): void {
    if (place.state.at !== 'session') return;
    this.#sessions.delete(place);
    place.address = address;
    this.#sessions.add(place);
  }

  /** @internal by the place. */
  release(place: Held): void {
    if (place.state.at === 'handshake') this.#handshakes.delete(place);
    else this.#sessions.delete(place);
    place.state = { at: 'released' };
  }
}

function evicted(place: Held | undefined): void {
  if (place?.state.at !== 'handshake') return;
  const { evict } = place.state;
  place.release();
  evict();
}
