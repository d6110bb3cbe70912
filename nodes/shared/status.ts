/** The one mapping from the connection's state to the status under a node, in the core nodes' colours. */
import type { NodeStatus } from 'node-red';
import type { ConnectionState } from '../../src/index.js';
import { reasonFor } from './explain.js';
import { say, type Translate } from './text.js';

export function statusOf(state: ConnectionState, queued: number, t: Translate): NodeStatus {
  const status = withoutQueue(state, t);
  if (state.at === 'established' || queued === 0) return status;
  return { ...status, text: t('status.queued', { status: status.text ?? '', count: queued }) };
}

function withoutQueue(state: ConnectionState, t: Translate): NodeStatus {
  switch (state.at) {
    case 'idle':
    case 'closing':
      return { fill: 'red', shape: 'ring', text: t(`status.${state.at}`) };
    case 'connecting':
    case 'handshaking':
      return { fill: 'yellow', shape: 'ring', text: t(`status.${state.at}`) };
    case 'established':
      return { fill: 'green', shape: 'dot', text: t('status.connected') };
    case 'waiting':
      return {
        fill: 'red',
        shape: 'ring',
        text: t('status.waiting', {
          reason: say(t, reasonFor(state.reason)),
          seconds: Math.round(state.retryInMs / 1000),
        }),
      };
  }
}
