import assert from 'node:assert/strict';
import { USMPServer } from '../../src/index.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { systemEnvironment } from '../../src/client/options.js';
import { dialUdp, udpDialer, type Lookup } from '../../src/transport/udp.js';

const PSK = 'a key for several addresses';

describe('a gateway name with several addresses, over udp', () => {
  it('is tried at the next one after an attempt has failed, looked up anew each time', async () => {
    const server = new USMPServer({ host: '127.0.0.1', port: 0, psk: PSK, protocol: 'udp' });
    await server.listen();
    let lookups = 0;
    const lookup: Lookup = (host, callback) => {
      lookups += 1;
      assert.equal(host, 'gateway.test');
      const addresses = ['127.0.0.9', '127.0.0.1'].map((address) => ({ address, family: 4 }));
      queueMicrotask(() => callback(null, addresses));
    };
    const client = new USMPClient(
      { host: 'gateway.test', port: server.port!, psk: PSK, protocol: 'udp' },
      { ...systemEnvironment, dial: { ...systemEnvironment.dial, udp: udpDialer(lookup) } },
    );
    await assert.rejects(client.connect(), { code: 'USMP_CONNECTION_REFUSED' });
    for (const round of [1, 2]) {
      await client.connect();
      assert.ok(client.connected, `round ${round}`);
      await client.disconnect();
    }
    assert.equal(lookups, 3);
    await server.close();
  });

  it('that has none is reported as not found', async () => {
    const none: Lookup = (_host, callback) => queueMicrotask(() => callback(null, []));
    const client = new USMPClient(
      { host: 'nowhere.test', psk: PSK, protocol: 'udp' },
      { ...systemEnvironment, dial: { ...systemEnvironment.dial, udp: udpDialer(none) } },
    );
    await assert.rejects(client.connect(), { code: 'USMP_HOST_NOT_FOUND' });
  });

  it('to which the system has no way fails with what the system says', async () => {
    // A UDP socket may not be connected to the address of everybody.
    const addresses = [{ address: '255.255.255.255', family: 4 }];
    const everybody: Lookup = (_host, callback) => queueMicrotask(() => callback(null, addresses));
    const client = new USMPClient(
      { host: 'everybody.test', psk: PSK, protocol: 'udp' },
      { ...systemEnvironment, dial: { ...systemEnvironment.dial, udp: udpDialer(everybody) } },
    );
    await assert.rejects(client.connect(), { code: /^USMP_(CONNECT_FAILED|UNREACHABLE)$/ });
    await client.disconnect();
  });

  it('is known to be looked up still, or to have been', async () => {
    let answer!: () => void;
    const lookup: Lookup = (_host, callback) =>
      (answer = () => callback(null, [{ address: '127.0.0.1', family: 4 }]));
    let isOpen!: () => void;
    const opened = new Promise<void>((resolve) => (isOpen = resolve));
    let isClosed!: () => void;
    const closed = new Promise<void>((resolve) => (isClosed = resolve));
    const nothing = (): void => undefined;
    const transport = udpDialer(lookup)(
      { host: 'gateway.test', port: 9, failures: 0 },
      { open: isOpen, data: nothing, drain: nothing, fault: nothing, closed: isClosed },
    );
    assert.equal(transport.isResolving, true);
    answer();
    assert.equal(transport.isResolving, false);
    await opened;
    transport.close(0);
    await closed;
  });

  it('is looked up by the system otherwise', async () => {
    const closed = new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      const target = { host: 'does-not-exist.invalid', port: 9, failures: 0 };
      const nothing = (): void => undefined;
      dialUdp(target, { open: nothing, data: nothing, drain: nothing, fault: nothing, closed: resolve });
    });
    assert.match((await closed)?.code ?? '', /ENOTFOUND|EAI_AGAIN/);
  });
});
