/** What a flow node needs of a config node, whichever side of its sessions that is. */
import type { NodeMessage } from 'node-red';
import type { Delivery, Outcome, Protocol } from '../../../src/index.js';
import type { User } from './users.js';

/** `msg.usmp`: the session that a msg is about. */
export interface Origin {
  readonly deviceId: string;
  /** Undefined while there is none. */
  readonly sessionId: string | undefined;
  readonly protocol: Protocol;
}

/** What becomes of a message while there is no session. */
export const OFFLINE = ['queue', 'drop', 'error'] as const;
export type Offline = (typeof OFFLINE)[number];

export interface Sending {
  readonly offline: Offline;
  readonly delivery: Delivery;
}

export interface Pong {
  /** The round-trip time in milliseconds. */
  readonly rtt: number;
  readonly origin: Origin | undefined;
}

/** What msg.action asks for; an answer is put into the msg. */
export type Action = (msg: NodeMessage & { stats?: unknown }) => Promise<void> | void;

export interface Exchange {
  /** Whether there is somebody to be reached. */
  readonly isConnected: boolean;
  /** By the word for it. Each throws or is rejected with a FlowError. */
  readonly actions: ReadonlyMap<string, Action>;
  /** Adds a user, which hears the status at once. @returns what takes it away again. */
  attach(user: User<Origin | undefined>): () => void;
  /**
   * @returns how it left: `dropped` when there was no session and it was not to wait.
   * @throws FlowError that says why it was not delivered.
   */
  send(message: Uint8Array, sending: Sending): Promise<Outcome | 'dropped'>;
  /** @throws FlowError */
  ping(): Promise<Pong>;
}
