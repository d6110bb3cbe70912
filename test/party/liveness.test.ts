import assert from 'node:assert/strict';
import { Liveness } from '../../src/party/liveness.js';

const OFF = { keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 };
const CLIENT = { ...OFF, keepaliveMs: 30_000, pongTimeoutMs: 10_000 };
const SERVER = { ...OFF, sessionTimeoutMs: 60_000 };

/** Nothing is due before `at`, and this is at it. */
function assertDue(liveness: Liveness, at: number, what: 'ping' | 'unanswered' | 'silent'): void {
  assert.equal(liveness.deadline, at);
  assert.equal(liveness.due(at - 1), undefined);
  assert.equal(liveness.due(at), what);
}

describe('Liveness of a client (protocol §3.5)', () => {
  it('wants a PING after 30 s', () => {
    assertDue(new Liveness(CLIENT, 1000), 31_000, 'ping');
  });

  it('wants a PING when nothing was sent, though much came', () => {
    const liveness = new Liveness(CLIENT, 0);
    for (let now = 0; now <= 29_000; now += 1000) liveness.received(now);
    assertDue(liveness, 30_000, 'ping');
  });

  it('wants a PING when nothing came, though much was sent', () => {
    const liveness = new Liveness(CLIENT, 0);
    for (let now = 0; now <= 29_000; now += 1000) liveness.sent(now);
    assertDue(liveness, 30_000, 'ping');
  });

  it('wants none while frames go both ways', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.sent(20_000);
    liveness.received(25_000);
    assertDue(liveness, 50_000, 'ping');
  });

  it('gives a PING 10 s, and asks for no other meanwhile', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.pinged(30_000);
    assert.equal(liveness.due(39_999), undefined);
    assertDue(liveness, 40_000, 'unanswered');
  });

  it('counts from the first of several PINGs', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.pinged(5000);
    liveness.pinged(9000);
    liveness.sent(9000);
    assertDue(liveness, 15_000, 'unanswered');
  });

  it('does not take another frame for the answer to a PING', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.pinged(30_000);
    for (let now = 30_000; now < 40_000; now += 100) liveness.received(now);
    assertDue(liveness, 40_000, 'unanswered');
  });

  it('counts again from the oldest PING that is left when a PONG comes', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.pinged(30_000);
    liveness.sent(30_000);
    liveness.received(31_000);
    liveness.ponged(30_500);
    assertDue(liveness, 40_500, 'unanswered');
    liveness.ponged(undefined);
    assertDue(liveness, 60_000, 'ping');
  });
});

describe('Liveness while this side does not listen', () => {
  it('takes the silence for its own, and counts anew when it listens again', () => {
    const client = new Liveness(CLIENT, 0);
    client.pinged(30_000);
    client.setListening(false, 31_000);
    assert.equal(client.due(100_000), 'ping');
    client.sent(100_000);
    client.setListening(true, 110_000);
    client.ponged(30_000); // of an older PING than the one before
    assertDue(client, 120_000, 'unanswered');

    const server = new Liveness(SERVER, 0);
    server.setListening(false, 10_000);
    assert.equal(server.deadline, Infinity);
    server.setListening(true, 110_000);
    assertDue(server, 170_000, 'silent');
  });

  it('goes on sending PINGs, as the gateway ends a session in which nothing comes', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.setListening(false, 0);
    for (const now of [30_000, 60_000, 90_000]) {
      assertDue(liveness, now, 'ping');
      liveness.pinged(now);
      liveness.sent(now);
    }
  });
});

describe('Liveness of a server', () => {
  it('gives a device up from which nothing came for 60 s, whatever was sent to it', () => {
    const liveness = new Liveness(SERVER, 0);
    liveness.received(10_000);
    for (let now = 10_000; now < 70_000; now += 1000) liveness.sent(now);
    assertDue(liveness, 70_000, 'silent');
  });

  it('sends no PINGs of its own, and does not count an unanswered one', () => {
    const liveness = new Liveness(SERVER, 0);
    liveness.pinged(1000);
    assertDue(liveness, 60_000, 'silent');
  });
});

describe('Liveness with rules turned off', () => {
  const table = [
    { title: 'all of them: nothing is ever due', times: OFF, deadline: Infinity, due: undefined },
    {
      title: 'keepalive: a PING that was asked for still counts',
      times: { ...OFF, pongTimeoutMs: 10_000 },
      deadline: 15_000,
      due: 'unanswered',
    },
    {
      title: 'the time for PONG: no PING is waited for, and no other follows it',
      times: { ...OFF, keepaliveMs: 30_000 },
      deadline: Infinity,
      due: undefined,
    },
    {
      title: 'none: the earlier end counts',
      times: { keepaliveMs: 1000, pongTimeoutMs: 10_000, sessionTimeoutMs: 12_000 },
      deadline: 12_000,
      due: 'unanswered',
    },
  ];
  for (const { title, times, deadline, due } of table) {
    it(title, () => {
      const liveness = new Liveness(times, 0);
      liveness.pinged(5000);
      assert.equal(liveness.deadline, deadline);
      assert.equal(liveness.due(1e12), due);
    });
  }
});
