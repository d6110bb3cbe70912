/** Ctrl-C: the first one asks the program to end, a second one ends it. */
import type { Clock } from '../../src/index.js';

export const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Milliseconds in which signals count as one: a terminal sends Ctrl-C to all programs in front, and npx hands on to its
 * own what it got, so one key press comes twice.
 */
const SAME_KEY_PRESS_MS = 250;

/** A process, or what stands for it. */
export interface Signalled {
  on(signal: (typeof SIGNALS)[number], listener: () => void): unknown;
}

/**
 * @param endNow what a second signal does.
 * @returns what is aborted by the first one.
 */
export function interruption(signalled: Signalled, clock: Clock, endNow: () => void): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const onSignal = (): void => {
    const now = clock.now();
    if (firstAt !== undefined && now - firstAt >= SAME_KEY_PRESS_MS) endNow();
    firstAt ??= now;
    controller.abort(); // harmless when it is aborted already
  };
  for (const signal of SIGNALS) signalled.on(signal, onSignal);
  return controller.signal;
}
