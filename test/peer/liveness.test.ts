import assert from 'node:assert/strict';
import { Liveness } from '../../src/peer/liveness.js';

const OFF = { keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 };
const CLIENT = { ...OFF, keepaliveMs: 30_000, pongTimeoutMs: 10_000 };
const SERVER = { ...OFF, sessionTimeoutMs: 60_000 };

/** Nothing is due before `at`, and this is at it. */
function assertDue(liveness: Liveness, at: number, what: 'ping' | 'dead'): void {
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
    assertDue(liveness, 40_000, 'dead');
  });

  it('counts from the first of several PINGs', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.pinged(5000);
    liveness.pinged(9000);
    liveness.sent(9000);
    assertDue(liveness, 15_000, 'dead');
  });

  it('takes any frame for a sign of life, and begins anew', () => {
    const liveness = new Liveness(CLIENT, 0);
    liveness.pinged(30_000);
    liveness.sent(30_000);
    liveness.received(39_999);
    assertDue(liveness, 60_000, 'ping');
    liveness.pinged(60_000);
    assertDue(liveness, 70_000, 'dead');
  });
});

describe('Liveness of a server', () => {
  it('gives a device up from which nothing came for 60 s, whatever was sent to it', () => {
    const liveness = new Liveness(SERVER, 0);
    liveness.received(10_000);
    for (let now = 10_000; now < 70_000; now += 1000) liveness.sent(now);
    assertDue(liveness, 70_000, 'dead');
  });

  it('sends no PINGs of its own, and does not count an unanswered one', () => {
    const liveness = new Liveness(SERVER, 0);
    liveness.pinged(1000);
    assertDue(liveness, 60_000, 'dead');
  });
});

describe('Liveness with rules turned off', () => {
  const table = [
    { title: 'all of them: nothing is ever due', times: OFF, deadline: Infinity, due: undefined },
    {
      title: 'keepalive: a PING that was asked for still counts',
      times: { ...OFF, pongTimeoutMs: 10_000 },
      deadline: 15_000,
      due: 'dead',
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
      due: 'dead',
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
