import assert from 'node:assert/strict';
import { settle, TurnClock } from '../support/clock.js';
import { entranceWorld } from '../support/visitor.js';

const [ONE, TWO, THREE] = [1, 2, 3].map((n) => `a4:cf:12:00:00:0${n}`) as [string, string, string];
const CHALLENGED = ['CHALLENGE 0'];
const IN = ['CHALLENGE 0', 'SESSION_OK 0'];

describe('a handshake of a server', () => {
  it('claims the last place before CHALLENGE: a second one waits, and is told no before it has proven anything', async () => {
    const { visitor, refused, clock, entrance } = entranceWorld({ maxConnections: 1 });
    const [first, second] = [visitor({ deviceId: ONE }), visitor({ deviceId: TWO })];
    await first.hello();
    await second.hello();
    assert.deepEqual([first.got, second.got, second.isClosed], [CHALLENGED, [], false]);
    await first.prove();
    assert.deepEqual([first.got, second.got, second.isClosed], [IN, [], true]);
    assert.deepEqual(refused, ['192.0.2.1 USMP_NOT_ADMITTED']);
    await first.leave();
    await entrance.close();
    assert.equal(clock.pending, 0);
  });

  it('goes on at once when the one that has claimed the place comes to nothing', async () => {
    for (const how of ['wrong key', 'left'] as const) {
      const { visitor, wrong, refused } = entranceWorld({ maxConnectionsPerIp: 1 });
      const [first, second] = [wrong({ deviceId: ONE }), visitor({ deviceId: TWO })];
      await first.hello();
      await second.hello();
      await (how === 'left' ? first.leave() : first.prove());
      await second.prove();
      assert.deepEqual([second.got, refused.length], [IN, 1]);
    }
  });

  it('is held up by a stranger who proves nothing for two seconds and no longer, however many there are', async () => {
    for (const strangers of [1, 10]) {
      const { visitor, clock, present } = entranceWorld({ maxConnections: 1 });
      for (let n = 0; n < strangers; n++)
        await visitor({ deviceId: TWO, address: `198.51.100.${n}` }).hello();
      const device = visitor({ deviceId: ONE });
      await device.hello();
      await clock.advance(1_999);
      assert.deepEqual(device.got, []);
      await clock.advance(1);
      await device.prove();
      assert.deepEqual([device.got, [...present.keys()]], [IN, [ONE]]);
    }
  });

  it('is not held up at all by a stranger whose two seconds are over', async () => {
    const { visitor, clock } = entranceWorld({ maxConnections: 1 });
    await visitor({ deviceId: TWO, address: '198.51.100.1' }).hello();
    await clock.advance(2_000);
    const device = visitor({ deviceId: ONE });
    await device.hello();
    await device.prove();
    assert.deepEqual(device.got, IN);
  });

  it('does not wait for a place that its own session has, nor for those of other addresses', async () => {
    const { visitor } = entranceWorld({ maxConnectionsPerIp: 1 });
    const before = visitor({ deviceId: ONE });
    await before.hello();
    await before.prove();
    const [again, elsewhere] = [visitor({ deviceId: ONE }), visitor({ deviceId: TWO, address: '192.0.2.2' })];
    for (const each of [again, elsewhere]) {
      await each.hello();
      await each.prove();
      assert.deepEqual(each.got, IN);
    }
    assert.equal(before.isClosed, true);
  });

  it('counts the addresses of an IPv6 /64 as one, and an IPv4 address however it is written', async () => {
    for (const { first, second, isShared } of [
      { first: '2001:db8:1:2::1', second: '2001:db8:1:2:ffff::9', isShared: true },
      { first: '2001:db8:1:2::1', second: '2001:db8:1:3::1', isShared: false },
      { first: '192.0.2.1', second: '::ffff:192.0.2.1', isShared: true },
      { first: 'fe80::1%eth0', second: 'fe80::2%eth1', isShared: true },
    ]) {
      const { visitor, refused } = entranceWorld({ maxConnectionsPerIp: 1 });
      for (const [deviceId, address] of [
        [ONE, first],
        [TWO, second],
      ] as const) {
        const each = visitor({ deviceId, address });
        await each.hello();
        if (!each.isClosed) await each.prove();
      }
      assert.deepEqual(refused, isShared ? [`${second} USMP_NOT_ADMITTED`] : []);
    }
  });

  it('tries beside guessers at its own address when they come over the other transport', async () => {
    const { visitor, wrong, clock, present } = entranceWorld();
    const device = visitor({ protocol: 'udp' });
    await device.hello();
    await device.prove();
    for (let n = 0; n < 20; n++) {
      const guess = wrong();
      await guess.hello();
      if (guess.got.length > 0) await guess.prove();
    }
    const again = visitor({ protocol: 'udp' });
    await again.hello();
    await again.prove();
    assert.deepEqual([again.got, present.size], [IN, 1]);
    await clock.advance(10_000);
  });

  it('tells what it waited for when its time is over', async () => {
    const { visitor, wrong, refused, clock } = entranceWorld({ tryInterval: 60, maxConnections: 1 });
    for (let n = 0; n < 7; n++) {
      const guess = wrong({ deviceId: THREE });
      await guess.hello();
      await guess.prove();
    }
    assert.deepEqual(new Set(refused), new Set(['192.0.2.1 USMP_DEVICE_PROOF']));
    await visitor({ deviceId: THREE }).hello();
    await clock.advance(10_000);
    assert.equal(refused.pop(), '192.0.2.1 USMP_NOT_ADMITTED');
    const slow = entranceWorld({ psk: () => new Promise(() => undefined) });
    await slow.visitor().hello();
    await slow.clock.advance(10_000);
    assert.deepEqual(slow.refused, ['192.0.2.1 USMP_PSK_LOOKUP']);
  });

  it('takes turns with sessions when there is more to do than a turn has time for', async () => {
    const clock = new TurnClock();
    const { visitor } = entranceWorld({}, clock);
    const nonsense = new Uint8Array(12); // ends whoever gets it
    const order: string[] = [];
    const arrives = async (name: string, deviceId: string, isSession: boolean) => {
      const each = visitor({ deviceId });
      if (isSession) {
        await each.hello();
        await clock.turns(); // a handshake is never worked off in the turn of its arrival
        await each.prove();
        await clock.turns();
      }
      void each.channel!.closed.then(() => order.push(name));
      return each.channel!;
    };
    const sessions = [await arrives('session 1', ONE, true), await arrives('session 2', TWO, true)];
    const handshakes = [];
    for (let n = 1; n <= 4; n++) handshakes.push(await arrives(`handshake ${n}`, THREE, false));
    for (const channel of handshakes) channel.receive(nonsense);
    clock.work(10); // this turn is used up
    for (const channel of sessions) channel.receive(nonsense);
    await settle();
    assert.equal(order.length, 0);
    await clock.turns();
    assert.deepEqual(order.map((name) => name.split(' ')[0]).slice(0, 4), [
      'session',
      'handshake',
      'session',
      'handshake',
    ]);
    assert.equal(order.length, 6);
  });
});
