/** The node `usmp in`: every message from the gateway as a msg. */
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { useExchange } from './shared/exchange/config-node.js';
import { FlowError } from './shared/words/explain.js';
import { decodePayload, FORMATS, type Format } from './shared/words/payload.js';
import { translator } from './shared/words/text.js';

interface UsmpInDef extends NodeDef {
  client: string;
  topic?: string;
  format?: string;
  /** Session events on a second output. */
  events?: boolean;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function UsmpIn(this: Node, def: UsmpInDef): void {
    RED.nodes.createNode(this, def);
    const format: Format = FORMATS.find((each) => each === def.format) ?? 'auto';
    useExchange(
      RED,
      this,
      def.client,
      {
        onMessage: (message, origin) => {
          const msg = {
            payload: message as unknown,
            ...(def.topic && { topic: def.topic }),
            usmp: origin,
          };
          try {
            msg.payload = decodePayload(message, format);
          } catch (error) {
            const reason = (error as Error).message;
            this.error(new FlowError(t('error.badJson', { reason }), 'USMP_PAYLOAD', error), msg);
            return;
          }
          this.send(msg);
        },
        onEvent: (event, origin) => {
          if (def.events) this.send([null, { topic: event.event, payload: event, usmp: origin }]);
        },
      },
      t,
    );
  }

  RED.nodes.registerType<Node, UsmpInDef, object, object>('usmp in', UsmpIn);
};
