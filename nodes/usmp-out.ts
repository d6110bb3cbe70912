/** The node `usmp out`: msg.payload to the gateway, or msg.action for the session. */
import { types } from 'node:util';
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { DELIVERIES, MAX_MESSAGE_BYTES } from '../src/index.js';
import { noExchange, useExchange } from './shared/exchange/config-node.js';
import { FlowError } from './shared/words/explain.js';
import { OFFLINE } from './shared/exchange/exchange.js';
import { livesOf } from './shared/exchange/lives.js';
import { Teller } from './shared/exchange/outcome.js';
import { encodePayload, UnsendableError } from './shared/words/payload.js';
import { translator } from './shared/words/text.js';

interface UsmpOutDef extends NodeDef {
  client: string;
  delivery?: string;
  offline?: string;
}

interface UsmpOutMessage extends NodeMessage {
  action?: unknown;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function whyNot(error: unknown): string {
    if (!(error instanceof UnsendableError)) {
      return t('error.notJson', { reason: types.isNativeError(error) ? error.message : String(error) });
    }
    const { type, property } = error;
    return property === '' ? t('error.badPayload', { type }) : t('error.badPart', { type, property });
  }

  function bytesOf(payload: unknown): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = encodePayload(payload);
    } catch (error) {
      throw new FlowError(whyNot(error), 'USMP_ARGUMENT', error);
    }
    const { length: size } = bytes;
    if (size <= MAX_MESSAGE_BYTES) return bytes;
    throw new FlowError(t('error.tooLong', { size, max: MAX_MESSAGE_BYTES }), 'USMP_MESSAGE_TOO_LONG');
  }

  function UsmpOut(this: Node, def: UsmpOutDef): void {
    RED.nodes.createNode(this, def);
    const delivery = DELIVERIES.find((each) => each === def.delivery) ?? 'confirmed';
    const offline = OFFLINE.find((each) => each === def.offline) ?? 'queue';
    const exchange = useExchange(RED, this, def.client, {}, t);
    const teller = new Teller(RED, this, livesOf(RED), t);

    /** @returns whether the message is only kept, to be sent after a restart: then nothing more is heard of it here. */
    const handle = async (msg: UsmpOutMessage): Promise<boolean> => {
      if (!exchange) throw noExchange(RED, def.client, t);
      if (msg.action) {
        const action = typeof msg.action === 'string' ? exchange.actions.get(msg.action) : undefined;
        if (!action) {
          const actions = [...exchange.actions.keys()].join(', ');
          throw new FlowError(t('error.badAction', { actions }), 'USMP_ARGUMENT');
        }
        await action(msg);
        return false;
      }
      if (!('payload' in msg)) return false;
      return (await exchange.send(bytesOf(msg.payload), { offline, delivery })) === 'kept';
    };
    this.on('input', (msg, _send, done) => {
      if (teller.isSettled(msg, done)) return;
      handle(msg).then(
        (isKept) => {
          if (!isKept) teller.tell(msg, done);
        },
        (error: unknown) => teller.tell(msg, done, error as Error),
      );
    });
  }

  RED.nodes.registerType<Node, UsmpOutDef, object, object>('usmp out', UsmpOut);
};
