/** What a flow asks for with msg.action, in a real Node-RED. */
import assert from 'node:assert/strict';
import { PROTOCOLS } from '../../src/index.js';
import {
  CATCH,
  CAUGHT,
  gatewayNode,
  OUT,
  ProbedGateway,
  ProbedNodeRed,
  TAB,
} from '../support/probed-node-red.js';

describe('msg.action in Node-RED', function () {
  this.timeout(60_000);
  let red: ProbedNodeRed;
  let gateway: ProbedGateway;

  before(async () => {
    red = await ProbedNodeRed.make();
    await red.start();
  });
  after(() => red.remove());
  beforeEach(() => red.forget());
  afterEach(() => gateway.server.close());

  /** Answers one msg with both actions. */
  const TWICE = {
    id: 'twice',
    z: 'tab',
    type: 'function',
    outputs: 1,
    func: `return [[{ action: 'disconnect' }, { action: 'connect' }]];`,
    wires: [['out']],
  };

  for (const protocol of PROTOCOLS) {
    it(`ends up connected after disconnect and connect from one Function call, over ${protocol}`, async () => {
      gateway = await new ProbedGateway(protocol).listen();
      await red.deploy([TAB, gatewayNode(gateway.port, { protocol }), OUT, TWICE, CATCH, CAUGHT]);
      await red.status('out', '^connected$');
      for (let sessions = 1; sessions <= 5; sessions++) {
        await gateway.until(({ server }) => server.sessions.size === 1);
        await red.receive('twice', {});
        await red.seen('done', 'out', 2 * sessions);
        await gateway.until(() => gateway.sessions.length === sessions + 1);
      }
      const done = await red.seen('done', 'out');
      assert.deepEqual(
        done.filter(({ error }) => error),
        [],
      );
    });
  }
});
