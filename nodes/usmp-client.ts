/** The config node `usmp-client`: a gateway's address and key, and the one session that all its users share. */
import type { NodeAPI, NodeDef } from 'node-red';
import { USMPConnection, USMPError } from '../src/index.js';
import type { ConfigNode } from './shared/exchange/config-node.js';
import { isInFlows } from './shared/dialog/deployed.js';
import { blankDeviceId, deviceIdEndpoint } from './shared/dialog/device-id.js';
import { explain, reasonFor, StoreError } from './shared/words/explain.js';
import { ClientExchange } from './shared/exchange/client-exchange.js';
import { livesOf } from './shared/exchange/lives.js';
import { gatewaySettings, pskPurpose, readPsk, type ClientSettings } from './shared/dialog/settings.js';
import { persists, storesOf } from './shared/dialog/stores.js';
import { testConnection } from './shared/dialog/test-connection.js';
import { say, translator } from './shared/words/text.js';

interface UsmpClientNode extends ConfigNode {
  exchange: ClientExchange;
  /** What the stored PSK is there for, see `pskPurpose`; undefined when the settings are not usable. */
  pskPurpose?: string;
}

interface UsmpClientDef extends NodeDef, ClientSettings {
  autoConnect?: boolean;
  /** The context store that keeps the outbox over a restart; blank for none. */
  outboxStore?: string;
}

interface UsmpClientCredentials {
  psk?: string;
}

export = function (RED: NodeAPI): void {
  const t = translator(RED);
  const lives = livesOf(RED);

  function UsmpClient(this: UsmpClientNode, def: UsmpClientDef): void {
    RED.nodes.createNode(this, def);
    const { psk: stored } = this.credentials as UsmpClientCredentials;
    const inherited = lives.take(this.id);
    let connection: USMPConnection | USMPError;
    try {
      const { pskFormat, ...settings } = gatewaySettings(def, { deviceId: blankDeviceId(RED, this.id) });
      const { psk, hint } = readPsk(stored, pskFormat);
      const options = { ...settings, psk };
      // A session need not notice that its node was made anew.
      connection = inherited?.connection.isAlike(options)
        ? inherited.connection
        : new USMPConnection(options);
      this.pskPurpose = pskPurpose(connection.client, pskFormat);
      if (hint) this.warn(say(t, hint));
    } catch (error) {
      if (!(error instanceof USMPError)) throw error;
      connection = error;
      this.error(say(t, reasonFor(error)));
    }
    const store = storeOf(def.outboxStore ?? '');
    if (typeof store !== 'string') this.error(explain(t, store, undefined));
    const autoConnect = def.autoConnect !== false;
    this.exchange = new ClientExchange({
      node: this,
      t,
      lives,
      inherited,
      connection,
      autoConnect,
      store,
      isDeployed: () => isInFlows(RED, this),
    });
    this.on('close', (removed: boolean, done: () => void) => {
      void this.exchange.close(removed).then(done);
    });
  }

  /** The context store, or why it keeps nothing over a restart. */
  function storeOf(name: string): string | StoreError {
    if (name === '') return name;
    switch (persists((RED.settings as { contextStorage?: unknown }).contextStorage, name)) {
      case 'yes':
        return name;
      case 'no':
        return new StoreError('USMP_STORE_MEMORY', name);
      case 'unknown-name':
        return new StoreError('USMP_STORE_UNKNOWN', name);
    }
  }

  RED.nodes.registerType<UsmpClientNode, UsmpClientDef, object, UsmpClientCredentials>(
    'usmp-client',
    UsmpClient,
    {
      credentials: { psk: { type: 'password' } },
    },
  );
  RED.httpAdmin.get('/usmp/device-id', RED.auth.needsPermission('usmp-client.read'), deviceIdEndpoint(RED));
  RED.httpAdmin.post(
    '/usmp/test-connection',
    RED.auth.needsPermission('usmp-client.write'),
    testConnection(RED),
  );
  RED.httpAdmin.get('/usmp/stores', RED.auth.needsPermission('usmp-client.read'), (_request, response) => {
    response.json(storesOf((RED.settings as { contextStorage?: unknown }).contextStorage));
  });
};
