import assert from 'node:assert/strict';
import { Intake } from '../../src/endpoint/intake.js';
import { Turn } from '../../src/endpoint/turn.js';
import { TurnClock } from '../support/clock.js';

interface World {
  readonly clock: TurnClock;
  readonly intake: Intake;
  /** The frames that were worked off, of chunks such as `ab`. */
  readonly done: () => string;
  readonly turns: () => Promise<string>;
  readonly told: string[];
  /** What a frame sets off. */
  onFrame: (frame: string) => void;
}

/** An intake whose frames are single letters that take so long each. */
function world({ isDatagram = false, frameMs = 0, isSession = true } = {}): World {
  const clock = new TurnClock();
  let done = '';
  let left = '';
  const told: string[] = [];
  const it: World = {
    clock,
    told,
    onFrame: () => undefined,
    done: () => done,
    turns: async () => {
      await clock.turns();
      return done;
    },
    intake: new Intake({
      turn: new Turn(clock),
      isDatagram,
      isSession: () => isSession,
      work(bytes, mayGoOn) {
        left += bytes ? Buffer.from(bytes).toString() : '';
        while (left !== '') {
          const frame = left[0]!;
          left = left.slice(1);
          done += frame;
          clock.work(frameMs);
          it.onFrame(frame);
          if (!mayGoOn()) return false;
        }
        return true;
      },
      onListening: (listening) => told.push(listening ? 'listening' : 'deaf'),
      onReading: (reading) => told.push(reading ? 'reading' : 'not reading'),
    }),
  };
  return it;
}

const add = ({ intake }: World, ...chunks: string[]): void =>
  chunks.forEach((chunk) => intake.add(Buffer.from(chunk)));

for (const isDatagram of [false, true]) {
  describe(`what has arrived as ${isDatagram ? 'datagrams' : 'a stream'}`, () => {
    it('is worked off at once, in order, while there is time', () => {
      const it = world({ isDatagram });
      add(it, 'ab', 'c');
      assert.equal(it.done(), 'abc');
      assert.deepEqual([it.told, it.intake.isBehind, it.intake.count], [[], false, 2]);
    });

    it('of a handshake waits until the sessions have been looked at, even where there is time', async () => {
      const it = world({ isDatagram, isSession: false });
      add(it, 'ab', 'c');
      assert.equal(it.done(), '');
      assert.equal(await it.turns(), 'abc');
    });

    it('is worked off over several turns when it takes longer, and not read from the transport meanwhile', async () => {
      const it = world({ isDatagram, frameMs: 2 });
      add(it, 'a', 'b', 'c');
      assert.equal(it.done(), 'ab', 'the first two take the time of this turn');
      assert.deepEqual([it.intake.isBehind, it.told], [true, ['not reading']]);
      await it.clock.turn();
      await it.clock.turn();
      assert.equal(it.done(), 'abc');
      await it.turns();
      assert.deepEqual([it.intake.isBehind, it.told], [false, ['not reading', 'reading']]);
    });

    it('begins in a later turn when others have used up this one', async () => {
      const it = world({ isDatagram, frameMs: 10 });
      add(it, 'a', 'b');
      assert.equal(it.done(), 'a');
      assert.equal(await it.turns(), 'ab');
    });

    it('stays in order when more comes while some of it waits', async () => {
      const it = world({ isDatagram, frameMs: 3 });
      add(it, 'a', 'b', 'c', 'd');
      await it.clock.turn();
      add(it, 'e', 'f');
      assert.equal(await it.turns(), 'abcdef');
    });

    it('stays in order when a frame makes more come', () => {
      const it = world({ isDatagram });
      it.onFrame = (frame) => frame === 'a' && add(it, 'c');
      add(it, 'ab');
      assert.equal(it.done(), 'abc');
    });

    it('is dropped when nobody is interested any more', async () => {
      const it = world({ isDatagram, frameMs: 4 });
      add(it, 'a', 'b', 'c');
      it.intake.stop();
      assert.equal(await it.turns(), 'a');
      assert.equal(it.intake.isBehind, false);
      let hasEnded = false;
      it.intake.end(() => (hasEnded = true));
      assert.equal(hasEnded, true);
    });

    it('is dropped also when that comes up while a frame is worked off', async () => {
      const it = world({ isDatagram });
      it.onFrame = (frame) => {
        if (frame !== 'a') return;
        add(it, 'b', 'c');
        it.intake.stop();
      };
      add(it, 'a');
      assert.equal(await it.turns(), 'a');
      assert.equal(it.intake.isBehind, false);
    });

    it('is worked off to its end before the end of the transport is told, once', async () => {
      const it = world({ isDatagram, frameMs: 3 });
      const told: string[] = [];
      add(it, 'a', 'b', 'c');
      it.intake.end(() => told.push(it.done()));
      assert.deepEqual(told, []);
      await it.turns();
      assert.deepEqual(told, ['abc']);
      add(it, 'd');
      await it.turns();
      assert.deepEqual(told, ['abc']);
    });

    it('counts as the end at once when nothing is left', () => {
      const it = world({ isDatagram });
      add(it, 'a');
      let hasEnded = false;
      it.intake.end(() => (hasEnded = true));
      assert.equal(hasEnded, true);
    });

    it('tells of the end behind a frame that is being worked off', () => {
      const it = world({ isDatagram });
      const order: string[] = [];
      it.onFrame = (frame) => {
        if (frame === 'a') it.intake.end(() => order.push(`end after ${it.done()}`));
      };
      add(it, 'ab');
      assert.deepEqual(order, ['end after ab']);
    });

    for (const [what, set] of [
      ['room', (intake: Intake, value: boolean) => intake.setRoom(value)],
      ['anybody who takes messages', (intake: Intake, value: boolean) => intake.setWanted(value)],
    ] as const) {
      it(`is ${isDatagram ? 'put in' : 'not worked off'} without ${what}, and the peer may know of it`, async () => {
        const it = world({ isDatagram });
        set(it.intake, false);
        set(it.intake, false);
        assert.deepEqual(it.told, ['deaf', 'not reading']);
        add(it, 'a', 'b');
        // One frame may already have been read; over a stream it stops the others.
        assert.equal(await it.turns(), isDatagram ? 'ab' : 'a');
        set(it.intake, true);
        assert.equal(await it.turns(), 'ab');
        assert.equal(it.intake.isBehind, false);
        assert.deepEqual(it.told.slice(-2), ['listening', 'reading']);
      });
    }

    it('goes on only when there is room and somebody who takes messages', async () => {
      const it = world({ isDatagram });
      it.intake.setRoom(false);
      it.intake.setWanted(false);
      it.intake.setRoom(true);
      assert.deepEqual(it.told, ['deaf', 'not reading']);
      it.intake.setWanted(true);
      assert.deepEqual(it.told, ['deaf', 'not reading', 'listening', 'reading']);
      add(it, 'a');
      assert.equal(await it.turns(), 'a');
    });

    it('is owed to the application when the transport ends while nobody takes messages', async () => {
      const it = world({ isDatagram });
      it.intake.setWanted(false);
      add(it, 'abc', 'd');
      let hasEnded = false;
      it.intake.end(() => (hasEnded = true));
      assert.equal(await it.turns(), 'abcd');
      assert.equal(hasEnded, true);
    });
  });
}

describe('what has arrived as a stream', () => {
  it('stops between two frames of a chunk when the room is used up, and goes on there', async () => {
    const it = world();
    it.onFrame = (frame) => frame === 'b' && it.intake.setRoom(false);
    add(it, 'abc', 'd');
    assert.equal(await it.turns(), 'ab');
    assert.deepEqual([it.told, it.intake.isBehind], [['deaf', 'not reading'], false]);
    it.intake.setRoom(true);
    assert.equal(it.done(), 'ab', 'not in the call that makes the room');
    assert.equal(await it.turns(), 'abcd');
    assert.deepEqual(it.told, ['deaf', 'not reading', 'listening', 'reading']);
  });

  it('is behind from the moment there is room again', async () => {
    const it = world();
    it.onFrame = (frame) => frame === 'a' && it.intake.setRoom(false);
    add(it, 'ab');
    it.intake.setRoom(true);
    assert.equal(it.intake.isBehind, true);
    await it.turns();
    assert.equal(it.intake.isBehind, false);
  });
});

describe('what has arrived as datagrams', () => {
  it('gets lost beyond 64 that wait', async () => {
    const it = world({ isDatagram: true, frameMs: 4 });
    add(it, 'a');
    for (let i = 0; i < 64; i++) add(it, 'b');
    add(it, 'c');
    assert.equal(await it.turns(), `a${'b'.repeat(64)}`);
    add(it, 'd');
    assert.match(await it.turns(), /bd$/);
  });
});
