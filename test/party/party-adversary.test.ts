/** What the network can do to a party: over a stream the session ends with the right error, over datagrams nothing changes. */
import assert from 'node:assert/strict';
import {
  CRCError,
  CryptoError,
  FrameError,
  HandshakeError,
  MagicError,
  PayloadError,
  SequenceError,
  type USMPError,
  VersionError,
} from '../../src/errors.js';
import { EMPTY } from '../../src/wire/bytes.js';
import { FrameType, MAX_PAYLOAD_BYTES, typeName } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { rawFrame } from '../support/forgery.js';
import { ascii, flipBit } from '../support/hex.js';
import { losing, pass, type Path, type Side } from '../support/path.js';
import { sealByHand } from '../support/sessions.js';
import { Duo, type DuoOptions } from '../support/wire-tap.js';

type ErrorClass = abstract new (...args: never[]) => USMPError;

interface Stage {
  readonly name: string;
  readonly side: Side;
  readonly reach: (options: DuoOptions) => Duo;
}

/** Holds the two at a point in the handshake: what would bring them further is lost. */
const held = (path: Path, side: Side, options: DuoOptions): Duo => {
  const duo = new Duo({ ...options, path }).start().run(100);
  assert.equal(duo[side].party.state, 'handshaking');
  return duo;
};

const TYPE_AT = 3;
const typed =
  (...types: readonly number[]) =>
  ({ bytes }: { bytes: Uint8Array }): boolean =>
    bytes[0] === 0xcd && types.includes(bytes[TYPE_AT]!);
const { HELLO, CHALLENGE, HELLO_ACK, SESSION_OK } = FrameType;

const HANDSHAKING: readonly Stage[] = [
  { name: 'a client after HELLO', side: 'client', reach: (o) => held(losing(typed(CHALLENGE)), 'client', o) },
  {
    name: 'a client after HELLO_ACK',
    side: 'client',
    reach: (o) => held(losing(typed(SESSION_OK)), 'client', o),
  },
  { name: 'a server before HELLO', side: 'server', reach: (o) => held(losing(typed(HELLO)), 'server', o) },
  {
    name: 'a server after CHALLENGE',
    side: 'server',
    reach: (o) => held(losing(typed(HELLO_ACK)), 'server', o),
  },
  {
    name: 'a server that looks up the key',
    side: 'server',
    reach: (o) => held(pass, 'server', { ...o, findsPsk: false }),
  },
];

const SESSION: readonly Stage[] = (['client', 'server'] as const).map((side) => ({
  name: `a ${side} in session`,
  side,
  reach: (o) => {
    const duo = new Duo(o).establish();
    for (const end of duo.ends) end.send('first');
    return duo.run(100);
  },
}));

interface Attack {
  readonly name: string;
  readonly bytes: (duo: Duo, side: Side) => Uint8Array;
  readonly error: ErrorClass;
  readonly code: string;
  /** Such frames are acknowledged over UDP, as they are genuine. */
  readonly withKeys?: boolean;
}

const TYPES = Object.values(FrameType);
const SEALED = TYPES.filter((type) => type >= FrameType.DATA && type !== FrameType.HELLO_RETRY);
const sealedPayload = new Uint8Array(40);

/** For every stage. */
const NO_FRAME: readonly Attack[] = [
  {
    name: 'other magic bytes',
    bytes: () => ascii('HTTP/1.1 400 Bad Request'),
    error: MagicError,
    code: 'USMP_MAGIC',
  },
  {
    name: 'magic bytes in the wrong order',
    bytes: () => rawFrame({ magic: 0xcdab, type: HELLO }),
    error: MagicError,
    code: 'USMP_MAGIC',
  },
  {
    name: 'wire version 1',
    bytes: () => rawFrame({ version: 1, type: HELLO, payload: new Uint8Array(38) }),
    error: VersionError,
    code: 'USMP_WIRE_VERSION_1',
  },
  {
    name: 'wire version 3',
    bytes: () => rawFrame({ version: 3, type: HELLO, payload: new Uint8Array(38) }),
    error: VersionError,
    code: 'USMP_VERSION',
  },
  ...[0x00, 0x0c, 0xff].map((type) => ({
    name: `a frame of unknown ${typeName(type)}`,
    bytes: () => rawFrame({ type, payload: new Uint8Array(28) }),
    error: FrameError,
    code: 'USMP_FRAME_TYPE',
  })),
  {
    name: 'a frame that is too long',
    bytes: () => rawFrame({ type: FrameType.DATA, payload: new Uint8Array(MAX_PAYLOAD_BYTES + 1) }),
    error: PayloadError,
    code: 'USMP_PAYLOAD',
  },
  {
    name: 'a header that claims 65,535 bytes',
    bytes: () => rawFrame({ type: FrameType.DATA, length: 0xffff }),
    error: PayloadError,
    code: 'USMP_PAYLOAD',
  },
  {
    name: 'a wrong CRC',
    bytes: () => rawFrame({ type: FrameType.PING, payload: sealedPayload, crcError: 1 }),
    error: CRCError,
    code: 'USMP_CRC',
  },
];

const BEFORE_SESSION: readonly Attack[] = SEALED.map((type) => ({
  name: `a sealed ${typeName(type)}`,
  bytes: () => rawFrame({ type, payload: sealedPayload }),
  error: HandshakeError,
  code: 'USMP_UNEXPECTED_FRAME',
}));

/** A frame that the other side could have sealed, with its true keys. */
const genuine = (
  duo: Duo,
  side: Side,
  type: FrameType,
  seq: number,
  plaintext: Uint8Array = EMPTY,
): Uint8Array => {
  const { sessionId, fromClient, fromServer } = duo.keys;
  const key = side === 'client' ? fromServer : fromClient;
  return encodeFrame(sealByHand({ key, sessionId, type, seq, plaintext }));
};
const altered = (bytes: Uint8Array, bit: number): Uint8Array => {
  const { type, seq, payload } = { type: bytes[TYPE_AT]!, seq: bytes[4]!, payload: bytes.slice(12) };
  return rawFrame({ type, seq, payload: flipBit(payload, bit) });
};

const IN_SESSION: readonly Attack[] = [
  ...TYPES.filter((type) => !SEALED.includes(type)).map((type) => ({
    name: `a ${typeName(type)}`,
    bytes: () => rawFrame({ type, payload: new Uint8Array(48) }),
    error: HandshakeError,
    code: 'USMP_UNEXPECTED_FRAME',
  })),
  {
    name: 'a payload without room for a tag',
    bytes: () => rawFrame({ type: FrameType.DATA, seq: 1, payload: new Uint8Array(27) }),
    error: PayloadError,
    code: 'USMP_PAYLOAD',
  },
  {
    name: 'a nonce that is not its own',
    bytes: (duo, side) => altered(genuine(duo, side, FrameType.DATA, 1), 8),
    error: CryptoError,
    code: 'USMP_NONCE',
  },
  {
    name: 'an altered tag',
    bytes: (duo, side) => altered(genuine(duo, side, FrameType.DATA, 1), 28 * 8 - 1),
    error: CryptoError,
    code: 'USMP_TAG',
  },
  {
    name: 'an altered ciphertext',
    bytes: (duo, side) => altered(genuine(duo, side, FrameType.DATA, 1, ascii('x')), 12 * 8),
    error: CryptoError,
    code: 'USMP_TAG',
  },
  {
    name: 'a type that was changed',
    bytes: (duo, side) => {
      const payload = genuine(duo, side, FrameType.PING, 1).slice(12);
      return rawFrame({ type: FrameType.BYE, seq: 1, payload });
    },
    error: CryptoError,
    code: 'USMP_TAG',
  },
  {
    name: "a frame sealed with the receiver's own key",
    bytes: (duo, side) => genuine(duo, side === 'client' ? 'server' : 'client', FrameType.DATA, 1),
    error: CryptoError,
    code: 'USMP_TAG',
  },
];

/** What keys make possible: over TCP the order is part of the stream, over UDP a gap is no fault. */
const OUT_OF_ORDER: readonly Attack[] = [
  {
    name: 'a replayed frame',
    bytes: (duo, side) => genuine(duo, side, FrameType.DATA, 0, ascii('first')),
    error: SequenceError,
    code: 'USMP_SEQUENCE',
    withKeys: true,
  },
  {
    name: 'a number that is not the next one',
    bytes: (duo, side) => genuine(duo, side, FrameType.PONG, 2),
    error: SequenceError,
    code: 'USMP_SEQUENCE',
    withKeys: true,
  },
  {
    name: 'a REKEY with a short salt',
    bytes: (duo, side) => genuine(duo, side, FrameType.REKEY, 1, new Uint8Array(31)),
    error: PayloadError,
    code: 'USMP_PAYLOAD',
    withKeys: true,
  },
];

const TABLE: readonly (readonly [readonly Stage[], readonly Attack[]])[] = [
  [HANDSHAKING, [...NO_FRAME, ...BEFORE_SESSION]],
  [SESSION, [...NO_FRAME, ...IN_SESSION, ...OUT_OF_ORDER]],
];

for (const [stages, attacks] of TABLE) {
  for (const { name, side, reach } of stages) {
    describe(name, () => {
      for (const { name: attack, bytes, error, code, withKeys } of attacks) {
        it(`ends over TCP with ${error.name} ${code} for ${attack}`, () => {
          const duo = reach({ over: 'stream' });
          duo[side].receive(bytes(duo, side));
          const { ending } = duo[side];
          assert.ok(ending instanceof error, `${String(ending)} after ${name}`);
          assert.equal(ending.code, code);
          assert.equal(duo[side].party.deadline, undefined);
        });

        it(`drops over UDP, and lives on after, ${attack}`, () => {
          const duo = reach({ over: 'datagram' });
          const { events, sent } = duo[side];
          const before = [events.length, sent.length];
          for (let i = 0; i < 3; i++) duo[side].receive(bytes(duo, side));
          assert.equal(events.length, before[0]);
          const answers = sent.slice(before[1]).filter(({ name }) => !withKeys || !name.startsWith('UTACK'));
          assert.deepEqual(answers, []);
          duo.path = pass;
          duo.providePsk();
          duo.until(() => duo.ends.every(({ party }) => party.state === 'established'));
          const texts = ['a', 'b', 'c', 'd'];
          for (const end of duo.ends) for (const text of texts) end.send(text);
          duo.quiet();
          // Who has the keys can use up numbers, and more than that.
          if (withKeys) assert.equal(duo[side].texts.at(-1), 'd');
          else for (const end of duo.ends) assert.deepEqual(end.texts.slice(-4), texts);
        });
      }
    });
  }
}
