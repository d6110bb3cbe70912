/**
 * Whether a server listens, and what it is about to do: what is wanted while something else is under way comes after
 * that. What stays when the settings change goes on meanwhile.
 */
import type { Listening, Where } from './listen.js';

type State<Left> =
  | { readonly at: 'closed' }
  | { readonly at: 'starting'; readonly done: Promise<void> }
  | { readonly at: 'listening'; readonly listening: Listening }
  | { readonly at: 'changing'; readonly listening: Listening; readonly done: Promise<void> }
  | { readonly at: 'closing'; readonly closed: Promise<Left> };

/** @typeParam Left what a close leaves. */
export class Port<Left> {
  readonly #listen: (staying?: Listening) => Promise<Listening>;
  #state: State<Left> = { at: 'closed' };

  /** @param listen opens what does not stay; all of it or nothing. */
  constructor(listen: (staying?: Listening) => Promise<Listening>) {
    this.#listen = listen;
  }

  get at(): State<Left>['at'] {
    return this.#state.at;
  }

  /** What is listened on for now. */
  get listening(): Listening | undefined {
    return 'listening' in this.#state ? this.#state.listening : undefined;
  }

  /** Opens it, after a close that is under way. @throws what `listen` throws. */
  open(): Promise<void> {
    const state = this.#state;
    if (state.at === 'listening') return Promise.resolve();
    if ('done' in state) return state.done;
    const before = state.at === 'closing' ? state.closed : Promise.resolve();
    const done = this.#opened(before.then(() => this.#listen()));
    this.#state = { at: 'starting', done };
    return done;
  }

  /**
   * Listens where these settings say, if it listens at all.
   * @param release ends what goes with listeners that leave, and closes them.
   * @throws what `listen` throws; what stays is listened on then.
   */
  async change(after: Where, release: (leaving: Listening) => Promise<void>): Promise<void> {
    while ('done' in this.#state) await this.#state.done.catch(() => undefined);
    if (this.#state.at !== 'listening') return;
    const { staying, leaving } = this.#state.listening.split(after);
    if (leaving.isEmpty && !staying.lacks(after)) return;
    const isReleased = leaving.isEmpty ? Promise.resolve() : release(leaving);
    const done = this.#opened(
      isReleased.then(() => this.#listen(staying)),
      staying,
    );
    this.#state = { at: 'changing', listening: staying, done };
    await done;
  }

  /** @param end closes what is listened on. @returns what that leaves; undefined when it was closed before. */
  async close(end: (listening: Listening) => Promise<Left>): Promise<Left | undefined> {
    while ('done' in this.#state) await this.#state.done.catch(() => undefined);
    if (this.#state.at === 'listening') {
      const closed = end(this.#state.listening);
      this.#state = { at: 'closing', closed };
      void closed.then(() => {
        if (this.#state.at === 'closing') this.#state = { at: 'closed' };
      });
    }
    return this.#state.at === 'closing' ? this.#state.closed : undefined;
  }

  #opened(opening: Promise<Listening>, staying?: Listening): Promise<void> {
    return opening.then(
      (listening) => {
        this.#state = { at: 'listening', listening };
      },
      (error: unknown) => {
        const goesOn = staying && !staying.isEmpty;
        this.#state = goesOn ? { at: 'listening', listening: staying } : { at: 'closed' };
        throw error;
      },
    );
  }
}
