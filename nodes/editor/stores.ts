/** The context store that keeps the outbox over a restart of Node-RED: which there are, and which of them do that. */
import { environmentName, textOf, type Typed } from '../shared/dialog/rules.js';
import { field } from './client-form.js';
import type { Text } from './fields.js';
import { check } from './form.js';
import { revalidate } from './revalidate.js';

interface Store {
  readonly name: string;
  readonly persists: boolean;
}

const LIMIT_MS = 10_000;

/** As the runtime told; until then, undefined. */
let known: readonly Store[] | undefined;

async function ask(): Promise<void> {
  const request = $.ajax({ url: 'usmp/stores', dataType: 'json', timeout: LIMIT_MS }) as PromiseLike<Store[]>;
  const names = RED.settings.context?.stores;
  // What the editor itself knows are names only.
  const atLeast = names?.map((name) => ({ name, persists: true }));
  known = await request.then(
    (stores) => stores,
    () => atLeast,
  );
}

function problemWithStore(name: string): Text | undefined {
  if (name === '' || environmentName(name) !== undefined || !known) return undefined;
  const store = known.find((each) => each.name === name);
  if (store?.persists) return undefined;
  const values = { store: name };
  return { key: store ? 'usmp.reason.USMP_STORE_MEMORY' : 'usmp.reason.USMP_STORE_UNKNOWN', values };
}

export const checkedStore = check((_node, value) => problemWithStore(textOf(value as Typed)));

/** Asks once, and checks the nodes that are there already. */
export async function watchStores(): Promise<void> {
  await ask();
  RED.nodes.eachConfig((node) => {
    if (problemWithStore(textOf(node.outboxStore as Typed))) revalidate(node);
  });
}

/** Offers the stores that keep something over a restart, and the saved one in any case. */
export async function prepareStores(saved: string): Promise<void> {
  const select = field('outboxStore');
  const offer = (value: string, label: string): void =>
    void $('<option>', { value, text: label }).appendTo(select);

  // At once, so that saving in a hurry does not lose it.
  if (saved !== '') offer(saved, saved);
  select.val(saved);
  await ask();
  for (const { name, persists } of known ?? []) if (persists && name !== saved) offer(name, name);
  select.trigger('change'); // to be checked by what is known now
}
