/**
 * The lives of a config node: Node-RED makes it anew at a full deploy and when it was changed, and what belongs to its
 * id, a session say, is handed from one life to the next. What no life comes for is wound up.
 */
import type { EventEmitter } from 'node:events';
import { systemClock, type CancelTimer, type Clock } from '../../src/index.js';
import type { Estate } from './estate.js';

/** What a life leaves behind. */
interface Heritable {
  /** Nobody came for it: it ends. */
  windUp(): Promise<void>;
}

/** A deploy takes this long at most, as Node-RED gives each node 15 s to close. */
const DEPLOY_MS = 20_000;

type State =
  /** `config`: of the flows that run; nothing when none were seen to start. */
  | { readonly at: 'settled'; readonly config: unknown }
  /** The nodes of the old flows close, and those of the new ones are about to come. */
  | { readonly at: 'deploying'; readonly cancelTimer: CancelTimer };

export class Lives<E extends Heritable> {
  readonly #clock: Clock;
  readonly #parked = new Map<string, E>();
  #afterDeploy: (() => void)[] = [];
  #state: State = { at: 'settled', config: undefined };

  /** @param events of the runtime, which tell when flows stop and start. */
  constructor(events: EventEmitter, clock: Clock = systemClock) {
    this.#clock = clock;
    // At a deploy the config is another one already, at a stop or a shutdown the same.
    events.on('flows:stopping', ({ config }: { config?: unknown } = {}) => this.#stopping(config));
    events.on('flows:started', ({ config }: { config?: unknown } = {}) => this.#settle(config));
  }

  /** Whether the nodes that close now make way for others, which may have the same ids. */
  get isDeploying(): boolean {
    return this.#state.at === 'deploying';
  }

  /** Leaves this for the next life of the node. Only while `isDeploying`. */
  park(id: string, estate: E): void {
    this.#parked.set(id, estate);
  }

  /** What the last life has left. */
  take(id: string): E | undefined {
    const estate = this.#parked.get(id);
    this.#parked.delete(id);
    return estate;
  }

  /** Calls this when all nodes of the deploy are there; now, when there is none. */
  afterDeploy(call: () => void): void {
    if (this.isDeploying) this.#afterDeploy.push(call);
    else call();
  }

  #stopping(config: unknown): void {
    const state = this.#state;
    if (state.at === 'deploying')
      this.#settle(undefined); // stopped in the middle of it
    else if (state.config !== undefined && state.config !== config) this.#deploy();
  }

  #deploy(): void {
    const cancelTimer = this.#clock.setTimer(DEPLOY_MS, () => this.#settle(undefined));
    this.#state = { at: 'deploying', cancelTimer };
  }

  #settle(config: unknown): void {
    if (this.#state.at === 'deploying') this.#state.cancelTimer();
    this.#state = { at: 'settled', config };
    const left = [...this.#parked.values()];
    this.#parked.clear();
    for (const estate of left) void estate.windUp();
    for (const call of this.#afterDeploy.splice(0)) call();
  }
}

const known = new WeakMap<EventEmitter, Lives<Estate>>();

/** The lives of the gateways' nodes of this runtime. */
export function livesOf({ events }: { readonly events: EventEmitter }): Lives<Estate> {
  let lives = known.get(events);
  if (!lives) known.set(events, (lives = new Lives(events)));
  return lives;
}
