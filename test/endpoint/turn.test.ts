import assert from 'node:assert/strict';
import { Turn, turnOf } from '../../src/endpoint/turn.js';
import { FakeClock, settle, TurnClock } from '../support/clock.js';

function world() {
  const clock = new TurnClock();
  return { clock, turn: new Turn(clock), done: [] as string[] };
}

describe('a turn of the event loop', () => {
  it('is spent 4 ms after the first question in it', async () => {
    const { clock, turn } = world();
    clock.work(100); // before anybody asked
    assert.equal(turn.isSpent, false);
    clock.work(3.9);
    assert.equal(turn.isSpent, false);
    clock.work(0.1);
    assert.equal(turn.isSpent, true);
    clock.work(100);
    assert.equal(turn.isSpent, true);
    await clock.turn();
    assert.equal(turn.isSpent, false, 'the next one is new');
  });

  it('has room at once while there is time, and later on in the order of asking', async () => {
    const { clock, turn, done } = world();
    await turn.room();
    clock.work(4);
    for (const name of ['a', 'b', 'c']) void turn.room().then(() => done.push(name));
    await settle();
    assert.deepEqual(done, []);
    await clock.turns();
    assert.deepEqual(done, ['a', 'b', 'c']);
  });
});

describe('jobs for a later turn', () => {
  it('are never done in the turn in which they were handed in', async () => {
    const { clock, turn, done } = world();
    turn.later(() => done.push('job'));
    await settle();
    assert.deepEqual(done, []);
    await clock.turn();
    assert.deepEqual(done, ['job']);
    assert.ok((await clock.turns()) <= 1, 'and nothing goes on');
  });

  it('are done in their order, as many a turn as it has time for', async () => {
    const { clock, turn, done } = world();
    const job = (name: string) => (): void => {
      done.push(name);
      clock.work(1.5);
    };
    for (const name of ['a', 'b', 'c', 'd', 'e']) turn.later(job(name));
    const turns: string[] = [];
    while (done.length < 5) {
      await clock.turn();
      turns.push(done.join(''));
    }
    assert.deepEqual(turns, ['abc', 'abcde']);
  });

  it('of sessions are held up by those of handshakes no more than one by one, and the other way round', async () => {
    const { clock, turn, done } = world();
    for (let n = 0; n < 5; n++) turn.later(() => done.push('handshake'), false);
    for (let n = 0; n < 2; n++) turn.later(() => done.push('session'));
    await clock.turns();
    const [session, handshake] = ['session', 'handshake'];
    assert.deepEqual(done, [session, handshake, session, handshake, handshake, handshake, handshake]);
  });

  it('of handshakes get half a millisecond a turn, one of them at least, and sessions the rest', async () => {
    for (const [stepMs, perTurn] of [
      [0.2, 3],
      [0.5, 1],
      [3, 1],
    ] as const) {
      const { clock, turn, done } = world();
      const step = (name: string) => (): void => {
        done.push(name);
        clock.work(stepMs);
      };
      for (let n = 0; n < 7; n++) turn.later(step('handshake'), false);
      await clock.turn();
      assert.equal(done.length, perTurn, `steps of ${stepMs} ms`);
      for (let n = 0; n < 10; n++) turn.later(() => done.push('session'));
      await clock.turn();
      assert.equal(done.filter((name) => name === 'session').length, 10);
      await clock.turns();
      assert.equal(done.length, 17, 'and all come to their end');
    }
  });

  it('count what they set off before the next one is looked at', async () => {
    const { clock, turn, done } = world();
    turn.later(() => void Promise.resolve().then(() => clock.work(4)));
    turn.later(() => done.push('too late for this turn'));
    await clock.turn();
    assert.deepEqual(done, []);
    await clock.turns();
    assert.equal(done.length, 1);
  });

  it('can be called off', async () => {
    const { clock, turn, done } = world();
    const cancel = turn.later(() => done.push('called off'));
    turn.later(() => done.push('done'));
    cancel();
    cancel();
    await clock.turns();
    assert.deepEqual(done, ['done']);
  });

  it('may be the same twice', async () => {
    const { clock, turn, done } = world();
    const job = (): void => void done.push('again');
    const cancel = turn.later(job);
    turn.later(job);
    turn.later(job);
    cancel();
    await clock.turns();
    assert.deepEqual(done, ['again', 'again']);
  });

  it('are 64 a turn at most, however little time they take', async () => {
    const { clock, turn, done } = world();
    for (let i = 0; i < 150; i++) turn.later(() => done.push('job'));
    await clock.turn();
    assert.equal(done.length, 64);
    await clock.turns();
    assert.equal(done.length, 150);
  });

  it('get the same share each, however much each of them has to do', async () => {
    const { clock, turn } = world();
    const done = [0, 0, 0, 0, 0];
    const hog = (i: number) => (): void => {
      do {
        done[i]! += 1;
        clock.work(0.5);
      } while (!turn.isSpent);
      turn.later(hog(i));
    };
    done.forEach((_, i) => turn.later(hog(i)));
    await clock.turns(100);
    assert.ok(Math.min(...done) > 50, done.join());
    assert.ok(Math.max(...done) - Math.min(...done) <= 8, `no more than one turn ahead: ${done.join()}`);
  });

  it('let a newcomer with little to do in before those who have had their turn', async () => {
    const { clock, turn } = world();
    const hog = (): void => {
      clock.work(4);
      turn.later(hog);
    };
    for (let i = 0; i < 3; i++) turn.later(hog);
    await clock.turns(10);
    let waited = 0;
    let isDone = false;
    turn.later(() => (isDone = true));
    for (; !isDone; waited++) await clock.turn();
    assert.ok(waited <= 5, `${waited} turns behind three others`);
  });
});

describe('the turn of a clock', () => {
  it('is shared by all who go by that clock, and by nobody else', () => {
    const clock = new FakeClock();
    assert.equal(turnOf(clock), turnOf(clock));
    assert.notEqual(turnOf(clock), turnOf(new FakeClock()));
  });
});
