/**
 * Items that are due at different times, in whichever order they come: one timer for all of them, and none when there
 * is nothing. A binary heap; what is taken out of it before its time stays as an empty place until those are too many,
 * so that taking out costs the same however much there is.
 */
import type { CancelTimer, Clock } from '../clock.js';

/** A place in the heap; without item when that was taken out. */
export interface Deadline<Item> {
  readonly at: number;
  /** Of two that are due at the same time, the one that came first is first. */
  readonly no: number;
  item: Item | undefined;
}

/** So many items are handed out in one turn of the event loop at most. */
const MAX_AT_ONCE = 1_000;
/** So many empty places more than items are not worth clearing away. */
const SPARE = 64;

const precedes = (a: Deadline<unknown>, b: Deadline<unknown>): boolean =>
  a.at < b.at || (a.at === b.at && a.no < b.no);

export class Deadlines<Item> {
  readonly #clock: Clock;
  /** Called with items whose time is over, which are taken out. */
  readonly #onDue: (items: Item[]) => void;
  /** Each place precedes the two at twice its index and one or two more. */
  #heap: Deadline<Item>[] = [];
  /** Places that are not empty. */
  #count = 0;
  #nextNo = 0;
  /** May fire before anything is due: then it is set anew. */
  #timer: { readonly at: number; readonly cancel: CancelTimer } | undefined;

  constructor(clock: Clock, onDue: (items: Item[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  add(at: number, item: Item): Deadline<Item> {
    const deadline = { at, no: this.#nextNo++, item };
    this.#heap.push(deadline);
    this.#count += 1;
    this.#rise(this.#heap.length - 1);
    this.#arm();
    return deadline;
  }

  /** Takes an item out before its time. */
  remove(deadline: Deadline<Item>): void {
    if (deadline.item === undefined) return;
    deadline.item = undefined;
    this.#count -= 1;
    if (this.#count === 0) {
      this.#heap = [];
      this.#disarm();
    } else if (this.#heap.length > 2 * this.#count + SPARE) {
      this.#heap = this.#heap.filter(({ item }) => item !== undefined);
      for (let i = this.#heap.length >> 1; i >= 0; i--) this.#sink(i);
    }
  }

  #arm(): void {
    const at = this.#heap[0]?.at;
    if (at === undefined || (this.#timer && this.#timer.at <= at)) return;
    this.#disarm();
    this.#timer = { at, cancel: this.#clock.setTimer(at - this.#clock.now(), () => this.#fire()) };
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const due: Item[] = [];
    for (let first = this.#heap[0]; first && due.length < MAX_AT_ONCE; first = this.#heap[0]) {
      if (first.item !== undefined && first.at > now) break;
      this.#shift();
      if (first.item === undefined) continue;
      due.push(first.item);
      first.item = undefined;
      this.#count -= 1;
    }
    if (this.#count === 0) this.#heap = [];
    this.#arm();
    if (due.length > 0) this.#onDue(due);
  }

  /** Takes out the first place. */
  #shift(): void {
    const last = this.#heap.pop();
    if (this.#heap.length === 0 || !last) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(index: number): void {
    const heap = this.#heap;
    const moved = heap[index];
    if (!moved) return;
    let at = index;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (!parent || precedes(parent, moved)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = moved;
  }

  #sink(index: number): void {
    const heap = this.#heap;
    const moved = heap[index];
    if (!moved) return;
    let at = index;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      const sibling = heap[childAt + 1];
      if (child && sibling && precedes(sibling, child)) {
        child = sibling;
        childAt += 1;
      }
      if (!child || precedes(moved, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = moved;
  }
}
