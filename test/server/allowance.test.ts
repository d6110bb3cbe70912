import assert from 'node:assert/strict';
import { Allowance } from '../../src/server/allowance.js';
import type { Remote } from '../../src/server/listener.js';
import { seededRandom } from '../support/random.js';

const make = (perSecond: number) => new Allowance(perSecond, seededRandom(9));

/** Of so many, one after the other, those that were allowed. */
function count(allowance: Allowance, many: number, remote: (n: number) => Remote, now = 0): number {
  let allowed = 0;
  for (let n = 0; n < many; n++) if (allowance.take(remote(n), now)) allowed += 1;
  return allowed;
}

const anywhere = (n: number): Remote => ({ address: `10.0.${n >> 8}.${n & 255}`, port: 1 });
const portsOf =
  (address: string) =>
  (n: number): Remote => ({ address, port: n });
const portOf = (address: string) => (): Remote => ({ address, port: 1 });

describe('what may be done for strangers', () => {
  it('is a tenth of it in a tenth of a second, half for one address, and an eighth of that for one port', () => {
    const allowance = make(1_600);
    assert.equal(count(allowance, 1_000, portOf('a')), 10);
    assert.equal(count(allowance, 1_000, portsOf('a'), 50), 70);
    assert.equal(count(allowance, 1_000, portsOf('b'), 60), 80);
    assert.equal(count(allowance, 1_000, anywhere, 99), 0);
    assert.equal(count(allowance, 1_000, anywhere, 300), 160);
  });

  it('is one thing at least', () => {
    assert.equal(count(make(1), 5, anywhere), 1);
  });

  it('counts the addresses of an IPv6 /64 as one, and those of others for themselves', () => {
    const allowance = make(100);
    const inOne = (n: number): Remote => ({ address: `2001:db8::${n.toString(16)}`, port: n });
    assert.equal(count(allowance, 100, inOne), 5);
    assert.ok(allowance.take({ address: '2001:db8:0:1::1', port: 1 }, 0));
  });

  it('goes by chance to some of those who ask for too much, all through the window', () => {
    const allowance = make(1_000);
    const halves = [0, 0];
    for (let now = 0; now < 20_000; now++) {
      const allowed = count(allowance, 4, (n) => ({ address: 'a', port: now * 4 + n }), now);
      if (now >= 1_000) halves[now % 100 < 50 ? 0 : 1]! += allowed;
    }
    const [first, second] = halves as [number, number];
    assert.ok(first + second > 19 * 400 && first + second <= 19 * 500, `${first} and ${second}`);
    assert.ok(second > 0.7 * first, `${first} and ${second}`);
  });

  it('remembers no more than was allowed, and of those who asked for too much, for a window more', () => {
    const allowance = make(1_000);
    for (let now = 0; now < 2_000; now += 100) {
      count(allowance, 500, (n) => anywhere(now + n), now);
      assert.ok(allowance.remembered <= 2 * 100, `${allowance.remembered} in the window of ${now}`);
    }
    const another = make(1_000);
    count(another, 500, portsOf('a'), 0);
    count(another, 1, portOf('b'), 100);
    assert.equal(another.remembered, 3, 'b with its port, and a');
    count(another, 1, portOf('b'), 200);
    assert.equal(another.remembered, 2);
  });

  it('is there for others as if there were no flood of one address, and for other ports beside that of one', () => {
    const allowance = make(1_000);
    for (let now = 0; now < 5_000; now += 10) {
      count(allowance, 200, portsOf('a'), now);
      count(allowance, 200, portOf('b'), now);
      if (now % 100 !== 90) continue;
      assert.ok(allowance.take({ address: 'c', port: 1 }, now));
      assert.ok(allowance.take({ address: 'b', port: 2 }, now));
    }
  });

  it('is all there again after a window in which nobody asked', () => {
    const allowance = make(1_000);
    for (let now = 0; now < 1_000; now += 10) count(allowance, 500, portsOf('a'), now);
    assert.equal(count(allowance, 50, portsOf('a'), 1_200), 50);
  });
});
