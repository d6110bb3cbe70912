/** What happens to the session, as flows hear of it on the second output of `usmp in`. */
import { isAuthFailure, type ConnectionState, type USMPError } from '../../src/index.js';
import { explain, reasonFor } from './explain.js';
import { say, type Translate } from './text.js';

export interface SessionEvent {
  readonly event: 'connected' | 'reconnected' | 'disconnected' | 'auth-failed' | 'queue-full';
  /** Why, in words, and as a code for programs. */
  readonly reason?: string;
  readonly code?: string;
  /** Seconds until the next attempt to connect. */
  readonly retryIn?: number;
}

/** @returns undefined for a state that flows need not hear of. */
export function eventOf(state: ConnectionState, hadSession: boolean, t: Translate): SessionEvent | undefined {
  switch (state.at) {
    case 'established':
      return { event: hadSession ? 'reconnected' : 'connected' };
    case 'waiting':
      return {
        event: isAuthFailure(state.reason) ? 'auth-failed' : 'disconnected',
        reason: say(t, reasonFor(state.reason)),
        code: state.reason.code,
        retryIn: Math.round(state.retryInMs / 1000),
      };
    case 'idle':
      return { event: 'disconnected', reason: t('reason.USMP_STOPPED'), code: 'USMP_STOPPED' };
    default:
      return undefined;
  }
}

export function queueFull(error: USMPError, t: Translate): SessionEvent {
  return { event: 'queue-full', reason: explain(t, error, undefined), code: error.code };
}
