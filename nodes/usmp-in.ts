/** The node `usmp in`: every message from the gateway as a msg. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { useGateway } from './shared/client-node.js';
import { decodePayload, FORMATS, type Format } from './shared/payload.js';
import { translator } from './shared/text.js';

interface UsmpInDef extends NodeDef {
  client: string;
  topic?: string;
  format?: string;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function UsmpIn(this: Node, def: UsmpInDef): void {
    RED.nodes.createNode(this, def);
    const format: Format = FORMATS.find((each) => each === def.format) ?? 'auto';
    const gateway = useGateway(
      RED,
      this,
      def.client,
      {
        onMessage: (message) => {
          const msg = {
            payload: message as unknown,
            ...(def.topic && { topic: def.topic }),
            usmp: gateway?.origin,
          };
          try {
            msg.payload = decodePayload(message, format);
          } catch (error) {
            this.error(t('error.badJson', { reason: (error as Error).message }), msg);
            return;
          }
          this.send(msg);
        },
      },
      t,
    );
  }

  RED.nodes.registerType<Node, UsmpInDef, object, object>('usmp in', UsmpIn);
};
