/** How long a deploy may have to wait for a config node, whatever the gateway does, or does not do. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Node } from 'node-red';
import { ClientExchange } from '../../nodes/shared/exchange/client-exchange.js';
import { Lives } from '../../nodes/shared/exchange/lives.js';
import { PROTOCOLS, USMPConnection } from '../../src/index.js';
import { FakeClock, settle } from '../support/clock.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';

const SECOND = 1000;
const LIMIT_MS = 1_000;

const CASES: Record<string, (gateway: MemoryGateway, clock: FakeClock) => Promise<void> | void> = {
  'that answers': () => undefined,
  'whose port is closed': (gateway) => void (gateway.mode = 'refusing'),
  'that cannot be reached': (gateway) => void (gateway.mode = 'unreachable'),
  'that is silent': (gateway) => void (gateway.mode = 'silent'),
  'that has gone dark': async (gateway, clock) => {
    await clock.advance(SECOND);
    gateway.lost = { toGateway: true, toClient: true };
  },
  'that reads no more': async (gateway, clock) => {
    await clock.advance(SECOND);
    gateway.stalled = true;
  },
};

for (const protocol of PROTOCOLS) {
  describe(`the config node of a gateway over ${protocol}`, () => {
    for (const [what, happen] of Object.entries(CASES)) {
      it(`${what} closes in good time`, async () => {
        const clock = new FakeClock();
        const far = new MemoryGateway(clock);
        const connection = new USMPConnection({ host: 'gateway', psk: PSK, protocol }, far.environment);
        const ignore = (): void => undefined;
        const gateway = new ClientExchange({
          node: { id: 'gw', log: ignore, warn: ignore } as unknown as Node,
          t: (key) => key,
          lives: new Lives(new EventEmitter()),
          inherited: undefined,
          connection,
          autoConnect: true,
          store: '',
          isDeployed: () => true,
        });
        gateway.attach({ onStatus: ignore });
        await happen(far, clock);
        const sending = gateway
          .send(Buffer.from('x'), { offline: 'queue', delivery: 'confirmed' })
          .catch(ignore);
        await settle();
        const closing = gateway.close(false);
        await clock.advance(LIMIT_MS);
        await closing;
        await sending;
        assert.equal(connection.state.at, 'idle');
      });
    }
  });
}
