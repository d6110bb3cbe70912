/** What a device that sends too much meets with: its messages wait at the device, none is lost, and others are served. */
import assert from 'node:assert/strict';
import { systemRandom } from '../../src/crypto/random.js';
import { TokenBucket } from '../../src/server/rate.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { FakeClock } from '../support/clock.js';
import { eventually, useLoopback } from '../support/loopback.js';

describe('a bucket of tokens', () => {
  it('lets a burst pass, then so many a second', () => {
    const bucket = new TokenBucket({ perSecond: 4, burst: 3 }, 0);
    const waits = [1, 2, 3].map(() => {
      bucket.take(0);
      return bucket.waitMs(0);
    });
    assert.deepEqual(waits, [0, 0, 250]);
    assert.deepEqual([bucket.waitMs(100), bucket.waitMs(250)], [150, 0]);
    bucket.take(250);
    assert.equal(bucket.waitMs(250), 250);
  });

  it('holds no more than a burst, however long the silence', () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 2 }, 0);
    bucket.take(1_000_000);
    bucket.take(1_000_000);
    assert.equal(bucket.waitMs(1_000_000), 10);
  });
});

for (const protocol of PROTOCOLS) {
  describe(`a server over ${protocol} with a message rate for each device`, () => {
    const loopback = useLoopback();
    const world = async (maxMessageRate: number, maxMessageBurst = 2) => {
      const clock = new FakeClock();
      const options = { protocol, maxMessageRate, maxMessageBurst, sessionTimeout: 0 };
      const server = await loopback.serve(options, { clock, random: systemRandom });
      const received: string[] = [];
      server.on('session', (session) =>
        session.on('message', (message) =>
          received.push(`${session.deviceId.slice(-1)}:${message.toString()}`),
        ),
      );
      const device = async (n: number) => {
        const { client, session } = await loopback.pair(server, {
          protocol,
          deviceId: `a4:cf:12:00:00:0${n}`,
        });
        return { client, session };
      };
      /** What has come in the end when nothing more comes. */
      const settled = async (count: number): Promise<string[]> => {
        await eventually(() => received.length >= count);
        await eventually(() => received.length > count, 100);
        return received;
      };
      return { clock, server, device, settled };
    };

    it('takes a burst, then one message each time the rate allows it, all in order', async () => {
      const { clock, device, settled } = await world(1);
      const { client } = await device(1);
      const sent = ['a', 'b', 'c', 'd'].map((text) => client.send(text));
      assert.deepEqual(await settled(2), ['1:a', '1:b']);
      await clock.advance(1_000);
      assert.deepEqual(await settled(3), ['1:a', '1:b', '1:c']);
      await clock.advance(1_000);
      assert.deepEqual(await settled(4), ['1:a', '1:b', '1:c', '1:d']);
      await Promise.all(sent);
    }).timeout(20_000);

    it('serves the others meanwhile, and lets a new session of the device begin with no more than it had', async () => {
      const { clock, server, device, settled } = await world(1);
      const { client } = await device(1);
      const { client: neighbour } = await device(2);
      await client.send('a');
      void client.send('b').catch(() => undefined);
      assert.deepEqual(await settled(2), ['1:a', '1:b']);
      await neighbour.send('x');
      assert.deepEqual(await settled(3), ['1:a', '1:b', '2:x']);
      const { client: again } = await device(1);
      const sent = ['proves itself', 'waits'].map((text) => again.send(text));
      // The first frame of a session is taken whatever, as it shows the session to live.
      assert.deepEqual((await settled(4)).slice(3), ['1:proves itself']);
      await clock.advance(2_000);
      assert.deepEqual((await settled(5)).slice(4), ['1:waits']);
      await Promise.all(sent);
      assert.equal(server.devices.get('a4:cf:12:00:00:01')?.received, 4);
    }).timeout(20_000);

    it('does not take more from a device because its session was paused and resumed', async () => {
      const { clock, device, settled } = await world(1);
      const { client, session } = await device(1);
      const sent = ['a', 'b', 'c'].map((text) => client.send(text));
      assert.equal((await settled(2)).length, 2);
      session.pause();
      session.resume();
      assert.equal((await settled(2)).length, 2);
      session.pause();
      await clock.advance(1_000);
      assert.equal((await settled(2)).length, 2, 'a pause is a pause');
      session.resume();
      assert.equal((await settled(3)).length, 3);
      await Promise.all(sent);
    }).timeout(20_000);

    it('takes whatever comes when the rate is 0', async () => {
      const { device, settled } = await world(0, 1);
      const { client } = await device(1);
      for (let i = 0; i < 20; i++) await client.send(`${i}`);
      assert.equal((await settled(20)).length, 20);
    });
  });
}
