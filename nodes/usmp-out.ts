/** The node `usmp out`: msg.payload to the gateway, or msg.action for the session. */
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { DELIVERIES } from '../src/index.js';
import { useGateway } from './shared/client-node.js';
import { OFFLINE, type Gateway } from './shared/gateway.js';
import { encodePayload } from './shared/payload.js';
import { translator } from './shared/text.js';

interface UsmpOutDef extends NodeDef {
  client: string;
  delivery?: string;
  offline?: string;
}

interface UsmpOutMessage extends NodeMessage {
  action?: unknown;
  stats?: unknown;
}

/** What msg.action may ask for. */
const ACTIONS = new Map<string, (gateway: Gateway, msg: UsmpOutMessage) => Promise<void> | void>([
  ['connect', (gateway) => gateway.connect()],
  ['disconnect', (gateway) => gateway.disconnect()],
  ['rekey', (gateway) => gateway.rekey()],
  [
    'stats',
    (gateway, msg) => {
      msg.stats = gateway.stats;
    },
  ],
]);

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function UsmpOut(this: Node, def: UsmpOutDef): void {
    RED.nodes.createNode(this, def);
    const delivery = DELIVERIES.find((each) => each === def.delivery) ?? 'confirmed';
    const offline = OFFLINE.find((each) => each === def.offline) ?? 'queue';
    const gateway = useGateway(RED, this, def.client, {}, t);

    const handle = async (msg: UsmpOutMessage): Promise<void> => {
      if (!gateway) throw new Error(t('error.noClient'));
      if (msg.action !== undefined) {
        const action = typeof msg.action === 'string' ? ACTIONS.get(msg.action) : undefined;
        if (!action) throw new Error(t('error.badAction', { actions: [...ACTIONS.keys()].join(', ') }));
        await action(gateway, msg);
        return;
      }
      if (!('payload' in msg)) return;
      const bytes = encodePayload(msg.payload);
      if (!bytes) throw new Error(t('error.badPayload', { type: typeof msg.payload }));
      await gateway.send(bytes, offline, delivery);
    };
    this.on('input', (msg, _send, done) => {
      handle(msg).then(() => done(), done);
    });
  }

  RED.nodes.registerType<Node, UsmpOutDef, object, object>('usmp out', UsmpOut);
};
