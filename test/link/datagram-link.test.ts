import assert from 'node:assert/strict';
import { FrameType } from '../../src/wire/constants.js';
import { DatagramLink, type Outgoing } from '../../src/link/datagram-link.js';

const BYTES = Uint8Array.of(1, 2, 3);

function outgoing(over: Partial<Outgoing> = {}): Outgoing {
  return { bytes: BYTES, type: 5, seq: 7, acknowledgedBy: () => true, ...over };
}

function linkAt(initialTimeoutMs = 500): DatagramLink {
  return new DatagramLink({ initialTimeoutMs });
}

/** Ticks whenever a tick is due, and tells the times of the repeats and of the end. */
function runOut(link: DatagramLink): { repeats: number[]; lost: number } {
  const repeats: number[] = [];
  for (;;) {
    const now = link.deadline!;
    const due = link.tick(now);
    if (due === 'lost') return { repeats, lost: now };
    assert.equal(due, BYTES, 'the very same datagram is repeated');
    repeats.push(now);
  }
}

describe('DatagramLink', () => {
  it('wants nothing while no frame is under way', () => {
    const link = linkAt();
    assert.deepEqual([link.busy, link.deadline, link.tick(1e9)], [false, undefined, undefined]);
    assert.equal(link.utack({ type: 5, seq: 7 }, 0), false);
    assert.equal(link.answered(5), false);
  });

  it('repeats a frame at its deadline and not before, however often it is asked', () => {
    const link = linkAt();
    link.sent(outgoing(), 1000);
    assert.deepEqual([link.busy, link.deadline], [true, 1500]);
    assert.equal(link.tick(1000), undefined);
    assert.equal(link.tick(1499), undefined);
    assert.equal(link.tick(1500), BYTES);
    assert.equal(link.tick(1500), undefined);
    assert.equal(link.deadline, 2500);
  });

  it('waits for 1 s at least before it repeats a frame of the handshake, where it is told so (protocol §7.6)', () => {
    const link = new DatagramLink({ initialTimeoutMs: 200, handshakeTimeoutMs: 1000 });
    link.sent(outgoing({ type: FrameType.CHALLENGE, seq: 0 }), 0);
    assert.deepEqual(runOut(link).repeats.slice(0, 4), [1000, 2000, 3000, 4000]);
    link.sent(outgoing({ type: FrameType.DATA }), 0);
    assert.equal(link.deadline, 200);
  });

  const schedules = [
    {
      title: 'a client before anything was measured',
      link: linkAt(500),
      repeats: [500, 1500, 3500, 5500, 7500, 9500],
      lost: 11_500,
    },
    {
      title: 'a server before anything was measured',
      link: linkAt(200),
      repeats: [200, 600, ...Array.from({ length: 11 }, (_, i) => 1400 + i * 800)],
      lost: 10_200,
    },
    { title: 'a path of 5 s', link: linkAt(5000), repeats: [5000, 10_000, 15_000, 20_000], lost: 25_000 },
  ];
  for (const { title, link, repeats, lost } of schedules) {
    it(`gives a frame up after 5 sends and 10 s at least: ${title}`, () => {
      link.sent(outgoing(), 0);
      assert.deepEqual(runOut(link), { repeats, lost });
      assert.deepEqual([link.busy, link.deadline], [false, undefined]);
    });
  }

  it('stays as patient on a path of 1 ms (protocol §4.2)', () => {
    const link = linkAt();
    link.sent(outgoing(), 0);
    link.utack({ type: 5, seq: 7 }, 1);
    link.sent(outgoing(), 10);
    const { repeats, lost } = runOut(link);
    assert.deepEqual(repeats.slice(0, 5), [60, 160, 360, 760, 1160]);
    assert.ok(lost >= 10_010 && lost < 10_510, String(lost));
  });

  it('sends five times even when every tick comes late', () => {
    const link = linkAt();
    link.sent(outgoing(), 0);
    const results = [20_000, 40_000, 60_000, 80_000, 100_000].map((now) => link.tick(now));
    assert.deepEqual(results, [BYTES, BYTES, BYTES, BYTES, 'lost']);
  });

  const ignored = [
    { title: 'of another number', utack: { type: 5, seq: 8 }, acknowledgedBy: () => true },
    { title: 'of another type', utack: { type: 9, seq: 7 }, acknowledgedBy: () => true },
    { title: 'that the frame does not accept', utack: { type: 5, seq: 7 }, acknowledgedBy: () => false },
  ];
  for (const { title, utack, acknowledgedBy } of ignored) {
    it(`ignores a UTACK ${title}`, () => {
      const link = linkAt();
      link.sent(outgoing({ acknowledgedBy }), 0);
      assert.equal(link.utack(utack, 10), false);
      assert.equal(link.tick(500), BYTES);
    });
  }

  it('shows the frame the whole UTACK, mac included', () => {
    const link = linkAt();
    const mac = new Uint8Array(8).fill(9);
    link.sent(outgoing({ acknowledgedBy: (utack) => utack.mac === mac }), 0);
    assert.equal(link.utack({ type: 5, seq: 7 }, 10), false);
    assert.equal(link.utack({ type: 5, seq: 7, mac }, 20), true);
  });

  it('ends the repeats with the first UTACK, and the second is of no frame', () => {
    const link = linkAt();
    link.sent(outgoing(), 0);
    assert.equal(link.utack({ type: 5, seq: 7 }, 10), true);
    assert.deepEqual([link.busy, link.tick(1e9)], [false, undefined]);
    assert.equal(link.utack({ type: 5, seq: 7 }, 20), false);
  });

  it('learns the round trip from a frame that was sent once', () => {
    const link = linkAt();
    link.sent(outgoing(), 1000);
    link.utack({ type: 5, seq: 7 }, 1100);
    link.sent(outgoing(), 2000);
    assert.equal(link.deadline, 2300);
  });

  it("learns nothing from a frame that was repeated, as either sending may be meant (Karn's rule)", () => {
    const link = linkAt();
    link.sent(outgoing(), 1000);
    link.tick(1500);
    link.utack({ type: 5, seq: 7 }, 1501);
    link.sent(outgoing(), 2000);
    assert.equal(link.deadline, 2500);
  });

  it('learns nothing from an answer, which may have taken its time', () => {
    const link = linkAt();
    link.sent(outgoing({ type: 1 }), 0);
    assert.equal(link.answered(3), false);
    assert.equal(link.answered(1), true);
    assert.equal(link.busy, false);
    link.sent(outgoing(), 1000);
    assert.equal(link.deadline, 1500);
  });

  it('takes a new frame in place of the one under way, with its own time and tries', () => {
    const link = linkAt();
    link.sent(outgoing({ seq: 1 }), 0);
    link.tick(500);
    link.sent(outgoing({ seq: 2 }), 9000);
    assert.equal(link.deadline, 9500);
    assert.equal(link.utack({ type: 5, seq: 1 }, 9100), false);
    assert.deepEqual(runOut(link).repeats, [9500, 10_500, 12_500, 14_500, 16_500, 18_500]);
  });
});
