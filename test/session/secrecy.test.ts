import assert from 'node:assert/strict';
import { Secret } from '../../src/crypto/secret.js';
import { FrameType } from '../../src/wire/constants.js';
import { deliver, KEY_A, KEY_B, makePair, makeSession } from '../support/sessions.js';
import { assertHides } from '../support/secrecy.js';

const ZERO = new Uint8Array(32);

describe('the keys of a session', () => {
  it('are shown by no String(), JSON or util.inspect of the session or its frames', () => {
    const { a } = makePair('datagram');
    const plaintext = Uint8Array.from({ length: 40 }, (_, i) => 0x40 + i);
    const sealed = [...a.sealMessage(plaintext), a.sealControl(FrameType.PING)];
    assertHides(sealed, [KEY_A, KEY_B, plaintext]);
    assertHides(a, [KEY_A, KEY_B]);
    a.sealRekey();
    assertHides(a, [KEY_A, KEY_B]);
  });

  it('are not shown by what opening a frame returns, nor by the error when it fails', () => {
    const { a, b } = makePair('datagram');
    const ping = a.sealControl(FrameType.PING);
    const frame = { type: ping.type, seq: ping.seq, payload: ping.bytes.slice(12) };
    assertHides(b.open(frame), [KEY_A, KEY_B]);
    frame.payload.fill(0, 12);
    assert.throws(
      () => b.open(frame),
      (error) => {
        assertHides(error, [KEY_A, KEY_B]);
        return true;
      },
    );
  });

  it('are zero after wipe()', () => {
    const keys = { txKey: new Secret(KEY_A), rxKey: new Secret(KEY_B) };
    makeSession(keys).wipe();
    assert.deepEqual([keys.txKey.bytes, keys.rxKey.bytes], [ZERO, ZERO]);
  });

  it('are zero after wipe() between a REKEY and its end, the old receiving key among them', () => {
    const keys = { txKey: new Secret(KEY_A), rxKey: new Secret(KEY_B) };
    const a = makeSession({ over: 'datagram', ...keys });
    const { b } = makePair('datagram');
    const late = b.sealControl(FrameType.PING);
    a.sealRekey();
    assert.deepEqual(deliver(a, late), [{ kind: 'ping' }]);
    a.wipe();
    assert.deepEqual([keys.txKey.bytes, keys.rxKey.bytes], [ZERO, ZERO]);
  });
});
