/** What the flow nodes of a gateway hear of, and how often. */
import assert from 'node:assert/strict';
import { Users, type User } from '../../../nodes/shared/exchange/users.js';
import { FakeClock } from '../../support/clock.js';

function world() {
  const clock = new FakeClock();
  const status = { text: 'connected' };
  const users = new Users<string>(() => ({ ...status }), clock);
  /** Adds a user. @returns what it has heard. */
  const add = (hears: ('messages' | 'events')[] = []): { heard: string[]; user: User<string> } => {
    const heard: string[] = [];
    const user: User<string> = {
      onStatus: ({ text }) => heard.push(`status ${text}`),
      ...(hears.includes('messages') && {
        onMessage: (message, origin) => heard.push(`${message.toString()} ${origin}`),
      }),
      ...(hears.includes('events') && { onEvent: ({ event }, origin) => heard.push(`${event} ${origin}`) }),
    };
    users.add(user);
    return { heard, user };
  };
  return { clock, status, users, add };
}

describe('the users of a gateway', () => {
  it('see the status as soon as they come', () => {
    assert.deepEqual(world().add().heard, ['status connected']);
  });

  it('hear what they ask for, and no more', () => {
    const { users, add } = world();
    const [all, messages, none] = [add(['messages', 'events']), add(['messages']), add()];
    users.message(Buffer.from('hi'), 'gw');
    users.tell({ event: 'connected' }, 'gw');
    assert.deepEqual(
      [all.heard, messages.heard, none.heard].map((heard) => heard.slice(1)),
      [['hi gw', 'connected gw'], ['hi gw'], []],
    );
  });

  it('are readers when they take messages', () => {
    const { users, add } = world();
    add(['events']);
    assert.deepEqual([users.size, users.hasReaders], [1, false]);
    const { user } = add(['messages']);
    assert.deepEqual([users.size, users.hasReaders], [2, true]);
    users.remove(user);
    users.remove(user);
    assert.deepEqual([users.size, users.hasReaders], [1, false]);
  });

  it('see a change of the status at once, and nothing when there is none', () => {
    const { status, users, add } = world();
    const { heard } = add();
    status.text = 'disconnected';
    users.showStatus();
    users.showStatus();
    assert.deepEqual(heard, ['status connected', 'status disconnected']);
  });

  it('see what changes with every message four times a second at most, and the last of it', async () => {
    const { clock, status, users, add } = world();
    const { heard } = add();
    for (let waiting = 1; waiting <= 100; waiting++) {
      status.text = `${waiting} waiting`;
      users.showStatusSoon();
      await clock.advance(10);
    }
    await clock.advance(250);
    assert.deepEqual(
      heard.slice(1),
      [25, 50, 75, 100].map((waiting) => `status ${waiting} waiting`),
    );
    assert.equal(clock.pending, 0);
  });

  it('see a change of state that comes meanwhile at once, and are left no timer', () => {
    const { clock, status, users, add } = world();
    const { heard } = add();
    users.showStatusSoon();
    status.text = 'disconnected';
    users.showStatus();
    assert.deepEqual(heard.slice(1), ['status disconnected']);
    users.showStatusSoon();
    users.clear();
    assert.deepEqual([users.size, clock.pending], [0, 0]);
  });
});
