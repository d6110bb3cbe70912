import assert from 'node:assert/strict';
import { USMPError } from '../../src/errors.js';
import { toHex } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { Deframer } from '../../src/wire/deframer.js';
import { checkHeader, decodeFrame, encodeAad, encodeFrame } from '../../src/wire/frame.js';
import { flipBit, hex } from '../support/hex.js';
import { framesOf } from '../support/frames.js';
import { seeded } from '../support/random.js';
import { frameTypeOf, wire } from '../support/vectors.js';

/** Any sound frame to damage. */
const SOUND = hex(wire.frames[2]!.frame);

describe('frames of the reference', () => {
  for (const row of wire.frames) {
    const title = `type ${row.type}, number ${row.seq}, ${row.payload.length / 2} payload bytes`;

    it(`are encoded alike: ${title}`, () => {
      const frame = { type: frameTypeOf(row.type), seq: row.seq, payload: hex(row.payload) };
      assert.equal(toHex(encodeFrame(frame)), row.frame);
      assert.equal(toHex(encodeAad(frame.type, row.seq, frame.payload.length)), row.frame.slice(0, 20));
    });

    it(`are decoded: ${title}`, () => {
      const { type, seq, payload } = decodeFrame(hex(row.frame));
      assert.deepEqual(
        { type, seq, payload: toHex(payload) },
        {
          type: row.type,
          seq: row.seq,
          payload: row.payload,
        },
      );
    });
  }
});

describe('encodeFrame', () => {
  it('refuses a payload of 481 bytes as a local fault', () => {
    const frame = { type: FrameType.DATA, seq: 0, payload: new Uint8Array(481) };
    assert.throws(() => encodeFrame(frame), { name: 'PayloadError', fault: 'local' });
  });

  it('makes a frame of 492 bytes from the largest payload', () => {
    const frame = { type: FrameType.DATA, seq: 0, payload: new Uint8Array(480) };
    assert.equal(encodeFrame(frame).length, 492);
  });
});

describe('decodeFrame', () => {
  const refused = [
    { why: 'no bytes at all', bytes: '', name: 'FrameError', code: 'USMP_FRAME' },
    {
      why: 'a header without its crc',
      bytes: 'cdab 02 05 00000000 0000',
      name: 'FrameError',
      code: 'USMP_FRAME',
    },
    {
      why: 'a swapped magic',
      bytes: 'abcd 02 05 00000000 0000 0000',
      name: 'MagicError',
      code: 'USMP_MAGIC',
    },
    {
      why: 'wire version 1',
      bytes: 'cdab 01 05 00000000 0000 0000',
      name: 'VersionError',
      code: 'USMP_WIRE_VERSION_1',
    },
    {
      why: 'wire version 3',
      bytes: 'cdab 03 05 00000000 0000 0000',
      name: 'VersionError',
      code: 'USMP_VERSION',
    },
    { why: 'type 0', bytes: 'cdab 02 00 00000000 0000 0000', name: 'FrameError', code: 'USMP_FRAME_TYPE' },
    { why: 'type 12', bytes: 'cdab 02 0c 00000000 0000 0000', name: 'FrameError', code: 'USMP_FRAME_TYPE' },
    {
      why: 'the reserved type 0xFF',
      bytes: 'cdab 02 ff 00000000 0000 0000',
      name: 'FrameError',
      code: 'USMP_FRAME_TYPE',
    },
    {
      why: 'a length of 481',
      bytes: 'cdab 02 05 00000000 e101 0000',
      name: 'PayloadError',
      code: 'USMP_PAYLOAD',
    },
    {
      why: 'fewer bytes than the length says',
      bytes: 'cdab 02 05 00000000 0200 0000 aa',
      name: 'FrameError',
      code: 'USMP_FRAME',
    },
    {
      why: 'more bytes than the length says',
      bytes: 'cdab 02 05 feffffff 0000 bac1 00',
      name: 'FrameError',
      code: 'USMP_FRAME',
    },
    { why: 'a wrong crc', bytes: 'cdab 02 05 feffffff 0000 bac2', name: 'CRCError', code: 'USMP_CRC' },
  ];
  for (const { why, bytes, name, code } of refused) {
    it(`refuses ${why} with ${name} (${code})`, () => {
      assert.throws(() => decodeFrame(hex(bytes)), { name, code });
    });
  }

  it('refuses a sound frame in which any one bit has turned over', () => {
    for (let bit = 0; bit < SOUND.length * 8; bit++) {
      assert.throws(() => decodeFrame(flipBit(SOUND, bit)), USMPError, `bit ${bit}`);
    }
  });

  it('refuses a sound frame that is cut short anywhere', () => {
    for (let end = 0; end < SOUND.length; end++) {
      assert.throws(() => decodeFrame(SOUND.subarray(0, end)), { name: 'FrameError' }, `${end} bytes`);
    }
  });

  it('hands out a payload that later changes of the input do not reach', () => {
    const bytes = Uint8Array.from(SOUND);
    const { payload } = decodeFrame(bytes);
    bytes.fill(0);
    assert.equal(toHex(payload), wire.frames[2]!.payload);
  });

  it('never throws anything but a USMPError, whatever the 20,000 inputs are made of', () => {
    const random = seeded(0x5eed);
    const outcomes = { frame: 0, refused: 0 };
    for (let i = 0; i < 20_000; i++) {
      const bytes = fuzzed(random);
      try {
        decodeFrame(bytes);
        outcomes.frame += 1;
      } catch (error) {
        if (!(error instanceof USMPError)) throw error;
        outcomes.refused += 1;
      }
    }
    // Both kinds must be among the inputs, or the test would show nothing.
    assert.ok(outcomes.frame > 500 && outcomes.refused > 5_000, JSON.stringify(outcomes));
  });
});

describe('checkHeader', () => {
  it('tells the size of the frame as soon as the length field is there, and not before', () => {
    for (let end = 0; end < 10; end++) assert.equal(checkHeader(SOUND.subarray(0, end)), undefined);
    for (const end of [10, 11, 12, SOUND.length])
      assert.equal(checkHeader(SOUND.subarray(0, end)), SOUND.length);
  });

  it('reads from the middle of a larger buffer', () => {
    const around = new Uint8Array(SOUND.length + 7);
    around.set(SOUND, 5);
    assert.equal(checkHeader(around.subarray(5, 5 + 10)), SOUND.length);
  });
});

/** Noise, a noisy frame whose header is right, or a sound frame with nothing, one or several bytes altered. */
function fuzzed(random: ReturnType<typeof seeded>): Uint8Array {
  const frame = hex(random.pick(wire.frames).frame);
  switch (random.below(4)) {
    case 0:
      return random.bytes(random.below(520));
    case 1:
      frame.set(random.bytes(Math.min(8, frame.length - 4)), 4);
      return frame.subarray(0, random.below(frame.length + 1));
    case 2:
      for (let n = random.below(4); n > 0; n--) frame[random.below(frame.length)] = random.below(256);
      return frame;
    default: {
      const payload = random.bytes(random.below(481));
      const bytes = encodeFrame({
        type: random.pick(Object.values(FrameType)),
        seq: random.below(2 ** 32),
        payload,
      });
      return random.below(2) ? bytes : flipBit(bytes, random.below(bytes.length * 8));
    }
  }
}

describe('what is read from a Buffer', () => {
  it('is a copy that later changes of the Buffer do not reach', () => {
    const buffer = Buffer.from(SOUND);
    const { payload } = decodeFrame(buffer);
    const before = toHex(payload);
    buffer.fill(0);
    assert.equal(toHex(payload), before);
  });

  it('is a copy in the deframer, too, which holds back an incomplete frame', () => {
    const deframer = new Deframer();
    const buffer = Buffer.from(SOUND.subarray(0, 20));
    assert.deepEqual([...framesOf(deframer, buffer)], []);
    buffer.fill(0);
    assert.equal([...framesOf(deframer, SOUND.subarray(20))].length, 1);
  });
});
