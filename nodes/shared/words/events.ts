/** What happens to the session, as flows hear of it on the second output of `usmp in`. */
import { isAuthFailure, type ConnectionState, type USMPError } from '../../../src/index.js';
import { explain, reasonFor } from './explain.js';
import { say, type Translate } from './text.js';

export interface SessionEvent {
  readonly event: 'connected' | 'reconnected' | 'disconnected' | 'auth-failed' | 'queue-full';
  /** Why, in words, and as a code for programs. */
  readonly reason?: string;
  readonly code?: string;
  /** Seconds until the next attempt to connect. */
  readonly retryIn?: number;
  /** Seconds that there was no session. */
  readonly outage?: number;
}

export function queueFull(error: USMPError, t: Translate): SessionEvent {
  return { event: 'queue-full', reason: explain(t, error, undefined), code: error.code };
}

/** Follows the session from one outage to the next: each is told once, and again only when its reason changes. */
export class Outages {
  #hadSession = false;
  /** The one that lasts: since when, in milliseconds, and the code of its reason. */
  #outage: { readonly since: number; readonly code: string } | undefined;

  /**
   * @param now milliseconds.
   * @returns undefined for a state that flows need not hear of.
   */
  next(state: ConnectionState, now: number, t: Translate): SessionEvent | undefined {
    switch (state.at) {
      case 'established':
        return this.#established(now);
      case 'waiting': {
        const { reason, retryInMs } = state;
        return this.#down(now, {
          event: isAuthFailure(reason) ? 'auth-failed' : 'disconnected',
          reason: say(t, reasonFor(reason)),
          code: reason.code,
          retryIn: Math.round(retryInMs / 1000),
        });
      }
      case 'idle':
        return this.#down(now, {
          event: 'disconnected',
          reason: t('reason.USMP_STOPPED'),
          code: 'USMP_STOPPED',
        });
      default:
        return undefined;
    }
  }

  /** The session is given up for another one, which is news when it comes. @param now milliseconds. */
  interrupt(now: number): void {
    if (this.#hadSession) this.#outage ??= { since: now, code: '' };
  }

  /** A session that follows another one at once, for new keys say, is no news. */
  #established(now: number): SessionEvent | undefined {
    const { since } = this.#outage ?? {};
    const isNews = since !== undefined || !this.#hadSession;
    const event = this.#hadSession ? 'reconnected' : 'connected';
    this.#hadSession = true;
    this.#outage = undefined;
    if (!isNews) return undefined;
    return { event, ...(since !== undefined && { outage: Math.round((now - since) / 100) / 10 }) };
  }

  #down(now: number, event: SessionEvent & { readonly code: string }): SessionEvent | undefined {
    const { since = now, code } = this.#outage ?? {};
    this.#outage = { since, code: event.code };
    return code === event.code ? undefined : event;
  }
}
