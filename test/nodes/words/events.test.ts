/** Which news of the session flows hear, and when. */
import assert from 'node:assert/strict';
import { Outages, queueFull, type SessionEvent } from '../../../nodes/shared/words/events.js';
import { USMPError, type ConnectionState } from '../../../src/index.js';
import { errorOf } from '../../support/errors.js';
import { textsOf } from '../../support/texts.js';

const english = textsOf('en-US');
const t = (key: string, values?: Record<string, string | number>): string => english(`usmp.${key}`, values);

const up: ConnectionState = { at: 'established', sessionId: '00' };
const [connecting, closing, idle]: ConnectionState[] = [
  { at: 'connecting' },
  { at: 'closing' },
  { at: 'idle' },
];
const waiting = (code: string, retryInMs = 2_400): ConnectionState => ({
  at: 'waiting',
  reason: errorOf(code, code),
  retryInMs,
});
const [lost, refused] = [waiting('USMP_LOST'), waiting('USMP_CONNECTION_REFUSED', 59_600)];
const rejected: ConnectionState = {
  at: 'waiting',
  reason: errorOf('USMP_PSK_REJECTED'),
  retryInMs: 60_000,
};

/** A state, and what is heard of it. */
type Step = [ConnectionState | undefined, SessionEvent?];
const LOST = { event: 'disconnected', reason: 'connection lost', code: 'USMP_LOST', retryIn: 2 } as const;
const REFUSED = {
  event: 'disconnected',
  reason: 'connection refused',
  code: 'USMP_CONNECTION_REFUSED',
  retryIn: 60,
} as const;
const STOPPED = { event: 'disconnected', reason: 'disconnected on request', code: 'USMP_STOPPED' } as const;

/** One step a second; without a state the session gives way to another one. */
const courses: [string, Step[]][] = [
  ['a session that comes', [[connecting], [up, { event: 'connected' }]]],
  [
    'an outage of one reason, however many attempts fail',
    [
      [up, { event: 'connected' }],
      [lost, LOST],
      [connecting],
      [lost],
      [connecting],
      [lost],
      [up, { event: 'reconnected', outage: 5 }],
    ],
  ],
  [
    'an outage whose reason changes',
    [
      [up, { event: 'connected' }],
      [lost, LOST],
      [refused, REFUSED],
      [refused],
      [lost, LOST],
      [up, { event: 'reconnected', outage: 4 }],
    ],
  ],
  [
    'two outages',
    [
      [lost, LOST],
      [up, { event: 'connected', outage: 1 }],
      [lost, LOST],
      [up, { event: 'reconnected', outage: 1 }],
    ],
  ],
  [
    'a session that is asked to end',
    [
      [up, { event: 'connected' }],
      [closing],
      [idle, STOPPED],
      [connecting],
      [up, { event: 'reconnected', outage: 2 }],
    ],
  ],
  ['a session that another one follows at once', [[up, { event: 'connected' }], [connecting], [up]]],
  [
    'a session that gives way to one of other settings',
    [[up, { event: 'connected' }], [undefined], [connecting], [up, { event: 'reconnected', outage: 2 }]],
  ],
  ['the first settings that give way to others', [[undefined], [up, { event: 'connected' }]]],
  [
    'an outage that lasts over a change of settings',
    [
      [up, { event: 'connected' }],
      [lost, LOST],
      [undefined],
      [refused, REFUSED],
      [up, { event: 'reconnected', outage: 3 }],
    ],
  ],
  [
    'a PSK that is rejected',
    [[rejected, { event: 'auth-failed', reason: 'PSK rejected', code: 'USMP_PSK_REJECTED', retryIn: 60 }]],
  ],
];

describe('what flows hear of', () => {
  for (const [what, steps] of courses) {
    it(what, () => {
      const outages = new Outages();
      for (const [i, [state, heard]] of steps.entries()) {
        if (state) assert.deepEqual(outages.next(state, i * 1000, t), heard, `step ${i}`);
        else outages.interrupt(i * 1000);
      }
    });
  }

  it('an outbox that is full, with what to do', () => {
    const event = queueFull(new USMPError('', { code: 'USMP_OUTBOX_FULL' }), t);
    assert.deepEqual([event.event, event.code], ['queue-full', 'USMP_OUTBOX_FULL']);
    assert.match(event.reason!, /^outbox full\. The flow sends more than the gateway takes/);
  });
});
