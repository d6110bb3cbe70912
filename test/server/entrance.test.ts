import assert from 'node:assert/strict';
import { settle } from '../support/clock.js';
import { entranceWorld } from '../support/visitor.js';

const ONE = 'a4:cf:12:00:00:01';
const TWO = 'a4:cf:12:00:00:02';

describe('the entrance of a server', () => {
  it('thinks nothing of a connection that is closed before HELLO, however that is done', async () => {
    const world = entranceWorld();
    const reset = Object.assign(new Error(), { code: 'ECONNRESET' });
    for (const error of [undefined, reset]) await world.visitor().leave(error);
    assert.deepEqual([world.calledOff, world.refused], [2, []]);
    assert.deepEqual([world.entrance.handshakes, world.clock.pending], [0, 0]);
  });

  it('tells of what ends later, and of what it ends itself', async () => {
    const world = entranceWorld({ maxHandshakesPerAddress: 1 });
    const afterHello = world.visitor();
    await afterHello.hello();
    await afterHello.leave();
    const silent = world.visitor();
    await world.clock.advance(5_000);
    const crowdedOut = world.visitor();
    world.visitor({ address: '192.0.2.1' });
    await settle();
    assert.deepEqual([silent.isClosed, crowdedOut.isClosed], [true, true]);
    assert.deepEqual(world.refused, [
      '192.0.2.1 USMP_HANDSHAKE_CLOSED',
      '192.0.2.1 USMP_NO_ANSWER',
      '192.0.2.1 USMP_NOT_ADMITTED',
    ]);
    assert.equal(world.calledOff, 0);
  });

  it('lets a device take the place of its own session, which is over only then', async () => {
    const { visitor, present } = entranceWorld({ maxConnections: 1 });
    const first = visitor();
    await first.hello();
    await first.prove();
    const second = visitor();
    await second.hello();
    assert.equal(first.isClosed, false);
    await second.prove();
    await settle();
    assert.deepEqual([first.isClosed, present.get(ONE)], [true, second.channel]);
  });

  it('refuses over UDP before a handshake begins, and over TCP at HELLO, as only then is it known who comes', async () => {
    const { visitor, refused, entrance } = entranceWorld({ maxConnections: 1 });
    const first = visitor();
    await first.hello();
    await first.prove();
    assert.equal(visitor({ deviceId: TWO, protocol: 'udp' }).channel, undefined);
    const tcp = visitor({ deviceId: TWO });
    assert.equal(tcp.isClosed, false);
    await tcp.hello();
    assert.deepEqual([tcp.isClosed, tcp.got], [true, []]);
    assert.deepEqual(refused, ['192.0.2.1 USMP_NOT_ADMITTED', '192.0.2.1 USMP_NOT_ADMITTED']);
    assert.notEqual(visitor({ protocol: 'udp' }).channel, undefined, 'the device that has the place');
    await entrance.close();
  });

  it('counts a session where it is now', async () => {
    const { visitor, entrance } = entranceWorld({ maxConnectionsPerIp: 1 });
    const first = visitor({ protocol: 'udp' });
    await first.hello();
    await first.prove();
    entrance.moved(first.channel!, { address: '192.0.2.2', port: 1 });
    assert.notEqual(visitor({ deviceId: TWO, protocol: 'udp' }).channel, undefined);
    assert.equal(visitor({ deviceId: TWO, protocol: 'udp', address: '192.0.2.2' }).channel, undefined);
    await entrance.close();
  });

  it('ends all handshakes when it closes, which is no refusal', async () => {
    const { visitor, entrance, clock, refused } = entranceWorld({ maxConnections: 1 });
    const all = [visitor({ deviceId: ONE }), visitor({ deviceId: TWO }), visitor()];
    for (const each of all.slice(0, 2)) await each.hello();
    await entrance.close();
    await settle();
    assert.deepEqual(
      [all.map(({ isClosed }) => isClosed), entrance.handshakes, clock.pending, refused],
      [[true, true, true], 0, 0, []],
    );
  });
});
