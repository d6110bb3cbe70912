/** What stands under a node. */
import assert from 'node:assert/strict';
import { readNumber } from '../../../nodes/shared/dialog/rules.js';
import { statusOf, stoppedStatus, unusableStatus } from '../../../nodes/shared/words/status.js';
import { ConnectionClosedError, parsePsk, type ConnectionState, type USMPError } from '../../../src/index.js';
import { textsOf } from '../../support/texts.js';

const english = textsOf('en-US');
const t = (key: string, values?: Record<string, string | number>): string => english(`usmp.${key}`, values);

const up: ConnectionState = { at: 'established', sessionId: '00' };
const refused: ConnectionState = {
  at: 'waiting',
  reason: new ConnectionClosedError('', { code: 'USMP_CONNECTION_REFUSED' }),
  retryInMs: 1,
};
const nextTryAt = new Date(2026, 0, 2, 4, 3, 20, 999);

const table: [string, Partial<Parameters<typeof statusOf>[0]>, string][] = [
  ['no session', { state: { at: 'idle' } }, 'red ring disconnected'],
  ['an attempt', { state: { at: 'connecting' } }, 'yellow ring connecting'],
  ['a handshake', { state: { at: 'handshaking' } }, 'yellow ring handshaking'],
  ['a session', {}, 'green dot connected'],
  ['a session with a backlog', { waiting: 218 }, 'green dot connected, 218 waiting'],
  ['a goodbye', { state: { at: 'closing' } }, 'red ring disconnecting'],
  ['a failure', { state: refused, nextTryAt }, 'red ring connection refused, next try 04:03:20'],
  [
    'a failure with messages',
    { state: refused, nextTryAt, waiting: 3 },
    'red ring connection refused, next try 04:03:20, 3 waiting',
  ],
  ['trouble beside a session', { trouble: 'not kept' }, 'yellow dot connected, not kept'],
  [
    'trouble without a session',
    { state: { at: 'idle' }, trouble: 'not kept' },
    'red ring disconnected, not kept',
  ],
];

describe('the status under a node', () => {
  for (const [what, standing, expected] of table) {
    it(`tells of ${what}`, () => {
      const all = { state: up, nextTryAt: undefined, waiting: 0, trouble: undefined, ...standing };
      const { fill, shape, text } = statusOf(all, t) as Record<string, string>;
      assert.equal(`${fill} ${shape} ${text}`, expected);
    });
  }

  const errorOf = (act: () => unknown): USMPError => {
    try {
      act();
    } catch (error) {
      return error as USMPError;
    }
    throw new Error('no error');
  };
  const unusable: [string, USMPError, string][] = [
    ['a PSK that is missing', errorOf(() => parsePsk('', 'text')), 'no PSK set'],
    [
      'a PSK that is no Base64',
      errorOf(() => parsePsk('*', 'base64')),
      'PSK: needs Base64 text in this format',
    ],
    ['a port', errorOf(() => readNumber('port', '70000')), 'Port: needs a whole number from 1 to 65535'],
  ];
  for (const [what, error, text] of unusable) {
    it(`tells in a few words of settings that are not usable: ${what}`, () => {
      assert.deepEqual(unusableStatus(error, t), { fill: 'red', shape: 'ring', text });
    });
  }

  it('is that of no session when flows are stopped', () => {
    assert.deepEqual(stoppedStatus(t), { fill: 'red', shape: 'ring', text: 'disconnected' });
  });
});
