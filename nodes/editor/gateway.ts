/** What the flow nodes have in common: they name a gateway, and are called after it where they have no name. */
import { text } from './text.js';

export interface FlowNode extends EditorNode {
  readonly client?: string;
}

export const gatewayProperty = (): NodeProperty<FlowNode> => ({
  type: 'usmp-client',
  required: true,
  label: text('usmp.label.gateway'),
});

export function label(this: FlowNode): string {
  if (this.name) return this.name;
  const gateway = RED.nodes.node(this.client ?? '');
  return gateway ? RED.utils.getNodeLabel(gateway) : this.type;
}

export function labelStyle(this: FlowNode): string {
  return this.name ? 'node_label_italic' : '';
}

/** What a node from elsewhere lacks is shown as the runtime takes it. */
export function fillIn(node: FlowNode, name: string, standard: string): void {
  if (node[name] === undefined) $(`#node-input-${name}`).val(standard);
}
