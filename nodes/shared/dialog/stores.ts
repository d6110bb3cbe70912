/** Which of Node-RED's context stores keep what is in them over a restart. */

const has = (value: unknown, key: string): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key);

/** What Node-RED makes when `contextStorage` names no store: one in memory. */
const BY_DEFAULT = { memory: { module: 'memory' } };

/** Node-RED has a use of its own for this name. */
const RESERVED = '_';

function configured(contextStorage: unknown): object {
  const isSet = typeof contextStorage === 'object' && contextStorage !== null;
  return isSet && Object.keys(contextStorage).length > 0 ? contextStorage : BY_DEFAULT;
}

/**
 * @param contextStorage the setting of Node-RED: names to `{ module }`, where `default` may also be another name.
 * @returns `yes` also for a module that is not Node-RED's own, as nobody takes the trouble to write one for memory.
 */
export function persists(contextStorage: unknown, name: string): 'yes' | 'no' | 'unknown-name' {
  const all = configured(contextStorage);
  if (name === RESERVED || !has(all, name)) return 'unknown-name';
  const store = all[name];
  if (name === 'default' && typeof store === 'string' && store !== name) return persists(all, store);
  if (!has(store, 'module')) return 'unknown-name';
  return store.module === 'memory' ? 'no' : 'yes';
}

export interface Store {
  readonly name: string;
  readonly persists: boolean;
}

/** The stores that Node-RED offers, as in its editor: `default` only where that is a store and not another's name. */
export function storesOf(contextStorage: unknown): Store[] {
  const all = configured(contextStorage);
  return Object.entries(all).flatMap(([name, store]) =>
    typeof store === 'string' || persists(all, name) === 'unknown-name'
      ? []
      : [{ name, persists: persists(all, name) === 'yes' }],
  );
}
