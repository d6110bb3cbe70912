import assert from 'node:assert/strict';
import {
  FrameType,
  isFrameType,
  isSealed,
  MAX_FRAGMENT_BYTES,
  MAX_FRAME_BYTES,
  MAX_MESSAGE_BYTES,
  SEAL_BYTES,
  typeName,
} from '../../src/wire/constants.js';

describe('frame types (protocol §1.3)', () => {
  const table = [
    { type: 0x01, name: 'HELLO', sealed: false },
    { type: 0x02, name: 'CHALLENGE', sealed: false },
    { type: 0x03, name: 'HELLO_ACK', sealed: false },
    { type: 0x04, name: 'SESSION_OK', sealed: false },
    { type: 0x05, name: 'DATA', sealed: true },
    { type: 0x06, name: 'PING', sealed: true },
    { type: 0x07, name: 'PONG', sealed: true },
    { type: 0x08, name: 'BYE', sealed: true },
    { type: 0x09, name: 'DATA_FRAG', sealed: true },
    { type: 0x0a, name: 'HELLO_RETRY', sealed: false },
    { type: 0x0b, name: 'REKEY', sealed: true },
  ];

  for (const { type, name, sealed } of table) {
    it(`0x${type.toString(16).padStart(2, '0')} is ${name}, ${sealed ? 'sealed' : 'in the clear'}`, () => {
      assert.ok(isFrameType(type));
      assert.equal(typeName(type), name);
      assert.equal(isSealed(type), sealed);
    });
  }

  it('are these eleven and no others, so that the reserved 0xFF is none either', () => {
    const known = Array.from({ length: 256 }, (_, type) => type).filter(isFrameType);
    assert.deepEqual(
      known,
      table.map(({ type }) => type),
    );
    assert.deepEqual(
      Object.values(FrameType).sort((a, b) => a - b),
      known,
    );
  });

  it('have a name to show even when they are unknown', () => {
    assert.equal(typeName(0xff), 'type 0xff');
    assert.equal(typeName(0), 'type 0x00');
  });
});

describe('sizes', () => {
  it('are those of protocol §1.1, §3.1 and §3.4', () => {
    assert.deepEqual(
      { MAX_FRAME_BYTES, SEAL_BYTES, MAX_FRAGMENT_BYTES, MAX_MESSAGE_BYTES },
      { MAX_FRAME_BYTES: 492, SEAL_BYTES: 28, MAX_FRAGMENT_BYTES: 452, MAX_MESSAGE_BYTES: 1808 },
    );
  });
});
