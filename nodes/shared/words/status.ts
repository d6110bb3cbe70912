/** The one mapping from the connection's state to the status under a node, in the core nodes' colours. */
import type { NodeStatus } from 'node-red';
import { ArgumentError, type ConnectionState, type USMPError } from '../../../src/index.js';
import { reasonFor } from './explain.js';
import { say, type Translate } from './text.js';

export interface Standing {
  readonly state: ConnectionState;
  /** When the next attempt is made, while one is waited for. */
  readonly nextTryAt: Date | undefined;
  /** Messages that wait, apart from those on their way in the session. */
  readonly waiting: number;
  /** What is wrong besides, in words. */
  readonly trouble: string | undefined;
}

export function statusOf(standing: Standing, t: Translate): NodeStatus {
  const { state, waiting, trouble } = standing;
  const text = [textOf(standing, t)];
  if (waiting > 0) text.push(t('status.queued', { count: waiting }));
  if (trouble !== undefined) text.push(trouble);
  const look = trouble !== undefined && state.at === 'established' ? TROUBLED : LOOKS[state.at];
  return { ...look, text: text.join(', ') };
}

const DOWN = { fill: 'red', shape: 'ring' } as const;
const COMING = { fill: 'yellow', shape: 'ring' } as const;
const TROUBLED = { fill: 'yellow', shape: 'dot' } as const;
const LOOKS = {
  idle: DOWN,
  connecting: COMING,
  handshaking: COMING,
  established: { fill: 'green', shape: 'dot' },
  waiting: DOWN,
  closing: DOWN,
} as const satisfies Record<ConnectionState['at'], NodeStatus>;

function textOf({ state, nextTryAt }: Standing, t: Translate): string {
  switch (state.at) {
    case 'established':
      return t('status.connected');
    case 'waiting':
      return t('status.waiting', {
        reason: say(t, reasonFor(state.reason)),
        time: nextTryAt ? clockTime(nextTryAt) : '',
      });
    default:
      return t(`status.${state.at}`);
  }
}

/** A time that stays true however long it stands there. */
const clockTime = (time: Date): string =>
  [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');

/** The settings are not usable, for this reason. */
export function unusableStatus(error: USMPError, t: Translate): NodeStatus {
  // What the dialog says of it is too long to stand under a node.
  const isPskMissing = error instanceof ArgumentError && error.problem.kind === 'pskMissing';
  return { ...DOWN, text: isPskMissing ? t('status.noPsk') : say(t, reasonFor(error)) };
}

/** A node whose flow is stopped has no session. */
export const stoppedStatus = (t: Translate): NodeStatus => ({ ...DOWN, text: t('status.idle') });
