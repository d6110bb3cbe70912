/** Messages from the gateway on their way to whoever takes them. On hold they wait, within bounds, and then at the gateway. */

export interface HolderOptions<Item> {
  /** @returns whether somebody took it. */
  readonly give: (item: Item) => boolean;
  /** Whether more may come. */
  readonly onRoom: (room: boolean) => void;
}

/** So many wait here on hold. */
const MAX_HELD = 256;

export class Holder<Item> {
  readonly #options: HolderOptions<Item>;
  readonly #held: Item[] = [];
  #onHold = false;
  #received = 0;
  #unclaimed = 0;

  constructor(options: HolderOptions<Item>) {
    this.#options = options;
  }

  /** Messages that came so far. */
  get received(): number {
    return this.#received;
  }

  /** Messages that nobody took. */
  get unclaimed(): number {
    return this.#unclaimed;
  }

  put(item: Item): void {
    this.#received += 1;
    if (!this.#onHold && this.#held.length === 0) {
      this.#give(item);
      return;
    }
    this.#held.push(item);
    if (this.#held.length >= MAX_HELD) this.#options.onRoom(false);
  }

  hold(): void {
    this.#onHold = true;
  }

  /** Hands out what waits, and what comes from now on. */
  release(): void {
    this.#onHold = false;
    while (!this.#isOnHold() && this.#held.length > 0) this.#give(this.#held.shift() as Item);
    if (this.#held.length < MAX_HELD) this.#options.onRoom(true);
  }

  /** What waits goes to another, before all that waits there. */
  handOver(heir: Holder<Item>): void {
    heir.#held.unshift(...this.#held.splice(0));
    if (!heir.#onHold) heir.release();
    else if (heir.#held.length >= MAX_HELD) heir.#options.onRoom(false);
  }

  /** A method, as whoever is given something may put this on hold again. */
  #isOnHold(): boolean {
    return this.#onHold;
  }

  #give(item: Item): void {
    if (!this.#options.give(item)) this.#unclaimed += 1;
  }
}
