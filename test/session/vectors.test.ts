/** Session, AEAD and frame against the bytes of the reference. */
import assert from 'node:assert/strict';
import { Secret } from '../../src/crypto/secret.js';
import type { Session, SealedFrame } from '../../src/session/session.js';
import { concat, toHex } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { decodeFrame, encodeFrame } from '../../src/wire/frame.js';
import { fragment } from '../../src/wire/fragments.js';
import { hex } from '../support/hex.js';
import { scripted } from '../support/random.js';
import { makeSession, messages, sealByHand } from '../support/sessions.js';
import { frameTypeOf, suiteOf, wire } from '../support/vectors.js';

type Seal = (typeof wire.seals)[number];

/** Numbers up to here are reached by sealing PINGs; a session has no other way to a number. */
const REACHABLE = 1000;

function advance(session: Session, seq: number): Session {
  for (let n = 0; n < seq; n++) session.sealControl(FrameType.PING);
  return session;
}

/** The frame that a session seals for a row, by the call that makes frames of its type. */
function sealRow(row: Seal): SealedFrame {
  const plaintext = hex(row.plaintext);
  const session = makeSession({
    sessionId: hex(row.session_id),
    txKey: new Secret(hex(row.key)),
    suite: suiteOf(row.suite),
    random: scripted(plaintext),
  });
  advance(session, row.seq);
  switch (row.type) {
    case FrameType.DATA:
      return session.sealMessage(plaintext)[0]!;
    case FrameType.DATA_FRAG:
      return session.sealMessage(concat(plaintext, Uint8Array.of(0)))[0]!;
    case FrameType.REKEY:
      return session.sealRekey();
    default:
      return session.sealControl(row.type as typeof FrameType.PING);
  }
}

const KINDS: Record<number, string> = {
  [FrameType.DATA]: 'message',
  [FrameType.DATA_FRAG]: 'fragment',
  [FrameType.PING]: 'ping',
  [FrameType.PONG]: 'pong',
  [FrameType.BYE]: 'bye',
  [FrameType.REKEY]: 'rekey',
};

describe('seals of the reference', () => {
  for (const row of wire.seals) {
    const title = `${row.suite}, type ${row.type}, number ${row.seq}, ${row.plaintext.length / 2} bytes`;

    if (row.seq <= REACHABLE) {
      it(`are made by a session: ${title}`, () => {
        const { bytes, type, seq } = sealRow(row);
        assert.deepEqual([toHex(bytes), type, seq], [row.frame, row.type, row.seq]);
      });
    }

    it(`are opened by a session: ${title}`, () => {
      // Over UDP the first number may be any.
      const session = makeSession({
        over: 'datagram',
        sessionId: hex(row.session_id),
        rxKey: new Secret(hex(row.key)),
        suite: suiteOf(row.suite),
      });
      const { content } = session.open(decodeFrame(hex(row.frame)));
      assert.equal(content.kind, KINDS[row.type]);
      if (content.kind === 'message') assert.equal(toHex(content.data), row.plaintext);
    });
  }
});

describe('messages of the reference', () => {
  for (const row of wire.messages) {
    const message = hex(row.message);
    const title = `${message.length} bytes from number ${row.first_seq}`;
    const sessionId = hex(row.session_id);

    it(`are sealed by a session, byte for byte: ${title}`, () => {
      const session = makeSession({ sessionId, txKey: new Secret(hex(row.key)) });
      const frames = advance(session, row.first_seq).sealMessage(message);
      assert.deepEqual(
        frames.map(({ bytes }) => toHex(bytes)),
        row.frames,
      );
    });

    it(`are their fragments, each sealed by protocol §3.1: ${title}`, () => {
      const pieces = fragment(message);
      const frames = pieces.map((plaintext, i) => {
        const type = i < pieces.length - 1 ? FrameType.DATA_FRAG : FrameType.DATA;
        return encodeFrame(
          sealByHand({ key: hex(row.key), sessionId, type, seq: row.first_seq + i, plaintext }),
        );
      });
      assert.deepEqual(frames.map(toHex), row.frames);
    });

    it(`are opened by a session: ${title}`, () => {
      const session = makeSession({ over: 'datagram', sessionId, rxKey: new Secret(hex(row.key)) });
      const contents = row.frames.map((frame) => session.open(decodeFrame(hex(frame))).content);
      assert.deepEqual(messages(contents).map(toHex), [row.message]);
      assert.equal(contents.at(-1)!.kind, 'message');
    });
  }
});

describe('UTACK macs of the reference', () => {
  for (const { type, seq, key, utack } of wire.utacks) {
    if (key === null) continue;
    it(`are those of a session for a frame that it opened: type ${type}, number ${seq}`, () => {
      const session = makeSession({ over: 'datagram', rxKey: new Secret(hex(key)) });
      const frame = sealByHand({
        key: hex(key),
        type: frameTypeOf(type),
        seq,
        plaintext: new Uint8Array(32),
      });
      assert.equal(toHex(session.open(frame).utackMacs()[0]!), utack.slice(14));
    });

    if (type !== FrameType.DATA) continue;
    it(`are expected by the session that sealed the frame: type ${type}, number ${seq}`, () => {
      const session = makeSession({ over: 'datagram', txKey: new Secret(hex(key)) });
      const frame = advance(session, seq).sealMessage(new Uint8Array(0))[0]!;
      assert.equal(toHex(frame.utackMac), utack.slice(14));
      assert.equal(session.acknowledges(hex(utack.slice(14)), frame), true);
    });
  }
});

describe('rekeys of the reference', () => {
  wire.rekeys.forEach((row, i) => {
    const sessionId = hex(row.session_id);
    const [tx, rx] = [hex(row.initiator_tx), hex(row.initiator_rx)];
    const ping = (key: string) => sealByHand({ key: hex(key), sessionId, type: FrameType.PING, seq: 0 });

    it(`lead the side that sent REKEY to its new keys, row ${i + 1}`, () => {
      const session = makeSession({
        sessionId,
        txKey: new Secret(tx),
        rxKey: new Secret(rx),
        random: scripted(hex(row.salt)),
      });
      const rekey = sealByHand({
        key: tx,
        sessionId,
        type: FrameType.REKEY,
        seq: 0,
        plaintext: hex(row.salt),
      });
      assert.deepEqual(decodeFrame(session.sealRekey().bytes), rekey);
      assert.deepEqual(decodeFrame(session.sealControl(FrameType.PING).bytes), ping(row.new_initiator_tx));
      assert.equal(session.open(ping(row.new_initiator_rx)).content.kind, 'ping');
    });

    it(`lead the side that received it to the same, the other way round, row ${i + 1}`, () => {
      const session = makeSession({ sessionId, txKey: new Secret(rx), rxKey: new Secret(tx) });
      const rekey = sealByHand({
        key: tx,
        sessionId,
        type: FrameType.REKEY,
        seq: 0,
        plaintext: hex(row.salt),
      });
      assert.equal(session.open(rekey).content.kind, 'rekey');
      assert.deepEqual(decodeFrame(session.sealControl(FrameType.PING).bytes), ping(row.new_initiator_rx));
      assert.equal(session.open(ping(row.new_initiator_tx)).content.kind, 'ping');
    });
  });
});
