import assert from 'node:assert/strict';
import { checkKeptMailboxes } from '../../src/server/kept.js';
import { USMPServer } from '../../src/server/usmp-server.js';
import { PSK } from '../support/loopback.js';

const ID = 'a4:cf:12:00:00:01';
const message = { message: Uint8Array.of(1), delivery: 'confirmed' };
const longest = { ...message, message: new Uint8Array(1_808) };

describe('what is kept of the mailboxes of a server', () => {
  it('is a list of its own, with device ids in one notation', () => {
    const kept = checkKeptMailboxes([
      { deviceId: 'A4CF12000001', messages: [message, { ...message, key: 'k', maxAgeMs: 5 }] },
      { deviceId: ID, messages: [] },
    ]);
    assert.deepEqual(
      kept.map(({ deviceId, messages }) => [deviceId, messages.length]),
      [
        [ID, 2],
        [ID, 0],
      ],
    );
    assert.deepEqual(kept[0]!.messages[1], { ...message, key: 'k', maxAgeMs: 5 });
  });

  const wrong: Readonly<Record<string, unknown>> = {
    'is no list': { [ID]: [message] },
    'has no device': [{ messages: [message] }],
    'has nothing for a device': [null],
    'has another device id': [{ deviceId: 'nobody', messages: [message] }],
    'has no list of messages': [{ deviceId: ID, messages: message }],
    'has a message that is none': [{ deviceId: ID, messages: [{ ...message, message: 5 }] }],
    'has another delivery': [{ deviceId: ID, messages: [{ ...message, delivery: 'perhaps' }] }],
    'has another key': [{ deviceId: ID, messages: [{ ...message, key: 7 }] }],
    'has another age': [{ deviceId: ID, messages: [{ ...message, maxAgeMs: -1 }] }],
    'has more messages than any setting allows': [{ deviceId: ID, messages: Array(1_000_001).fill(message) }],
    'has more bytes than any setting allows': [{ deviceId: ID, messages: Array(600_000).fill(longest) }],
  };
  for (const [what, kept] of Object.entries(wrong)) {
    it(`is not taken when it ${what}, and then nothing of it`, () => {
      const server = new USMPServer({ psk: PSK });
      const all = Array.isArray(kept)
        ? [{ deviceId: ID, messages: [message] }, ...(kept as unknown[])]
        : kept;
      assert.throws(() => server.restore(all as never), {
        name: 'ArgumentError',
        field: 'kept',
      });
      assert.deepEqual(server.undelivered, []);
    });
  }

  it('is not taken with a message that is too long', () => {
    const long = { ...message, message: new Uint8Array(1_809) };
    assert.throws(() => checkKeptMailboxes([{ deviceId: ID, messages: [long] }]), { name: 'PayloadError' });
  });

  it('waits for devices that are not known otherwise, and leaves nothing where there is nothing', () => {
    const server = new USMPServer({ psk: PSK });
    server.restore([
      { deviceId: ID, messages: [message as never] },
      { deviceId: 'a4:cf:12:00:00:02', messages: [] },
    ]);
    assert.deepEqual(
      Array.from(server.devices, ({ deviceId, mailbox }) => [deviceId, mailbox?.queued]),
      [[ID, 1]],
    );
    assert.deepEqual(server.undelivered, [{ deviceId: ID, messages: [message] }]);
  });
});
