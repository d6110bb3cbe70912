/**
 * Tells a flow what became of a msg, and during a deploy when it is over: it may replace the Complete and Catch nodes. A
 * message may outlive the node that got it: then it is the new one with the same id that tells, or where there is none
 * any more, the log.
 */
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Estate } from './estate.js';
import { FlowError } from '../words/explain.js';
import type { Lives } from './lives.js';
import type { Translate } from '../words/text.js';

type Done = (error?: Error) => void;

/** What became of a msg: it was delivered, or why not. */
interface Outcome {
  readonly error: Error | undefined;
}

const tellers = new WeakMap<Node, Teller>();

export class Teller {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #lives: Lives<Estate>;
  readonly #t: Translate;
  #isClosed = false;
  /** Msgs of an earlier life of the node that come again only to be told of. */
  readonly #settled = new WeakMap<NodeMessage, Outcome>();
  /** Failures that no flow can hear of, by their text, until they are logged together. */
  #unheard: Map<string, number> | undefined;

  constructor(RED: NodeAPI, node: Node, lives: Lives<Estate>, t: Translate) {
    this.#RED = RED;
    this.#node = node;
    this.#lives = lives;
    this.#t = t;
    tellers.set(node, this);
    node.on('close', () => (this.#isClosed = true));
  }

  /** To be asked first for each msg that comes. @returns whether it was settled already, and is now told of. */
  isSettled(msg: NodeMessage, done: Done): boolean {
    const outcome = this.#settled.get(msg);
    if (!outcome) return false;
    this.#settled.delete(msg);
    done(outcome.error);
    return true;
  }

  /** @param error why it was not delivered, if it was not. */
  tell(msg: NodeMessage, done: Done, error?: Error): void {
    this.#lives.afterDeploy(() => {
      if (this.#isClosed) this.#pass(msg, error);
      else done(error);
    });
  }

  /** The runtime takes no word of a closed node, so the next life gets the msg once more. */
  #pass(msg: NodeMessage, error: Error | undefined): void {
    const successor = this.#RED.nodes.getNode(this.#node.id) as Node | null;
    const teller = successor && tellers.get(successor);
    if (teller) {
      teller.#settled.set(msg, { error });
      successor.receive(msg);
    } else if (error && !(error instanceof FlowError && error.code === 'USMP_OUTBOX_CLOSED')) {
      this.#log(error); // what is given up at the end is counted where it is given up
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
