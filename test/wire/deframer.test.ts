import assert from 'node:assert/strict';
import { concat, toHex } from '../../src/wire/bytes.js';
import { Deframer } from '../../src/wire/deframer.js';
import { decodeFrame, type Frame } from '../../src/wire/frame.js';
import { framesOf } from '../support/frames.js';
import { flipBit, hex } from '../support/hex.js';
import { seeded } from '../support/random.js';
import { wire } from '../support/vectors.js';

const FRAMES = wire.frames.map(({ frame }) => hex(frame));
const STREAM = concat(...FRAMES);
const DECODED = FRAMES.map(decodeFrame);

/** What comes out of these chunks, and the error that ended it, if one did. */
function push(deframer: Deframer, ...chunks: readonly Uint8Array[]): { frames: Frame[]; error?: unknown } {
  const frames: Frame[] = [];
  try {
    for (const chunk of chunks) for (const frame of framesOf(deframer, chunk)) frames.push(frame);
    return { frames };
  } catch (error) {
    return { frames, error };
  }
}

describe('Deframer', () => {
  for (const frame of FRAMES) {
    it(`yields a frame of ${frame.length} bytes at its last byte and not before`, () => {
      const deframer = new Deframer();
      for (let at = 0; at < frame.length - 1; at++) {
        assert.deepEqual(push(deframer, frame.subarray(at, at + 1)), { frames: [] });
      }
      assert.deepEqual(push(deframer, frame.subarray(-1)), { frames: [decodeFrame(frame)] });
    });
  }

  it('yields all frames of one chunk, in order', () => {
    assert.deepEqual(push(new Deframer(), STREAM), { frames: DECODED });
  });

  it('yields the same frames however the stream is cut', () => {
    const random = seeded(1);
    for (let round = 0; round < 200; round++) {
      const chunks: Uint8Array[] = [];
      const longest = random.pick([2, 20, 600, 2000]);
      for (let at = 0; at < STREAM.length;) {
        const length = random.below(longest + 1);
        chunks.push(STREAM.subarray(at, at + length));
        at += length;
      }
      assert.deepEqual(push(new Deframer(), ...chunks), { frames: DECODED }, `round ${round}`);
    }
  });

  it('yields a frame without waiting for the rest of the next, and completes that later', () => {
    const deframer = new Deframer();
    const [first, second] = [FRAMES[0]!, FRAMES[1]!];
    assert.deepEqual(push(deframer, concat(first, second.subarray(0, 30))), { frames: [DECODED[0]] });
    assert.deepEqual(push(deframer, second.subarray(30)), { frames: [DECODED[1]] });
  });

  it('keeps what it holds back when the chunk is used again by its owner', () => {
    const deframer = new Deframer();
    const chunk = FRAMES[0]!.slice(0, 40);
    push(deframer, chunk);
    chunk.fill(0);
    assert.deepEqual(push(deframer, FRAMES[0]!.subarray(40)), { frames: [DECODED[0]] });
  });

  const refused = [
    { why: 'another magic, at the second byte', head: '47 45', name: 'MagicError', code: 'USMP_MAGIC' },
    {
      why: 'wire version 1, at the third byte',
      head: 'cdab 01',
      name: 'VersionError',
      code: 'USMP_WIRE_VERSION_1',
    },
    {
      why: 'another version, at the third byte',
      head: 'cdab 03',
      name: 'VersionError',
      code: 'USMP_VERSION',
    },
    {
      why: 'an unknown type, at the fourth byte',
      head: 'cdab 02 0c',
      name: 'FrameError',
      code: 'USMP_FRAME_TYPE',
    },
    {
      why: 'a length of 481, at the tenth byte',
      head: 'cdab 02 05 00000000 e101',
      name: 'PayloadError',
      code: 'USMP_PAYLOAD',
    },
    {
      why: 'a wrong crc, at the last byte',
      head: 'cdab 02 05 feffffff 0000 bbc1',
      name: 'CRCError',
      code: 'USMP_CRC',
    },
  ];
  for (const { why, head, name, code } of refused) {
    it(`refuses ${why}, with ${name} (${code})`, () => {
      const deframer = new Deframer();
      const bytes = hex(head);
      assert.deepEqual(push(deframer, bytes.subarray(0, -1)), { frames: [] });
      assert.throws(() => [...framesOf(deframer, bytes.subarray(-1))], { name, code });
    });
  }

  it("names wire version 1 in words, as a peer's old software is the likely reason", () => {
    assert.throws(() => [...framesOf(new Deframer(), hex('cdab01'))], /wire version 1/);
  });

  it('yields the frames before a fault in the same chunk', () => {
    const damaged = flipBit(FRAMES[2]!, 200);
    const { frames, error } = push(new Deframer(), concat(FRAMES[0]!, FRAMES[1]!, damaged, FRAMES[3]!));
    assert.deepEqual(frames, DECODED.slice(0, 2));
    assert.equal((error as Error).name, 'CRCError');
  });

  it('never holds back as much as 492 bytes: by then there is a frame or a refusal, whatever came', () => {
    const random = seeded(3);
    for (let round = 0; round < 500; round++) {
      const bytes = random.bytes(492);
      bytes.set(hex('cdab 02 05'));
      // Mostly a length that is allowed, so that the wait is for the whole of it.
      if (round % 10 > 0) bytes.set([random.below(256), random.below(2)], 8);
      const { frames, error } = push(new Deframer(), ...Array.from(bytes, (byte) => Uint8Array.of(byte)));
      assert.ok(frames.length > 0 || error !== undefined, toHex(bytes));
    }
  });
});
