/**
 * The lives of a config node: Node-RED makes it anew at a full deploy and when it was changed, and what belongs to its
 * id, a session say, is handed from one life to the next. What no life comes for is wound up.
 */
import type { EventEmitter } from 'node:events';
import { systemClock, type CancelTimer, type Clock } from '../../../src/index.js';
import type { Estate } from './estate.js';

/** What a life leaves behind. */
interface Heritable {
  /** Nobody came for it: it ends. */
  windUp(): Promise<void>;
  /** The process ends, in this turn. */
  abandon(): void;
}

/** Somebody who has to know of deploys. */
export interface Watcher {
  /** Nodes are about to close, to make way for others. */
  onDeploy(): void;
  /** All nodes of the new flows are there. */
  onDeployed(): void;
}

/** New flows that have not started by then do not start: a type of node is missing, say. */
const START_MS = 20_000;

/** `config`: of the flows that run or are to run; undefined while none were seen to start. */
type State =
  | { readonly at: 'running'; readonly config: unknown }
  /** The nodes of the old flows close. */
  | { readonly at: 'stopping'; readonly config: unknown }
  /** The nodes of the new ones come. */
  | { readonly at: 'starting'; readonly config: unknown; readonly cancelTimer: CancelTimer };

export class Lives<E extends Heritable> {
  readonly #clock: Clock;
  readonly #parked = new Map<string, E>();
  readonly #watchers = new Set<Watcher>();
  #afterDeploy: (() => void)[] = [];
  #state: State = { at: 'running', config: undefined };
  /** Node-RED does not wait for a deploy when it is told to end. */
  readonly #onExit = (): void => {
    for (const estate of this.#parked.values()) estate.abandon();
  };

  /** @param events of the runtime, which tell when flows stop and start. */
  constructor(events: EventEmitter, clock: Clock = systemClock) {
    this.#clock = clock;
    events.on('flows:stopping', ({ config }: { config?: unknown } = {}) => this.#stopping(config));
    events.on('flows:stopped', () => this.#stopped());
    events.on('flows:started', ({ config }: { config?: unknown } = {}) => this.#started(config));
  }

  /** Whether the nodes that close now make way for others, which may have the same ids. */
  get isDeploying(): boolean {
    return this.#state.at !== 'running';
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

  /** @returns what ends it. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Calls this when all nodes of the deploy are there; now, when there is none. */
  afterDeploy(call: () => void): void {
    if (this.isDeploying) this.#afterDeploy.push(call);
    else call();
  }

  #stopping(config: unknown): void {
    const { at, config: known } = this.#state;
    // At a deploy the config is another one already, at a stop or a shutdown the same.
    const isDeploy = known !== undefined && config !== known;
    if (!isDeploy) {
      if (at !== 'running') this.#settle(known); // stopped in the middle of a deploy
      return;
    }
    if (at === 'starting') this.#state.cancelTimer();
    this.#state = { at: 'stopping', config };
    if (at !== 'running') return;
    process.once('exit', this.#onExit);
    for (const watcher of [...this.#watchers]) watcher.onDeploy();
  }

  #stopped(): void {
    if (this.#state.at !== 'stopping') return;
    const { config } = this.#state;
    const cancelTimer = this.#clock.setTimer(START_MS, () => this.#settle(config));
    this.#state = { at: 'starting', config, cancelTimer };
  }

  #started(config: unknown): void {
    // While nodes stop it is an earlier deploy whose start is done.
    if (this.#state.at !== 'stopping') this.#settle(config);
  }

  #settle(config: unknown): void {
    if (this.#state.at === 'starting') this.#state.cancelTimer();
    process.off('exit', this.#onExit);
    this.#state = { at: 'running', config };
    const left = [...this.#parked.values()];
    this.#parked.clear();
    for (const estate of left) void estate.windUp();
    for (const watcher of [...this.#watchers]) watcher.onDeployed();
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
