import assert from 'node:assert/strict';
import { gatewayUrl } from '../../nodes/shared/text.js';

describe('the URL of a gateway', () => {
  for (const [host, url] of [
    ['gw.local', 'tcp://gw.local:9000'],
    ['127.0.0.1', 'tcp://127.0.0.1:9000'],
    ['::1', 'tcp://[::1]:9000'],
    ['fe80::1%eth0', 'tcp://[fe80::1%eth0]:9000'],
  ] as const) {
    it(`is ${url} for the host ${host}`, () => {
      assert.equal(gatewayUrl('tcp', host, 9000), url);
    });
  }
});
