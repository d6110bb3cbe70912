/** The config node `usmp-client` in the editor. */
import { prepareDialog } from './client-dialog.js';
import { checkedFormat, checkedLongestWait, checkedPsk, closed } from './client-form.js';
import { hostAndPort } from '../shared/dialog/rules.js';
import { checked } from './form.js';
import { watchStoredPsks } from './stored-psks.js';
import { checkedStore, watchStores } from './stores.js';

interface UsmpClient extends EditorNode {
  readonly host?: string;
  readonly port?: string;
  readonly protocol?: string;
}

watchStoredPsks();
void watchStores();

RED.nodes.registerType<UsmpClient>('usmp-client', {
  category: 'config',
  defaults: {
    name: { value: '' },
    host: { value: '', validate: checked('host') },
    port: { value: '9000', validate: checked('port') },
    protocol: { value: 'tcp', validate: checked('protocol') },
    deviceId: { value: '', validate: checked('deviceId') },
    suite: { value: 'aes-256-gcm', validate: checked('suite') },
    pskFormat: { value: 'text', validate: checkedFormat },
    keepalive: { value: '30', validate: checked('keepalive') },
    autoConnect: { value: true },
    connectTimeout: { value: '10', validate: checked('connectTimeout') },
    handshakeTimeout: { value: '10', validate: checked('handshakeTimeout') },
    retryMin: { value: '2', validate: checked('retryMin') },
    retryMax: { value: '60', validate: checkedLongestWait },
    retryJitter: { value: '20', validate: checked('retryJitter') },
    outboxCount: { value: '1000', validate: checked('outboxCount') },
    outboxSize: { value: '1024', validate: checked('outboxSize') },
    outboxAge: { value: '0', validate: checked('outboxAge') },
    outboxStore: { value: '', validate: checkedStore },
    rekeyAfter: { value: '0', validate: checked('rekeyAfter') },
    rekeyFrames: { value: '0', validate: checked('rekeyFrames') },
  },
  credentials: {
    psk: { type: 'password', validate: checkedPsk },
  },
  label() {
    const { name, host, protocol = 'tcp', port = '' } = this;
    if (name) return name;
    if (!host) return 'usmp-client';
    const address = hostAndPort(host.replace(/^\[|\]$/g, ''), port === '' ? '9000' : port);
    return `${protocol}://${address}`;
  },
  oneditprepare() {
    prepareDialog(this);
  },
  oneditsave: closed,
  oneditcancel: closed,
  oneditdelete: closed,
});
