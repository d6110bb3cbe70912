/** A hundred thousand chunks and datagrams of rubbish, from seeds, against both sides at every point of a session. */
import assert from 'node:assert/strict';
import { Secret } from '../../src/crypto/secret.js';
import type { Handshake } from '../../src/handshake/handshake.js';
import { Party } from '../../src/party/party.js';
import type { LinkKind } from '../../src/wire/constants.js';
import { StreamLink } from '../../src/link/stream-link.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { forged, mangled, rawFrame } from '../support/forgery.js';
import { pass, type Path, type Side } from '../support/path.js';
import { seeded, seededRandom, type Seeded } from '../support/random.js';
import { KEY_A, KEY_B, sealByHand, SESSION_ID } from '../support/sessions.js';
import { DEVICE_ID, Duo } from '../support/wire-tap.js';

const TIMES = { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 };
const SIDES = ['client', 'server'] as const;

/** All that two peers send each other in a session, to be mangled. */
function recordings(over: LinkKind): Uint8Array[] {
  const duo = new Duo({ over, seed: 77 }).establish();
  for (const end of duo.ends) {
    end.send('short');
    end.send('long '.repeat(300));
    end.ping();
  }
  duo.quiet();
  duo.client.rekey();
  duo.quiet();
  duo.client.close();
  duo.quiet();
  return duo.wire.map(({ bytes }) => bytes);
}

const upTo =
  (type: number): Path =>
  ({ bytes }) =>
    bytes[0] === 0xcd && bytes[3] === type ? [] : [{}];

interface Stage {
  readonly name: string;
  readonly side: Side;
  readonly path: Path;
  readonly findsPsk?: boolean;
}

const STAGES: readonly Stage[] = [
  { name: 'a client after HELLO', side: 'client', path: upTo(FrameType.CHALLENGE) },
  { name: 'a client after HELLO_ACK', side: 'client', path: upTo(FrameType.SESSION_OK) },
  { name: 'a server before HELLO', side: 'server', path: upTo(FrameType.HELLO) },
  { name: 'a server after CHALLENGE', side: 'server', path: upTo(FrameType.HELLO_ACK) },
  { name: 'a server that looks up the key', side: 'server', path: pass, findsPsk: false },
  { name: 'a client in session', side: 'client', path: pass },
  { name: 'a server in session', side: 'server', path: pass },
];

const inSession = ({ name }: Stage): boolean => name.endsWith('in session');

function reach(stage: Stage, over: LinkKind, seed: number): Duo {
  const { path, findsPsk } = stage;
  return new Duo({ over, path, seed, ...(findsPsk === false && { findsPsk }) }).start().run(150);
}

/** Feeds a party and takes out what comes: nothing is thrown, and no more comes out than went in. */
function feed(party: Party, bytes: Uint8Array, now: number): void {
  party.receive(bytes, now);
  const { outbound, events } = party.take();
  assert.ok(outbound.length <= 2, `${outbound.length} datagrams in answer to one`);
  assert.ok(events.length <= 3, `${events.length} events for one`);
}

describe('rubbish over UDP', () => {
  const originals = recordings('datagram');
  const DATAGRAMS = 5_000;

  for (const stage of STAGES) {
    it(`is dropped by ${stage.name}, which then goes on as if nothing had come`, () => {
      const duo = reach(stage, 'datagram', 1);
      const random = seeded(101);
      const { party } = duo[stage.side];
      const all = [...originals, ...duo.wire.map(({ bytes }) => bytes)];
      for (let i = 0; i < DATAGRAMS; i++) {
        const bytes = mangled(random, all);
        // What is left whole would be no rubbish: a replay, or a forgery that no CRC gives away.
        if (!all.some((each) => Buffer.compare(each, bytes) === 0)) feed(party, bytes, duo.now);
      }
      duo.path = pass;
      if (stage.findsPsk === false) duo.providePsk();
      duo.until(() => duo.ends.every((end) => end.party.state === 'established'));
      for (const end of duo.ends) end.send('after');
      duo.quiet();
      for (const end of duo.ends) assert.deepEqual(end.texts, ['after']);
    });

    it(`is dropped by ${stage.name}, or taken for what it looks like, when its CRC is right`, () => {
      const duo = reach(stage, 'datagram', 2);
      const random = seeded(102);
      const { party } = duo[stage.side];
      const all = [...originals, ...duo.wire.map(({ bytes }) => bytes)];
      for (let i = 0; i < DATAGRAMS; i++) feed(party, forged(random, all), duo.now);
      if (!inSession(stage)) return;
      for (const end of duo.ends) end.send('after');
      duo.quiet();
      for (const end of duo.ends) assert.deepEqual(end.texts, ['after']);
    });
  }
});

/** Has the session with its first frame: thousands of them cost next to nothing. */
function instantHandshake(role: Side): Handshake {
  const keys = role === 'client' ? [KEY_A, KEY_B] : [KEY_B, KEY_A];
  return {
    role,
    start: () => undefined,
    receive: () => ({
      established: {
        sessionId: SESSION_ID,
        deviceId: DEVICE_ID,
        txKey: new Secret(keys[0]!),
        rxKey: new Secret(keys[1]!),
      },
    }),
    failure: () => assert.fail('not in a handshake'),
    wipe: () => undefined,
  };
}

function instantParty(side: Side): Party {
  const random = seededRandom(5);
  const handshake = instantHandshake(side);
  const party = new Party({ handshake, link: new StreamLink(), suite: 'aes-256-gcm', random, times: TIMES });
  party.start(0);
  party.receive(rawFrame({ type: FrameType.HELLO }), 0);
  assert.equal(party.state, 'established');
  party.take();
  return party;
}

/** Cuts a stream into pieces of any size. */
function* torn(random: Seeded, stream: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < stream.length;) {
    const size = 1 + random.below(random.below(10) === 0 ? 600 : 20);
    yield stream.subarray(at, at + size);
    at += size;
  }
}

describe('rubbish over TCP', () => {
  const originals = recordings('stream');

  for (const stage of STAGES.filter((each) => !inSession(each))) {
    it(`ends ${stage.name} with an error of its own, and nothing is thrown`, () => {
      const random = seeded(103);
      for (let i = 0; i < 100; i++) {
        const duo = reach(stage, 'stream', i);
        const { party } = duo[stage.side];
        for (let j = 0; j < 30; j++) {
          feed(party, (i % 2 ? mangled : forged)(random, originals), duo.now);
        }
        assert.equal(party.state, 'closed');
      }
    });
  }

  for (const side of SIDES) {
    it(`ends a ${side} in session with an error of its own, after what came whole before`, () => {
      const random = seeded(104);
      const key = side === 'client' ? KEY_B : KEY_A;
      const good = Array.from({ length: 3 }, (_, seq) =>
        encodeFrame(sealByHand({ key, type: FrameType.DATA, seq, plaintext: Uint8Array.of(seq) })),
      );
      for (let i = 0; i < 1_000; i++) {
        const party = instantParty(side);
        const whole = random.below(4);
        let messages = 0;
        let closed = 0;
        const bad = (i % 2 ? mangled : forged)(random, originals);
        const rest = Array.from({ length: 3 }, () => random.bytes(600));
        for (const chunk of torn(
          random,
          Uint8Array.from([...good.slice(0, whole), bad, ...rest].flatMap((each) => [...each])),
        )) {
          party.receive(chunk, 0);
          const { events } = party.take();
          messages += events.filter(({ type }) => type === 'message').length;
          closed += events.filter(({ type }) => type === 'closed').length;
        }
        assert.equal(messages, whole);
        assert.deepEqual([party.state, closed], ['closed', 1]);
      }
    });
  }
});

describe('a torn stream', () => {
  for (const side of SIDES) {
    it(`brings a ${side} the same messages, however it is cut`, () => {
      const random = seeded(105);
      const key = side === 'client' ? KEY_B : KEY_A;
      const frames = Array.from({ length: 40 }, (_, seq) =>
        encodeFrame(
          sealByHand({ key, type: FrameType.DATA, seq, plaintext: random.bytes(random.below(453)) }),
        ),
      );
      const stream = Uint8Array.from(frames.flatMap((frame) => [...frame]));
      const bytewise = Array.from(stream, (byte) => Uint8Array.of(byte));
      const cuts = [[stream], bytewise, ...Array.from({ length: 5 }, () => [...torn(random, stream)])];
      for (const chunks of cuts) {
        const party = instantParty(side);
        for (const chunk of chunks) party.receive(chunk, 0);
        const { events } = party.take();
        assert.equal(events.filter(({ type }) => type === 'message').length, 40);
        assert.equal(party.state, 'established');
      }
    });
  }

  it('brings both sides through a whole session byte by byte', () => {
    const bytewise: Path = ({ bytes }) => Array.from(bytes, (byte) => ({ bytes: Uint8Array.of(byte) }));
    const duo = new Duo({ over: 'stream', path: bytewise }).establish();
    for (const end of duo.ends) end.send('byte by byte');
    duo.quiet();
    duo.client.rekey();
    for (const end of duo.ends) end.send('and again');
    duo.quiet();
    for (const end of duo.ends) assert.deepEqual(end.texts, ['byte by byte', 'and again']);
  });
});
