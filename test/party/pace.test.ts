import assert from 'node:assert/strict';
import { Pace } from '../../src/party/pace.js';

function after(...times: readonly number[]): Pace {
  const pace = new Pace();
  for (const at of times) pace.controlSent(at);
  return pace;
}

describe('the pace of control frames (protocol §3.5)', () => {
  const table: { sent: number[]; pingAt: number; pongAt: number }[] = [
    { sent: [], pingAt: -Infinity, pongAt: -Infinity },
    { sent: [0, 0, 0], pingAt: -Infinity, pongAt: -Infinity },
    { sent: [10, 20, 30, 40], pingAt: 1_010, pongAt: -Infinity },
    { sent: [10, 20, 30, 40, 50], pingAt: 1_020, pongAt: -Infinity },
    { sent: [10, 20, 30, 40, 50, 60], pingAt: 1_030, pongAt: -Infinity },
    { sent: [10, 20, 30, 40, 50, 60, 70], pingAt: 1_040, pongAt: 1_010 },
    { sent: [10, 20, 30, 40, 50, 60, 70, 1_010], pingAt: 1_050, pongAt: 1_020 },
    { sent: [0, 0, 0, 0, 1_000], pingAt: -Infinity, pongAt: -Infinity },
    { sent: [0, 0, 0, 1, 1_000], pingAt: -Infinity, pongAt: -Infinity },
    { sent: [0, 1, 1, 1, 1_000], pingAt: 1_001, pongAt: -Infinity },
  ];
  for (const { sent, pingAt, pongAt } of table) {
    it(`after ${sent.length} at ${sent.join(', ') || 'no time'}: PING from ${pingAt}, PONG from ${pongAt}`, () => {
      const pace = after(...sent);
      assert.deepEqual([pace.pingAt, pace.pongAt], [pingAt, pongAt]);
    });
  }

  it('begins anew after a message, from which the peer counts', () => {
    const pace = after(0, 0, 0, 0, 0, 0, 0);
    pace.messageSent();
    assert.deepEqual([pace.pingAt, pace.pongAt], [-Infinity, -Infinity]);
    for (let i = 0; i < 4; i++) pace.controlSent(5);
    assert.deepEqual([pace.pingAt, pace.pongAt], [1_005, -Infinity]);
  });

  it('never lets more than eight of both out within any second, whatever is asked for', () => {
    const pace = new Pace();
    const out: number[] = [];
    for (let now = 0; now < 5_000; now += 7) {
      if (now < Math.max(pace.pongAt, now % 2 === 0 ? pace.pingAt : -Infinity)) continue;
      pace.controlSent(now);
      out.push(now);
    }
    const most = Math.max(...out.map((from) => out.filter((at) => at >= from && at < from + 1_000).length));
    assert.equal(most, 7);
  });
});
