/** The node `usmp out`: msg.payload to the gateway. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { useGateway } from './shared/client-node.js';
import { encodePayload } from './shared/payload.js';
import { translator } from './shared/text.js';

interface UsmpOutDef extends NodeDef {
  client: string;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function UsmpOut(this: Node, def: UsmpOutDef): void {
    RED.nodes.createNode(this, def);
    const gateway = useGateway(RED, this, def.client, {}, t);

    const deliver = async (msg: object): Promise<void> => {
      if (!('payload' in msg)) return;
      if (!gateway) throw new Error(t('error.noClient'));
      const bytes = encodePayload(msg.payload);
      if (!bytes) throw new Error(t('error.badPayload', { type: typeof msg.payload }));
      await gateway.send(bytes);
    };
    this.on('input', (msg, _send, done) => {
      deliver(msg).then(() => done(), done);
    });
  }

  RED.nodes.registerType<Node, UsmpOutDef, object, object>('usmp out', UsmpOut);
};
