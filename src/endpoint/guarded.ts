/**
 * Calls a user's function so that its throw does not leave the engine halfway through something: it surfaces
 * as an uncaught exception of its own, as a throwing event listener's does.
 */
export function guarded<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return undefined;
  }
}
