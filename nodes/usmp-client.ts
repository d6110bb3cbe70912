/** The config node `usmp-client`: a gateway's address and key, and the one session that all its users share. */
import type { NodeAPI, NodeDef } from 'node-red';
import { USMPConnection, USMPError } from '../src/index.js';
import type { UsmpClientNode } from './shared/client-node.js';
import { reasonFor } from './shared/explain.js';
import { Gateway } from './shared/gateway.js';
import { connectionOptions, type ClientSettings } from './shared/settings.js';
import { storesOf } from './shared/stores.js';
import { testConnection } from './shared/test-connection.js';
import { say, translator } from './shared/text.js';

interface UsmpClientDef extends NodeDef, Omit<ClientSettings, 'id'> {
  autoConnect?: boolean;
  /** The context store that keeps the outbox over a restart; blank for none. */
  outboxStore?: string;
}

interface UsmpClientCredentials {
  psk?: string;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);

  function UsmpClient(this: UsmpClientNode, def: UsmpClientDef): void {
    RED.nodes.createNode(this, def);
    const { psk } = this.credentials as UsmpClientCredentials;
    let connection: USMPConnection | USMPError;
    try {
      connection = new USMPConnection(connectionOptions(def, psk));
    } catch (error) {
      if (!(error instanceof USMPError)) throw error;
      connection = error;
      this.error(say(t, reasonFor(error)));
    }
    this.gateway = new Gateway({
      node: this,
      t,
      connection,
      autoConnect: def.autoConnect !== false,
      store: def.outboxStore ?? '',
    });
    this.on('close', (done: () => void) => {
      void this.gateway.close().then(done);
    });
  }

  RED.nodes.registerType<UsmpClientNode, UsmpClientDef, object, UsmpClientCredentials>(
    'usmp-client',
    UsmpClient,
    {
      credentials: { psk: { type: 'password' } },
    },
  );
  RED.httpAdmin.post(
    '/usmp/test-connection',
    RED.auth.needsPermission('usmp-client.write'),
    testConnection(RED),
  );
  RED.httpAdmin.get('/usmp/stores', RED.auth.needsPermission('usmp-client.read'), (_request, response) => {
    response.json(storesOf((RED.settings as { contextStorage?: unknown }).contextStorage));
  });
};
