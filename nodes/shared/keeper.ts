/**
 * Keeps the outbox over a restart of Node-RED, in the context store that the user chose: `localfilesystem`, say,
 * writes it to a file in the user folder.
 */
import type { Node } from 'node-red';
import type { Delivery, KeptMessage } from '../../src/index.js';

/** Changes come in bursts; the store is written this much later, and when the node closes. */
const WRITE_DELAY_MS = 200;
const KEY = 'outbox';

interface Stored {
  readonly message: string;
  readonly delivery: Delivery;
}

/** The part of a node's context that is used here. */
interface Context {
  get(key: string, store: string, callback: (error: unknown, value?: unknown) => void): void;
  set(key: string, value: unknown, store: string, callback: (error: unknown) => void): void;
}

export class Keeper {
  readonly #context: Context;
  readonly #store: string;
  readonly #content: () => readonly KeptMessage[];
  readonly #onError: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  /** What the store holds could not be read; an empty outbox is not worth writing over it. */
  #isUnread = false;
  /** Writes go one after the other. */
  #written: Promise<void> = Promise.resolve();

  constructor(
    node: Node,
    store: string,
    content: () => readonly KeptMessage[],
    onError: (error: unknown) => void,
  ) {
    this.#context = node.context();
    this.#store = store;
    this.#content = content;
    this.#onError = onError;
  }

  /** What was kept at the end of the last run; nothing when the store has nothing or fails. */
  async load(): Promise<KeptMessage[]> {
    const value = await new Promise<unknown>((resolve) => {
      this.#context.get(KEY, this.#store, (error, found) => {
        if (error) this.#onError(error);
        this.#isUnread = Boolean(error);
        resolve(error ? undefined : found);
      });
    });
    return Array.isArray(value) ? value.filter(isStored).map(fromStored) : [];
  }

  /** The content has changed. */
  changed(): void {
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_DELAY_MS);
  }

  /** Writes what there is now. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const value = this.#content().map(toStored);
    if (value.length === 0 && this.#isUnread) return this.#written;
    this.#isUnread = false;
    this.#written = this.#written.then(
      () =>
        new Promise((resolve) => {
          this.#context.set(KEY, value, this.#store, (error) => {
            if (error) this.#onError(error);
            resolve();
          });
        }),
    );
    return this.#written;
  }
}

const toStored = ({ message, delivery }: KeptMessage): Stored => ({
  message: Buffer.from(message).toString('base64'),
  delivery,
});

const fromStored = ({ message, delivery }: Stored): KeptMessage => ({
  message: Uint8Array.from(Buffer.from(message, 'base64')),
  delivery: delivery === 'sent' ? 'sent' : 'confirmed',
});

const isStored = (value: unknown): value is Stored =>
  typeof value === 'object' && value !== null && typeof (value as Stored).message === 'string';
