/** The node `usmp ping`: asks the gateway for a sign of life, and tells the round-trip time. */
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { USMPError } from '../src/index.js';
import { noExchange, useExchange } from './shared/exchange/config-node.js';
import { reasonFor } from './shared/words/explain.js';
import { pingInterval } from './shared/dialog/settings.js';
import { say, translator } from './shared/words/text.js';

interface UsmpPingDef extends NodeDef {
  client: string;
  interval?: string | number;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function UsmpPing(this: Node, def: UsmpPingDef): void {
    RED.nodes.createNode(this, def);
    const exchange = useExchange(RED, this, def.client, {}, t);
    let isClosed = false;
    this.on('close', () => (isClosed = true));

    const ping = async (msg: NodeMessage): Promise<NodeMessage> => {
      if (!exchange) throw noExchange(RED, def.client, t);
      const { rtt, origin } = await exchange.ping();
      const payload = Math.round(rtt * 1000) / 1000;
      const text = t('status.rtt', { ms: Math.round(rtt * 10) / 10 });
      if (!isClosed) this.status({ fill: 'green', shape: 'dot', text });
      return { ...msg, payload, usmp: origin };
    };
    this.on('input', (msg, send, done) => {
      ping(msg).then((reply) => {
        send(reply);
        done();
      }, done);
    });

    let seconds = 0;
    try {
      seconds = pingInterval(def.interval);
    } catch (error) {
      if (!(error instanceof USMPError)) throw error;
      this.error(say(t, reasonFor(error)));
    }
    if (seconds === 0) return;
    // While there is no session the status says so; a PING then would only repeat it as an error.
    const timer = setInterval(() => {
      if (!exchange?.isConnected) return;
      ping({}).then(
        (msg) => this.send(msg),
        (error: unknown) => this.error(error, {}),
      );
    }, seconds * 1000);
    this.on('close', () => clearInterval(timer));
  }

  RED.nodes.registerType<Node, UsmpPingDef, object, object>('usmp ping', UsmpPing);
};
