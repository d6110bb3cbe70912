import assert from 'node:assert/strict';
import { DatagramLink, REPEATS } from '../../src/link/datagram-link.js';
import type { Outgoing } from '../../src/link/link.js';
import { sameBytes } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame, type Frame } from '../../src/wire/frame.js';
import { encodeUtack, type Utack } from '../../src/wire/utack.js';
import { nameOf } from '../support/path.js';

const BYTES = Uint8Array.of(1, 2, 3);

function outgoing(over: Partial<Outgoing> = {}): Outgoing {
  return { bytes: BYTES, type: 5, seq: 7, acknowledgedBy: () => true, ...over };
}

function linkAt(initialTimeoutMs = 500): DatagramLink {
  return new DatagramLink({ initialTimeoutMs });
}

/** Sends it, and takes out what that puts on the wire. */
function send(link: DatagramLink, frame: Outgoing, now: number): void {
  assert.equal(link.send([frame], now), 0, 'it is under way');
  assert.deepEqual(link.take(), [frame.bytes]);
}

/** A tick: what is sent again, `lost` when patience is at its end. */
function tick(link: DatagramLink, now: number): Uint8Array | 'lost' | undefined {
  const silence = link.tick(now);
  const [again, ...more] = link.take();
  assert.deepEqual(more, []);
  return silence ? 'lost' : again;
}

/** Whether this UTACK ends the repeats. */
function utack(link: DatagramLink, what: Utack, now: number): boolean {
  link.add(encodeUtack(what));
  return link.next(now)?.kind === 'delivered';
}

/** Ticks whenever a tick is due, and tells the times of the repeats and of the end. */
function runOut(link: DatagramLink): { repeats: number[]; lost: number } {
  const repeats: number[] = [];
  for (;;) {
    const now = link.deadline!;
    const due = tick(link, now);
    if (due === 'lost') return { repeats, lost: now };
    assert.equal(due, BYTES, 'the very same datagram is repeated');
    repeats.push(now);
  }
}

describe('DatagramLink', () => {
  it('wants nothing while no frame is under way', () => {
    const link = linkAt();
    assert.deepEqual([link.isFree, link.deadline, tick(link, 1e9)], [true, undefined, undefined]);
    assert.equal(utack(link, { type: 5, seq: 7 }, 0), false);
    assert.equal(link.answered(5), false);
  });

  it('sends what is under way again at once when the other side has moved, which is one of its sends', () => {
    const link = linkAt();
    link.moved(0);
    assert.deepEqual(link.take(), []);
    link.send([outgoing()], 0);
    link.moved(0);
    assert.deepEqual(link.take(), [BYTES], 'what has not left yet goes to the new place anyway');
    link.moved(100);
    assert.deepEqual([link.take(), link.repeats, link.deadline], [[BYTES], 1, 1_100]);
    assert.equal(utack(link, { type: 5, seq: 7 }, 150), true);
    link.moved(200);
    assert.deepEqual(link.take(), []);
  });

  it('repeats a frame at its deadline and not before, however often it is asked', () => {
    const link = linkAt();
    send(link, outgoing(), 1000);
    assert.deepEqual([link.isFree, link.deadline], [false, 1500]);
    assert.equal(tick(link, 1000), undefined);
    assert.equal(tick(link, 1499), undefined);
    assert.equal(tick(link, 1500), BYTES);
    assert.equal(tick(link, 1500), undefined);
    assert.equal(link.deadline, 2500);
  });

  it('waits for 1 s at least before it repeats a frame of the handshake, where it is told so (protocol §7.6)', () => {
    const link = new DatagramLink({ initialTimeoutMs: 200, handshakeTimeoutMs: 1000 });
    send(link, outgoing({ type: FrameType.CHALLENGE, seq: 0 }), 0);
    assert.deepEqual(runOut(link).repeats.slice(0, 4), [1000, 2000, 3000, 4000]);
    send(link, outgoing({ type: FrameType.DATA }), 0);
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
      send(link, outgoing(), 0);
      assert.deepEqual(runOut(link), { repeats, lost });
      assert.deepEqual([link.isFree, link.deadline], [true, undefined]);
    });
  }

  it('stays as patient on a path of 1 ms (protocol §4.2)', () => {
    const link = linkAt();
    send(link, outgoing(), 0);
    utack(link, { type: 5, seq: 7 }, 1);
    send(link, outgoing(), 10);
    const { repeats, lost } = runOut(link);
    assert.deepEqual(repeats.slice(0, 5), [60, 160, 360, 760, 1160]);
    assert.ok(lost >= 10_010 && lost < 10_510, String(lost));
  });

  it('sends five times even when every tick comes late', () => {
    const link = linkAt();
    send(link, outgoing(), 0);
    const results = [20_000, 40_000, 60_000, 80_000, 100_000].map((now) => tick(link, now));
    assert.deepEqual(results, [BYTES, BYTES, BYTES, BYTES, 'lost']);
  });

  const ignored = [
    { title: 'of another number', utack: { type: 5, seq: 8 }, acknowledgedBy: () => true },
    { title: 'of another type', utack: { type: 9, seq: 7 }, acknowledgedBy: () => true },
    { title: 'that the frame does not accept', utack: { type: 5, seq: 7 }, acknowledgedBy: () => false },
  ];
  for (const { title, utack: other, acknowledgedBy } of ignored) {
    it(`ignores a UTACK ${title}`, () => {
      const link = linkAt();
      send(link, outgoing({ acknowledgedBy }), 0);
      assert.equal(utack(link, other, 10), false);
      assert.equal(tick(link, 500), BYTES);
    });
  }

  it('shows the frame the whole UTACK, mac included', () => {
    const link = linkAt();
    const mac = new Uint8Array(8).fill(9);
    send(
      link,
      outgoing({ acknowledgedBy: (utack) => utack.mac !== undefined && sameBytes(utack.mac, mac) }),
      0,
    );
    assert.equal(utack(link, { type: 5, seq: 7 }, 10), false);
    assert.equal(utack(link, { type: 5, seq: 7, mac }, 20), true);
  });

  it('ends the repeats with the first UTACK, and the second is of no frame', () => {
    const link = linkAt();
    send(link, outgoing(), 0);
    assert.equal(utack(link, { type: 5, seq: 7 }, 10), true);
    assert.deepEqual([link.isFree, tick(link, 1e9)], [true, undefined]);
    assert.equal(utack(link, { type: 5, seq: 7 }, 20), false);
  });

  it('learns the round trip from a frame that was sent once', () => {
    const link = linkAt();
    send(link, outgoing(), 1000);
    utack(link, { type: 5, seq: 7 }, 1100);
    send(link, outgoing(), 2000);
    assert.equal(link.deadline, 2300);
  });

  it("learns nothing from a frame that was repeated, as either sending may be meant (Karn's rule)", () => {
    const link = linkAt();
    send(link, outgoing(), 1000);
    tick(link, 1500);
    utack(link, { type: 5, seq: 7 }, 1501);
    send(link, outgoing(), 2000);
    assert.equal(link.deadline, 2500);
  });

  it('learns nothing from an answer, which may have taken its time', () => {
    const link = linkAt();
    send(link, outgoing({ type: 1 }), 0);
    assert.equal(link.answered(3), false);
    assert.equal(link.answered(1), true);
    assert.equal(link.isFree, true);
    send(link, outgoing(), 1000);
    assert.equal(link.deadline, 1500);
  });

  it('takes a new frame in place of the one under way, with its own time and tries', () => {
    const link = linkAt();
    send(link, outgoing({ seq: 1 }), 0);
    tick(link, 500);
    send(link, outgoing({ seq: 2 }), 9000);
    assert.equal(link.deadline, 9500);
    assert.equal(utack(link, { type: 5, seq: 1 }, 9100), false);
    assert.deepEqual(runOut(link).repeats, [9500, 10_500, 12_500, 14_500, 16_500, 18_500]);
  });

  it('sends the first of several frames, and the next one when it is asked again', () => {
    const link = linkAt();
    const frames = [
      outgoing({ seq: 1, bytes: Uint8Array.of(1) }),
      outgoing({ seq: 2, bytes: Uint8Array.of(2) }),
    ];
    assert.equal(link.send(frames, 0), 0);
    assert.deepEqual(link.take(), [Uint8Array.of(1)]);
    assert.equal(utack(link, { type: 5, seq: 1 }, 10), true);
    assert.deepEqual(link.take(), []);
  });

  it('tells what a frame has met with that counts as lost', () => {
    const link = linkAt(5000);
    send(link, outgoing(), 1000);
    for (const now of [6000, 11_000, 16_000, 21_000]) assert.equal(tick(link, now), BYTES);
    assert.deepEqual(link.silence(22_000), { sends: 5, ms: 21_000 });
    assert.deepEqual(link.tick(26_000), { sends: 5, ms: 25_000 });
    assert.equal(link.silence(26_000), undefined);
  });

  it('sends a last frame past the one under way, and does not repeat it', () => {
    const link = linkAt();
    send(link, outgoing(), 0);
    link.sendLast(Uint8Array.of(9));
    assert.deepEqual(link.take(), [Uint8Array.of(9)]);
    assert.equal(tick(link, 500), BYTES);
  });

  it('is free or not whatever the socket takes, as what it does not take is as good as lost', () => {
    const link = linkAt();
    link.setWritable();
    assert.equal(link.isFree, true);
  });

  const hello: Frame = { type: FrameType.HELLO, seq: 0, payload: new Uint8Array(38) };
  const names = (link: DatagramLink): string[] => link.take().map(nameOf);
  function arrive(link: DatagramLink, frame: Frame): string | undefined {
    link.add(encodeFrame(frame));
    return link.next(0)?.kind;
  }

  it('acknowledges a frame of the handshake that was dealt with, and each repeat of it, which it passes over', () => {
    const link = linkAt();
    assert.equal(arrive(link, hello), 'frame');
    assert.deepEqual(names(link), [], 'not before it was dealt with');
    assert.equal(arrive(link, hello), 'frame', 'nor is it known then');
    link.handled(hello);
    assert.deepEqual(names(link), ['UTACK of HELLO 0']);
    assert.equal(arrive(link, hello), undefined);
    assert.deepEqual(names(link), ['UTACK of HELLO 0']);
    for (const other of [
      { ...hello, seq: 1 },
      { ...hello, type: FrameType.HELLO_ACK },
      { ...hello, payload: new Uint8Array(38).fill(1) },
    ]) {
      assert.equal(arrive(link, other), 'frame', 'another frame is no repeat');
    }
  });

  it('acknowledges a frame of the session with every mac that may be asked for', () => {
    const link = linkAt();
    const ping: Frame = { type: FrameType.PING, seq: 3, payload: new Uint8Array(28) };
    const macs = [new Uint8Array(8).fill(1), new Uint8Array(8).fill(2)];
    link.acknowledge(ping, () => macs);
    assert.deepEqual(
      link.take(),
      macs.map((mac) => encodeUtack({ type: FrameType.PING, seq: 3, mac })),
    );
  });

  it('passes over messages while they are not taken, unacknowledged, and nothing else', () => {
    const link = linkAt();
    const types = [FrameType.DATA, FrameType.DATA_FRAG, FrameType.PING, FrameType.BYE, FrameType.REKEY];
    const seen = () => types.map((type) => arrive(link, { ...hello, type }));
    link.isTaking = false;
    assert.deepEqual(seen(), [undefined, undefined, 'frame', 'frame', 'frame']);
    link.isTaking = true;
    assert.deepEqual(seen(), ['frame', 'frame', 'frame', 'frame', 'frame']);
    assert.deepEqual(names(link), []);
  });

  it('takes each datagram for itself: one that is no frame is a fault of its own, and the next one is read', () => {
    const link = linkAt();
    link.add(Uint8Array.of(0x47, 0x45, 0x54));
    assert.throws(() => link.next(0), { code: 'USMP_MAGIC' });
    assert.equal(link.next(0), undefined);
    assert.equal(arrive(link, hello), 'frame');
    assert.equal(link.isFaultFatal, false);
  });

  it('repeats sooner as a server, but not what belongs to the handshake (protocol §4.2, §7.3, §7.6)', () => {
    const first = (role: 'client' | 'server', type: FrameType): number | undefined => {
      const link = new DatagramLink(REPEATS[role]);
      send(link, outgoing({ type }), 0);
      return link.deadline;
    };
    assert.deepEqual([first('client', FrameType.HELLO), first('client', FrameType.DATA)], [500, 500]);
    assert.deepEqual([first('server', FrameType.CHALLENGE), first('server', FrameType.DATA)], [1000, 200]);
  });

  it('holds nothing more behind a datagram, so nobody has to come back for it', () => {
    assert.equal(linkAt().holdsMore, false);
  });
});
