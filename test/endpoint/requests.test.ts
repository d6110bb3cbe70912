import assert from 'node:assert/strict';
import { USMPError, USMPTimeoutError } from '../../src/errors.js';
import { Requests } from '../../src/endpoint/requests.js';
import { FakeClock } from '../support/clock.js';
import { testCode } from '../support/errors.js';

function world() {
  const clock = new FakeClock();
  const requests = new Requests(clock);
  const told: string[] = [];
  const ask = (ticket: number, ms?: number): void =>
    requests.add(
      ticket,
      {
        resolve: (value) => told.push(`${ticket}: ${value}`),
        reject: (error) => told.push(`${ticket}: ${error.code}`),
      },
      ms === undefined
        ? undefined
        : { ms, error: () => new USMPTimeoutError('late', { code: testCode('TEST_LATE') }) },
    );
  return { clock, requests, told, ask };
}

describe('requests to a session', () => {
  it('are told once each what became of them', () => {
    const { requests, told, ask } = world();
    ask(1);
    ask(2);
    requests.settle(2)?.resolve(7);
    requests.settle(1)?.reject(new USMPError('no', { code: testCode('TEST_NO') }));
    assert.deepEqual(
      [requests.settle(1), requests.settle(2), requests.settle(3)],
      [undefined, undefined, undefined],
    );
    assert.deepEqual(told, ['2: 7', '1: TEST_NO']);
  });

  it('are rejected when their limit is over, and leave no timer when it is not', async () => {
    const { clock, requests, told, ask } = world();
    ask(1, 1_000);
    ask(2, 1_000);
    ask(3);
    await clock.advance(999);
    requests.settle(2)?.resolve(0);
    assert.equal(clock.pending, 1);
    await clock.advance(1);
    assert.deepEqual(told, ['2: 0', '1: TEST_LATE']);
    assert.equal(requests.settle(1), undefined);
  });

  it('are all rejected when the session ends', () => {
    const { clock, requests, told, ask } = world();
    ask(1, 1_000);
    ask(2);
    requests.rejectAll(new USMPError('over', { code: testCode('TEST_OVER') }));
    requests.rejectAll(new USMPError('again'));
    assert.deepEqual(told, ['1: TEST_OVER', '2: TEST_OVER']);
    assert.equal(clock.pending, 0);
  });
});
