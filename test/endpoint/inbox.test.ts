import assert from 'node:assert/strict';
import { ConnectionClosedError } from '../../src/errors.js';
import { Inbox } from '../../src/endpoint/inbox.js';
import { FakeClock, settle } from '../support/clock.js';
import { stateOf } from '../support/line.js';

const over = new ConnectionClosedError('it is over');

function makeInbox() {
  const clock = new FakeClock();
  const room: boolean[] = [];
  const inbox = new Inbox(clock, (has) => room.push(has));
  const put = (...texts: string[]): void => texts.forEach((text) => inbox.put(Buffer.from(text)));
  const take = async (timeoutMs = 0): Promise<string> => (await inbox.take(timeoutMs)).toString();
  return { clock, room, inbox, put, take };
}

describe('an inbox', () => {
  it('hands messages out in the order in which they came', async () => {
    const { put, take } = makeInbox();
    put('one', 'two', 'three');
    assert.deepEqual([await take(), await take(), await take()], ['one', 'two', 'three']);
  });

  it('hands messages to those who wait in the order in which they asked', async () => {
    const { clock, put, take } = makeInbox();
    const waiting = [take(), take(1000), take()];
    put('one', 'two', 'three');
    assert.deepEqual(await Promise.all(waiting), ['one', 'two', 'three']);
    assert.equal(clock.pending, 0);
  });

  it('gives a message that is there without waiting, or nothing', () => {
    const { inbox, put } = makeInbox();
    assert.equal(inbox.poll(), undefined);
    put('one', 'two');
    assert.deepEqual([inbox.poll()?.toString(), inbox.poll()?.toString()], ['one', 'two']);
    assert.equal(inbox.poll(), undefined);
  });

  it('knows an empty message from none', async () => {
    const { inbox, put, take } = makeInbox();
    put('', '');
    assert.equal(inbox.poll()?.length, 0);
    assert.equal(await take(), '');
  });

  it('gives up waiting after the time that was set, and then only for the one who set it', async () => {
    const { clock, put, take } = makeInbox();
    const [patient, hasty, slow] = [take(), take(50), take(5000)];
    await clock.advance(49);
    assert.equal(await stateOf(hasty), 'pending');
    await clock.advance(1);
    await assert.rejects(hasty, { name: 'USMPTimeoutError', code: 'USMP_RECV_TIMEOUT' });
    put('one', 'two');
    assert.deepEqual(await Promise.all([patient, slow]), ['one', 'two']);
    assert.equal(clock.pending, 0);
  });

  it('loses no message to one who has given up waiting', async () => {
    const { clock, put, take } = makeInbox();
    const hasty = take(10);
    hasty.catch(() => undefined);
    await clock.advance(10);
    put('for the next');
    assert.equal(await take(), 'for the next');
  });

  it('fails all who wait when the session ends, and leaves no timer', async () => {
    const { clock, inbox, take } = makeInbox();
    const waiting = [take(), take(1000)];
    inbox.end(over);
    for (const each of waiting) await assert.rejects(each, over);
    assert.equal(clock.pending, 0);
  });

  it('still hands out what came before the end, and the reason after it, again and again', async () => {
    const { inbox, put, take } = makeInbox();
    put('one', 'two');
    inbox.end(over);
    assert.deepEqual([await take(), inbox.poll()?.toString()], ['one', 'two']);
    for (let i = 0; i < 3; i++) await assert.rejects(take(100), over);
  });

  it('says when it is full, at 256 messages, and when it has room again, at 127', () => {
    const { inbox, put, room } = makeInbox();
    for (let i = 1; i <= 255; i++) put(String(i));
    assert.deepEqual(room, []);
    put('256');
    assert.deepEqual(room, [false]);
    put('what was under way'); // still kept
    while (room.length === 1) assert.ok(inbox.poll());
    assert.deepEqual(room, [false, true]);
    let left = 0;
    while (inbox.poll()) left += 1;
    assert.equal(left, 127);
    assert.deepEqual(room, [false, true]);
  });

  it('does not fill up while somebody takes each message at once', async () => {
    const { put, take, room } = makeInbox();
    for (let i = 0; i < 1000; i++) {
      const taken = take();
      put(String(i));
      assert.equal(await taken, String(i));
    }
    await settle();
    assert.deepEqual(room, []);
  });
});
