import assert from 'node:assert/strict';
import { networkOf } from '../../src/server/network.js';

const ROWS: readonly (readonly [address: string, network: string])[] = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
  ['::ffff:255.0.0.9', '255.0.0.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::9', '2001:db8:1:3::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['::192.0.2.1', '0:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1', 'fe80:0:0:0::/64'],
  ['fe80::2%eth0', 'fe80:0:0:0::/64'],
  ['fe80::3%25', 'fe80:0:0:0::/64'],
  ['no address', 'no address'],
  ['', ''],
];

describe('the network that an address stands for', () => {
  for (const [address, network] of ROWS) {
    it(`of ${address || 'nothing'} is ${network || 'nothing'}`, () => {
      assert.equal(networkOf(address), network);
    });
  }
});
