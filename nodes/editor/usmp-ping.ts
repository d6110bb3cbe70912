/** The node `usmp ping` in the editor. */
import { checked, tidy } from './form.js';
import { gatewayProperty, label, labelStyle, type FlowNode } from './gateway.js';

RED.nodes.registerType<FlowNode>('usmp ping', {
  category: 'network',
  color: '#8fc7c1',
  defaults: {
    name: { value: '' },
    client: gatewayProperty(),
    interval: { value: '', validate: checked('interval') },
  },
  inputs: 1,
  outputs: 1,
  icon: 'usmp-ping.svg',
  paletteLabel: 'usmp ping',
  label,
  labelStyle,
  inputLabels() {
    return this._('usmp-ping.label.trigger');
  },
  outputLabels() {
    return this._('usmp-ping.label.rtt');
  },
  oneditprepare() {
    tidy($('#node-input-interval'));
  },
});
