/**
 * Tells a flow what became of a msg. A message may outlive the node that got it: a deploy makes the node anew, and then
 * it is the one with the same id that tells. Where there is none any more, the log does.
 */
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Estate } from './estate.js';
import { FlowError } from './explain.js';
import type { Lives } from './lives.js';
import type { Translate } from './text.js';

type Done = (error?: Error) => void;

export class Teller {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #lives: Lives<Estate>;
  readonly #t: Translate;
  #isClosed = false;
  /** Failures that no flow can hear of, by their text, until they are logged together. */
  #unheard: Map<string, number> | undefined;

  constructor(RED: NodeAPI, node: Node, lives: Lives<Estate>, t: Translate) {
    this.#RED = RED;
    this.#node = node;
    this.#lives = lives;
    this.#t = t;
    node.on('close', () => (this.#isClosed = true));
  }

  /** A successor is told by a msg that it has only to complete. @returns whether this is one. */
  completes(msg: NodeMessage): boolean {
    return delivered.delete(msg);
  }

  /** @param error why it was not delivered, if it was not. */
  tell(msg: NodeMessage, done: Done, error?: Error): void {
    if (this.#isClosed) this.#lives.afterDeploy(() => this.#tellSuccessor(msg, error));
    else done(error);
  }

  #tellSuccessor(msg: NodeMessage, error: Error | undefined): void {
    const successor = this.#RED.nodes.getNode(this.#node.id) as Node | null;
    if (!successor || successor === this.#node) {
      // What is given up at the end is counted where it is given up.
      if (error && !(error instanceof FlowError && error.code === 'USMP_OUTBOX_CLOSED')) this.#log(error);
    } else if (error) {
      successor.error(error, msg);
    } else {
      delivered.add(msg);
      successor.receive(msg);
    }
  }

  #log({ message }: Error): void {
    this.#unheard ??= this.#logSoon();
    this.#unheard.set(message, (this.#unheard.get(message) ?? 0) + 1);
  }

  #logSoon(): Map<string, number> {
    setImmediate(() => {
      const unheard = this.#unheard ?? new Map<string, number>();
      this.#unheard = undefined;
      for (const [reason, count] of unheard) this.#node.warn(this.#t('log.unheard', { count, reason }));
    });
    return new Map();
  }
}

/** What successors have only to complete. */
const delivered = new WeakSet<object>();
