/** The fields of the open dialog of a config node, and the checks that Node-RED makes of them and of closed nodes. */
import { textOf, type Typed } from '../shared/dialog/rules.js';
import { problemWith, problemWithLongestWait, type Text } from './fields.js';
import { check } from './form.js';
import { assessPsk, formatOf, STORED } from './psk.js';
import { isPskMissing } from './stored-psks.js';

/** The node whose dialog is open, until it is saved: Node-RED checks the node then, while the fields are still there. */
let openNode: string | undefined;

export const opened = (node: EditorNode): void => void (openNode = node.id);
export const closed = (): void => void (openNode = undefined);

export const field = (name: string): JQuery => $(`#node-config-input-${name}`);

export const typedInto = (name: string): string => field(name).val() ?? '';

/** A property as it stands in the open dialog, or else in the node. */
const current = (node: EditorNode, name: string): unknown =>
  openNode === node.id ? typedInto(name) : node[name];

export const checkedLongestWait = check((node, value) =>
  problemWithLongestWait(current(node, 'retryMin') as Typed, value as Typed),
);

function problemWithPsk(node: EditorNode, psk: string): Text | undefined {
  const { kind, text } = assessPsk(psk, formatOf(current(node, 'pskFormat')));
  return kind === 'error' ? text : undefined;
}

export const checkedPsk = check((node, value) => problemWithPsk(node, textOf(value as Typed)));

/**
 * Node-RED checks credentials in the open dialog only. So a PSK that is known to be missing or wrong is told of its
 * format, a property: the nodes are then marked, and Deploy warns.
 */
export const checkedFormat = check((node, value) => {
  const problem = problemWith('pskFormat', value as Typed);
  if (problem || openNode === node.id) return problem;
  const { psk, has_psk: isStored } = node.credentials ?? { has_psk: !isPskMissing(node) };
  return problemWithPsk(node, psk ?? (isStored ? STORED : ''));
});
