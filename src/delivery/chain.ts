/** A list whose items know their neighbours: each step costs the same, however long it is. */

export interface Linked<Item> {
  before: Item | undefined;
  after: Item | undefined;
}

export class Chain<Item extends Linked<Item>> {
  #first: Item | undefined;
  #last: Item | undefined;

  get first(): Item | undefined {
    return this.#first;
  }

  get last(): Item | undefined {
    return this.#last;
  }

  /** Puts an item that is in no list before another, or at the end. */
  insert(item: Item, after: Item | undefined): void {
    const before = after ? after.before : this.#last;
    item.before = before;
    item.after = after;
    if (before) before.after = item;
    else this.#first = item;
    if (after) after.before = item;
    else this.#last = item;
  }

  remove(item: Item): void {
    const { before, after } = item;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    item.before = item.after = undefined;
  }

  /** First to last. The item that was given may be taken out meanwhile. */
  *[Symbol.iterator](): Generator<Item, void> {
    for (let item = this.#first, next: Item | undefined; item; item = next) {
      next = item.after;
      yield item;
    }
  }
}
