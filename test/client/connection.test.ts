import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { USMPConnection } from '../../src/client/connection.js';
import type { ConnectionState } from '../../src/client/redial.js';
import type { ConnectionOptions } from '../../src/client/connection-options.js';
import { FakeClock, settle } from '../support/clock.js';
import { MemoryGateway, PSK } from '../support/memory-gateway.js';

const SECOND = 1000;

function world(options: Partial<ConnectionOptions> = {}, psk = PSK) {
  const clock = new FakeClock();
  const gateway = new MemoryGateway(clock, psk);
  const connection = new USMPConnection({ host: 'gateway', psk: PSK, ...options }, gateway.environment);
  const states: ConnectionState[] = [];
  connection.on('state', (state) => states.push(state));
  return { clock, gateway, connection, states, path: () => states.map(({ at }) => at).join(' ') };
}

const within = (value: number, expected: number, share: number): boolean =>
  value >= expected * (1 - share) - 1 && value <= expected * (1 + share) + 1;

for (const protocol of ['tcp', 'udp'] as const) {
  describe(`a connection that stays up, over ${protocol}`, () => {
    it('goes from connecting over handshaking to established, and stops with BYE', async () => {
      const { clock, gateway, connection, path } = world({ protocol });
      connection.start();
      await settle();
      assert.equal(path(), 'connecting handshaking established');
      const server = gateway.sessions[0]!;
      await connection.stop();
      assert.equal((await server.closed)?.code, 'USMP_BYE');
      assert.equal(path(), 'connecting handshaking established closing idle');
      assert.equal(clock.pending, 0, 'no timer is left');
    });

    it('shows a session as established only after a frame of the gateway was authenticated', async () => {
      const { clock, gateway, connection, states } = world({ protocol });
      connection.on('state', ({ at }) => {
        // The handshake passes, and then nothing of the gateway's comes through any more.
        if (at === 'handshaking') gateway.onEstablished = () => (gateway.lost.toClient = true);
      });
      connection.start();
      await clock.advance(9 * SECOND);
      assert.equal(connection.state.at, 'handshaking');
      await clock.advance(2 * SECOND);
      assert.ok(!states.some(({ at }) => at === 'established'));
      await connection.stop();
      await clock.advance(SECOND);
    });

    it('waits longer after each failure, within the jitter, up to the limit', async () => {
      const { clock, gateway, connection } = world({ protocol, retryJitter: 20 });
      gateway.mode = 'refusing';
      connection.start();
      await clock.advance(400 * SECOND);
      const gaps = gateway.dials.slice(1).map((at, i) => at - gateway.dials[i]!);
      [2, 4, 8, 16, 32, 50, 50].forEach((seconds, i) => {
        assert.ok(within(gaps[i]!, seconds * SECOND, 0.2), `gap ${i + 1} is ${gaps[i]} ms`);
      });
      assert.ok(gaps.every((gap) => gap <= 60 * SECOND));
      await connection.stop();
      assert.equal(clock.pending, 0);
    });

    it('begins anew with the first delay once a session has lived for some seconds', async () => {
      const { clock, gateway, connection, states } = world({ protocol, retryJitter: 0 });
      gateway.mode = 'refusing';
      connection.start();
      await clock.advance(20 * SECOND);
      gateway.mode = 'up';
      await clock.advance(40 * SECOND);
      assert.equal(connection.state.at, 'established');
      gateway.sessions
        .at(-1)!
        .close(100)
        .catch(() => undefined);
      await settle();
      const last = states.at(-1)!;
      assert.equal(last.at === 'waiting' && last.retryInMs, 2 * SECOND);
      await connection.stop();
    });

    it('says why a session ended that ended at once', async () => {
      const { clock, gateway, connection, states } = world({ protocol });
      gateway.onEstablished = () => void gateway.sessions.at(-1)!.close(100);
      connection.start();
      await clock.advance(SECOND);
      const waiting = states.find(({ at }) => at === 'waiting');
      // Over TCP the connection may be gone before BYE was read.
      assert.match((waiting?.at === 'waiting' && waiting.reason.code) || '', /^USMP_(BYE|NEVER_PROVEN)$/);
      await connection.stop();
      await clock.advance(SECOND);
    });

    it('does not hammer a gateway that completes handshakes and drops the session', async () => {
      const { clock, gateway, connection } = world({ protocol, retryJitter: 0 });
      connection.on('state', ({ at }) => {
        if (at === 'established') void gateway.sessions.at(-1)!.close(100);
      });
      connection.start();
      await clock.advance(120 * SECOND);
      assert.ok(gateway.dials.length <= 7, `${gateway.dials.length} attempts in two minutes`);
      await connection.stop();
    });

    it('waits the longest delay at once when the PSK was rejected, and says so', async () => {
      const { clock, gateway, connection, states } = world(
        { protocol, retryJitter: 0 },
        'another key of 16+ bytes',
      );
      connection.start();
      await clock.advance(15 * SECOND);
      const waiting = states.find(({ at }) => at === 'waiting');
      assert.equal(waiting?.at === 'waiting' && waiting.reason.code, 'USMP_PSK_REJECTED');
      assert.equal(waiting?.at === 'waiting' && waiting.retryInMs, 60 * SECOND);
      assert.equal(gateway.dials.length, 1);
      await connection.stop();
    });

    it('refuses to ping without a session and says why there is none', async () => {
      const { clock, gateway, connection } = world({ protocol });
      gateway.mode = 'refusing';
      connection.start();
      await clock.advance(0);
      await assert.rejects(connection.ping(), {
        name: 'NotConnectedError',
        message: /connection refused/,
      });
      await connection.stop();
    });

    it('notices a gateway that falls silent within keepalive and pong timeout', async () => {
      const { clock, gateway, connection, states } = world({ protocol });
      connection.start();
      await settle();
      gateway.lost = { toGateway: true, toClient: true };
      await clock.advance(39 * SECOND);
      assert.equal(connection.state.at, 'established');
      await clock.advance(2 * SECOND);
      const waiting = states.at(-1)!;
      assert.match((waiting.at === 'waiting' && waiting.reason.code) || '', /USMP_(DEAD|NO_ACK)/);
      gateway.lost = { toGateway: false, toClient: false };
      await clock.advance(3 * SECOND);
      assert.equal(connection.state.at, 'established');
      await connection.stop();
    });

    it('can be stopped in every state, and started again', async () => {
      const { clock, gateway, connection, path } = world({ protocol });
      for (const mode of ['up', 'refusing', 'unreachable', 'silent'] as const) {
        gateway.mode = mode;
        connection.start();
        await settle();
        await connection.stop();
        await connection.stop();
        assert.equal(connection.state.at, 'idle', mode);
        assert.equal(clock.pending, 0, mode);
      }
      connection.start();
      void connection.stop();
      await settle();
      assert.equal(connection.state.at, 'idle');
      assert.ok(path().length > 0);
    });
  });
}

describe('a connection that stays up', () => {
  it('never shows its key', () => {
    const { connection } = world();
    for (const text of [inspect(connection, { depth: 9, showHidden: true }), JSON.stringify(connection)]) {
      assert.ok(!text.includes(PSK) && !text.includes(Buffer.from(PSK).toString('hex')), text);
    }
  });

  it('notices a gateway that stops reading', async () => {
    const { clock, gateway, connection, states } = world();
    connection.start();
    await settle();
    gateway.stalled = true;
    connection.send('x').catch(() => undefined);
    await clock.advance(41 * SECOND);
    const waiting = states.at(-1)!;
    assert.equal(waiting.at === 'waiting' && waiting.reason.code, 'USMP_DEAD');
    await connection.stop();
  });
});

describe('a connection that is closed', () => {
  it('is not opened again from inside the change of state that this is', async () => {
    const { clock, gateway, connection } = world();
    connection.start();
    await settle();
    let refusal: unknown;
    connection.on('state', () => {
      try {
        connection.start();
      } catch (error) {
        refusal = error;
      }
    });
    await Promise.all([connection.close(), clock.advance(SECOND)]);
    await clock.advance(SECOND);
    assert.match(String(refusal), /closed for good/);
    assert.deepEqual([connection.state.at, gateway.dials.length, clock.pending], ['idle', 1, 0]);
  });
});

describe('a connection that is on hold', () => {
  it('tells the session of each message, also when that is over by the time that it is handed out', async () => {
    const { clock, gateway, connection, states } = world();
    gateway.onMessage = () => undefined;
    const told: string[] = [];
    connection.on('message', (message, { sessionId }) => told.push(`${message.toString()} ${sessionId}`));
    connection.hold();
    connection.start();
    await settle();
    for (let i = 1; i <= 300; i++) void gateway.sessions[0]!.send(Buffer.from(String(i)));
    await clock.advance(SECOND);
    gateway.mode = 'refusing';
    await gateway.sessions[0]!.close(100);
    await clock.advance(0);
    assert.equal(connection.state.at, 'waiting');
    connection.release();
    await clock.advance(0);
    const { sessionId } = states.find(({ at }) => at === 'established') as { sessionId: string };
    assert.equal(told.at(-1), `${told.length} ${sessionId}`);
    assert.ok(told.length > 256 && told.every((each) => each.endsWith(sessionId)), `${told.length}`);
    await connection.stop();
  });
});

describe('a connection that is handed over to one that is closed', () => {
  it('gives it nothing of what has arrived', async () => {
    const { clock, gateway, connection } = world();
    connection.hold();
    connection.start();
    await settle();
    void gateway.sessions[0]!.send(Buffer.from('waits'));
    await settle();
    assert.equal(connection.stats.received, 1);
    const heir = world().connection;
    let given = 0;
    heir.on('message', () => (given += 1));
    await heir.close();
    await Promise.all([connection.handOver(heir), clock.advance(SECOND)]);
    assert.deepEqual([given, heir.stats.received], [0, 0]);
  });
});
