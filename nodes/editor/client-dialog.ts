/** The dialog of the config node `usmp-client`. */
import { readDeviceId, readHost } from '../shared/dialog/rules.js';
import { NUMBER_FIELDS } from './fields.js';
import { field, opened } from './client-form.js';
import { tidy } from './form.js';
import { generateDeviceId } from './psk.js';
import { preparePsk } from './psk-field.js';
import { prepareStores } from './stores.js';
import { prepareTabs } from './tabs.js';
import { isInSubflow, prepareTest } from './test-connection.js';

export function prepareDialog(node: EditorNode): void {
  opened(node);
  const tabs = prepareTabs();
  fillIn(node);
  tidy(field('host'), readHost);
  tidy(field('deviceId'), (typed) => readDeviceId(typed) ?? '');
  for (const name of NUMBER_FIELDS) tidy(field(name));
  void prepareStores(typeof node.outboxStore === 'string' ? node.outboxStore : '');
  $('#usmp-client-deviceId-generate').on('click', () => {
    field('deviceId').val(generateDeviceId()).trigger('change');
  });
  if (!isInSubflow(node)) void showDeviceId(node);
  preparePsk();
  prepareTest(node, tabs);
}

/** A node from elsewhere may lack properties: shows what the runtime takes in their place. */
function fillIn(node: EditorNode): void {
  for (const [name, { value }] of Object.entries(node._def.defaults)) {
    if (NUMBER_FIELDS.some((each) => each === name)) field(name).attr('placeholder', String(value));
    if (node[name] !== undefined) continue;
    if (typeof value === 'boolean') field(name).prop('checked', value);
    else field(name).val(String(value));
  }
}

/** A blank device ID stands for one that the runtime makes: this one. */
async function showDeviceId(node: EditorNode): Promise<void> {
  const deviceId = field('deviceId');
  const url = `usmp/device-id?id=${encodeURIComponent(node.id)}`;
  const answer = await $.ajax({ url, dataType: 'json', timeout: 10_000 }).then(
    (found) => found as { deviceId?: string },
    () => undefined,
  );
  if (answer?.deviceId !== undefined) deviceId.attr('placeholder', answer.deviceId);
}
