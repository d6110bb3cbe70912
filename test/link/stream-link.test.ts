import assert from 'node:assert/strict';
import type { Link, Outgoing } from '../../src/link/link.js';
import { StreamLink } from '../../src/link/stream-link.js';
import { concat, toHex } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame, type Frame } from '../../src/wire/frame.js';

const frame = (seq: number): Frame => ({ type: FrameType.PING, seq, payload: Uint8Array.of(seq) });

const outgoing = (...bytes: number[]): Outgoing => ({
  ...{ bytes: Uint8Array.from(bytes), type: FrameType.DATA, seq: 0 },
  acknowledgedBy: () => assert.fail('nothing is acknowledged over a stream'),
});

const newLink = (): Link => new StreamLink();
const taken = (link: Link): string[] => link.take().map(toHex);

/** The numbers of the frames that have come. */
function numbers(link: Link): number[] {
  const arrival = link.next(0);
  return arrival?.kind === 'frame' ? [arrival.frame.seq, ...numbers(link)] : [];
}

describe('StreamLink', () => {
  it('sends frames that belong together in one write, and is done with them', () => {
    const link = newLink();
    assert.equal(link.send([outgoing(1), outgoing(2, 3)], 0), 2);
    assert.equal(link.send([outgoing(4)], 0), 1);
    assert.deepEqual(taken(link), ['010203', '04']);
    assert.deepEqual(taken(link), [], 'each is taken out once');
  });

  it('is free while the transport takes bytes', () => {
    const link = newLink();
    assert.equal(link.isFree, true);
    link.setWritable(false);
    assert.equal(link.isFree, false);
    link.setWritable(true);
    assert.equal(link.isFree, true);
  });

  it('sends a last frame only where the transport takes it', () => {
    const link = newLink();
    link.setWritable(false);
    link.sendLast(Uint8Array.of(1));
    assert.deepEqual(taken(link), []);
    link.setWritable(true);
    link.sendLast(Uint8Array.of(2));
    assert.deepEqual(taken(link), ['02']);
  });

  it('cuts what comes into frames, one a call, however it was cut on the way', () => {
    const bytes = concat(...[1, 2, 3].map((seq) => encodeFrame(frame(seq))));
    for (let size = 1; size <= bytes.length; size++) {
      const link = newLink();
      const seen: number[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        link.add(bytes.slice(at, at + size));
        seen.push(...numbers(link));
      }
      assert.deepEqual(seen, [1, 2, 3]);
    }
  });

  it('keeps what was not asked for until it is', () => {
    const link = newLink();
    link.add(concat(encodeFrame(frame(1)), encodeFrame(frame(2))));
    assert.deepEqual(link.next(0), { kind: 'frame', frame: frame(1) });
    link.add(encodeFrame(frame(3)));
    assert.deepEqual(numbers(link), [2, 3]);
  });

  it('throws at bytes that are no frame, which is the end of the stream', () => {
    const link = newLink();
    link.add(Uint8Array.of(0x47, 0x45, 0x54));
    assert.throws(() => link.next(0), { code: 'USMP_MAGIC' });
    assert.equal(link.isFaultFatal, true);
  });

  it('has nothing under way that could be repeated, acknowledged or lost', () => {
    const link = newLink();
    link.send([outgoing(1)], 0);
    link.take();
    assert.deepEqual(
      [link.deadline, link.tick(1e9), link.silence(1e9), link.answered(FrameType.DATA)],
      [undefined, undefined, undefined, false],
    );
    link.drop();
    link.handled(frame(1));
    link.acknowledge(frame(2), () => assert.fail('nor is a mac wanted'));
    assert.deepEqual([link.isFree, taken(link)], [true, []]);
  });

  it('gives out messages all the same while they are not taken: the caller does not read', () => {
    const link = newLink();
    link.isTaking = false;
    link.add(encodeFrame({ ...frame(7), type: FrameType.DATA }));
    assert.deepEqual(numbers(link), [7]);
  });
});
