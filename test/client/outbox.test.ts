import assert from 'node:assert/strict';
import { Outbox, type Delivery } from '../../src/client/outbox.js';
import { FakeClock, settle } from '../support/clock.js';

const LIMITS = { maxCount: 10, maxBytes: 100, maxAgeMs: 0 };

describe('an outbox', () => {
  it('takes what has left before a message for having left, too, whichever is told first', async () => {
    const outbox = new Outbox(LIMITS, new FakeClock(), () => undefined);
    const outcomes: string[] = [];
    for (const [text, delivery] of [
      ['a', 'sent'],
      ['b', 'confirmed'],
      ['c', 'sent'],
      ['d', 'sent'],
    ] as [string, Delivery][]) {
      void outbox.add(Buffer.from(text), delivery).then((outcome) => outcomes.push(`${text} ${outcome}`));
    }
    const numbers = Array.from({ length: 4 }, () => outbox.hand()!.no);
    outbox.sent(numbers[2]!);
    outbox.takeBack();
    outbox.sent(numbers[0]!);
    await settle();
    assert.deepEqual(outcomes, ['a delivered', 'c delivered']);
    assert.deepEqual(
      outbox.content.map(({ message }) => Buffer.from(message).toString()),
      ['b', 'd'],
    );
    assert.equal(outbox.delivered, 2);
  });
});
