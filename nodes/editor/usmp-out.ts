/** The node `usmp out` in the editor. */
import { fillIn, gatewayProperty, label, labelStyle, type FlowNode } from './gateway.js';

RED.nodes.registerType<FlowNode>('usmp out', {
  category: 'network',
  color: '#8fc7c1',
  defaults: {
    name: { value: '' },
    client: gatewayProperty(),
    delivery: { value: 'confirmed' },
    offline: { value: 'queue' },
  },
  inputs: 1,
  outputs: 0,
  align: 'right',
  icon: 'usmp.svg',
  paletteLabel: 'usmp out',
  label,
  labelStyle,
  inputLabels() {
    return this._('usmp-out.label.message');
  },
  oneditprepare() {
    fillIn(this, 'delivery', 'confirmed');
    fillIn(this, 'offline', 'queue');
    const delivery = $('#node-input-delivery');
    const explain = (): void => {
      const meaning =
        delivery.val() === 'sent' ? this._('usmp-out.explain.sent') : this._('usmp-out.explain.confirmed');
      $('#usmp-out-delivery-note').text(meaning);
    };
    delivery.on('change', explain);
    explain();
  },
});
