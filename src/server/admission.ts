/**
 * Room for handshakes and for sessions, each with a share for every address (IPv6: for every /64). A handshake always
 * finds room: the oldest one of whoever holds most makes way, so that strangers who open connections hold up nobody but
 * themselves. A session finds room or does not; a handshake may claim the place that its session will need, so that of
 * two that come for the last one the second waits, and is refused before it has proven anything. Pure; time plays no
 * part.
 */
import { networkOf } from './network.js';

export interface AdmissionLimits {
  readonly maxHandshakes: number;
  readonly maxHandshakesPerAddress: number;
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
}

/** What is taken up: by a handshake first, by its session then. */
export interface Place {
  /** Where the other side is, as far as shares go. */
  readonly network: string;
  /**
   * Asks for the place that its session will need, in the place of these.
   * @returns `claimed`; `contended` when the last ones are claimed by others; `full` when sessions have them.
   */
  claim(leaving: readonly Place[]): Claim;
  /** It takes too long: others may have the place. Harmless when there is no claim. */
  unclaim(): void;
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

export type Claim = 'claimed' | 'contended' | 'full';

type State =
  | { readonly at: 'handshake' | 'claimed'; readonly evict: () => void }
  | { readonly at: 'session' }
  | { readonly at: 'released' };

class Held implements Place {
  state: State;

  constructor(
    readonly owner: Admission,
    public network: string,
    evict: () => void,
  ) {
    this.state = { at: 'handshake', evict };
  }

  claim(leaving: readonly Place[]): Claim {
    return this.owner.claim(this, leaving);
  }

  unclaim(): void {
    this.owner.unclaim(this);
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

/** Places by network, the oldest first. */
class Shares {
  readonly #byNetwork = new Map<string, Set<Held>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(network: string): number {
    return this.#byNetwork.get(network)?.size ?? 0;
  }

  add(place: Held): void {
    const { network } = place;
    const share = this.#byNetwork.get(network);
    if (share) share.add(place);
    else this.#byNetwork.set(network, new Set([place]));
    this.#size += 1;
  }

  delete(place: Held): void {
    const share = this.#byNetwork.get(place.network);
    if (!share?.delete(place)) return;
    this.#size -= 1;
    if (share.size === 0) this.#byNetwork.delete(place.network);
  }

  has(place: Held): boolean {
    return this.#byNetwork.get(place.network)?.has(place) ?? false;
  }

  oldestOf(network: string): Held | undefined {
    return this.#byNetwork.get(network)?.values().next().value;
  }

  /** The oldest of the network that has most; looked for only when all is taken. */
  oldestOfLargest(): Held | undefined {
    let largest: Set<Held> | undefined;
    for (const share of this.#byNetwork.values()) if (share.size > (largest?.size ?? 0)) largest = share;
    return largest?.values().next().value;
  }
}

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #handshakes = new Shares();
  /** Of these, those that have claimed the place of a session. */
  readonly #claims = new Shares();
  readonly #sessions = new Shares();
  /** To be told of the next change. */
  #waiting: (() => void)[] = [];

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
    const network = networkOf(address);
    if (this.#handshakes.of(network) >= maxHandshakesPerAddress) evicted(this.#handshakes.oldestOf(network));
    else if (this.#handshakes.size >= maxHandshakes) evicted(this.#handshakes.oldestOfLargest());
    const place = new Held(this, network, evict);
    this.#handshakes.add(place);
    return place;
  }

  /** Whether there would be room for a session at this address, in the place of these. */
  hasRoom(address: string, leaving: readonly Place[]): boolean {
    return this.#hasRoom(networkOf(address), leaving);
  }

  /** Resolves when places or claims have changed. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @internal by the place. */
  claim(place: Held, leaving: readonly Place[]): Claim {
    const { state, network } = place;
    if (state.at === 'claimed') return 'claimed';
    if (state.at !== 'handshake' || !this.#hasRoom(network, leaving)) return 'full';
    if (!this.#hasRoom(network, leaving, this.#claims)) return 'contended';
    place.state = { ...state, at: 'claimed' };
    this.#claims.add(place);
    return 'claimed';
  }

  /** @internal by the place. */
  unclaim(place: Held): void {
    const { state } = place;
    if (state.at !== 'claimed') return;
    this.#claims.delete(place);
    place.state = { ...state, at: 'handshake' };
    this.#tell();
  }

  /** @internal by the place. */
  establish(place: Held, leaving: readonly Place[]): boolean {
    if (!isHandshake(place.state) || !this.#hasRoom(place.network, leaving)) return false;
    this.#claims.delete(place);
    this.#handshakes.delete(place);
    place.state = { at: 'session' };
    this.#sessions.add(place);
    this.#tell();
    return true;
  }

  /** @internal by the place. */
  move(place: Held, address: string): void {
    if (place.state.at !== 'session') return;
    this.#sessions.delete(place);
    place.network = networkOf(address);
    this.#sessions.add(place);
    this.#tell();
  }

  /** @internal by the place. */
  release(place: Held): void {
    for (const shares of [this.#claims, this.#handshakes, this.#sessions]) shares.delete(place);
    place.state = { at: 'released' };
    this.#tell();
  }

  /** @param claims whose places are as good as taken. */
  #hasRoom(network: string, leaving: readonly Place[], claims?: Shares): boolean {
    const gone = leaving.filter((place) => place instanceof Held && this.#sessions.has(place));
    const goneHere = gone.filter((place) => place.network === network);
    const { maxSessions, maxSessionsPerAddress } = this.#limits;
    return (
      this.#sessions.size - gone.length + (claims?.size ?? 0) < maxSessions &&
      this.#sessions.of(network) - goneHere.length + (claims?.of(network) ?? 0) < maxSessionsPerAddress
    );
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const isHandshake = (state: State): state is State & { readonly evict: () => void } =>
  state.at === 'handshake' || state.at === 'claimed';

function evicted(place: Held | undefined): void {
  if (!place || !isHandshake(place.state)) return;
  const { evict } = place.state;
  place.release();
  evict();
}
