/** The node `usmp in` in the editor. */
import { fillIn, gatewayProperty, label, labelStyle, type FlowNode } from './gateway.js';

interface UsmpIn extends FlowNode {
  outputs: number;
}

RED.nodes.registerType<UsmpIn>('usmp in', {
  category: 'network',
  color: '#8fc7c1',
  defaults: {
    name: { value: '' },
    client: gatewayProperty(),
    topic: { value: '' },
    format: { value: 'auto' },
    events: { value: false },
    outputs: { value: 1 },
  },
  inputs: 0,
  outputs: 1,
  icon: 'usmp.svg',
  paletteLabel: 'usmp in',
  label,
  labelStyle,
  outputLabels(index) {
    return index === 0 ? this._('usmp-in.label.message') : this._('usmp-in.label.event');
  },
  oneditprepare() {
    fillIn(this, 'format', 'auto');
  },
  oneditsave() {
    this.outputs = $('#node-input-events').is(':checked') ? 2 : 1;
  },
});
