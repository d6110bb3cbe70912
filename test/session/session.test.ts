import assert from 'node:assert/strict';
import { SUITES } from '../../src/crypto/aead.js';
import { EMPTY } from '../../src/wire/bytes.js';
import { MAX_FRAGMENT_BYTES, FrameType, typeName } from '../../src/wire/constants.js';
import { seeded } from '../support/random.js';
import {
  deliver,
  faultOf,
  KEY_A,
  KEY_B,
  makePair,
  messages,
  onWire,
  sealByHand,
} from '../support/sessions.js';
import { LINK_KINDS } from '../support/links.js';
import { ascii } from '../support/hex.js';

const TEXT = ascii('hello');

for (const over of LINK_KINDS) {
  describe(`a session over ${over}`, () => {
    for (const suite of SUITES) {
      for (const size of [0, 1, 452, 453, 904, 905, 1356, 1357, 1808]) {
        it(`carries a message of ${size} bytes both ways, with ${suite}`, () => {
          const { a, b } = makePair(over, suite);
          const message = seeded(size).bytes(size);
          const frames = a.sealMessage(message);
          const pieces = Math.max(1, Math.ceil(size / MAX_FRAGMENT_BYTES));
          assert.deepEqual(
            frames.map(({ seq }) => seq),
            [0, 1, 2, 3].slice(0, pieces),
          );
          const kinds = [...Array<string>(pieces - 1).fill('fragment'), 'message'];
          const contents = deliver(b, ...frames);
          assert.deepEqual(
            contents.map(({ kind }) => kind),
            kinds,
          );
          assert.deepEqual(messages(contents), [message]);
          assert.deepEqual(messages(deliver(a, ...b.sealMessage(message))), [message]);
        });
      }
    }

    it('refuses a message of 1,809 bytes and burns no number for it', () => {
      const { a, b } = makePair(over);
      assert.throws(() => a.sealMessage(new Uint8Array(1809)), {
        name: 'PayloadError',
        code: 'USMP_MESSAGE_TOO_LONG',
      });
      const frames = a.sealMessage(TEXT);
      assert.equal(frames[0]!.seq, 0);
      assert.deepEqual(messages(deliver(b, ...frames)), [TEXT]);
    });

    it('burns a number for each frame, whether or not it is sent', () => {
      const { a } = makePair(over);
      const numbers = [
        ...a.sealMessage(new Uint8Array(453)),
        a.sealControl(FrameType.PING),
        ...a.sealMessage(TEXT),
      ];
      assert.deepEqual(
        numbers.map(({ seq }) => seq),
        [0, 1, 2, 3],
      );
    });

    it('tells PING, PONG and BYE apart', () => {
      const { a, b } = makePair(over);
      const frames = ([FrameType.PING, FrameType.PONG, FrameType.BYE] as const).map((type) =>
        a.sealControl(type),
      );
      assert.deepEqual(deliver(b, ...frames), [{ kind: 'ping' }, { kind: 'pong' }, { kind: 'bye' }]);
    });

    it('refuses every alteration of type, number or payload, and then takes the frame as it was', () => {
      const { a, b } = makePair(over);
      const frame = onWire(a.sealMessage(TEXT)[0]!);
      const altered = [
        { ...frame, type: FrameType.DATA_FRAG },
        { ...frame, type: FrameType.BYE },
        { ...frame, seq: 1 },
        { ...frame, payload: frame.payload.subarray(0, -1) },
        { ...frame, payload: Uint8Array.of(...frame.payload, 0) },
      ];
      for (let at = 0; at < frame.payload.length; at++) {
        altered.push({ ...frame, payload: frame.payload.map((byte, i) => (i === at ? byte ^ 0x80 : byte)) });
      }
      for (const each of altered) assert.throws(() => b.open(each), { name: 'CryptoError' });
      assert.deepEqual(b.open(frame).content, { kind: 'message', data: TEXT });
    });

    const strangers = [
      { what: 'from another session', key: KEY_A, sessionId: new Uint8Array(16), code: 'USMP_NONCE' },
      { what: 'under the key of the other direction', key: KEY_B, sessionId: undefined, code: 'USMP_TAG' },
    ];
    for (const { what, key, sessionId, code } of strangers) {
      it(`refuses a frame ${what}`, () => {
        const { b } = makePair(over);
        const frame = sealByHand({ key, type: FrameType.PING, seq: 0, ...(sessionId && { sessionId }) });
        assert.throws(() => b.open(frame), { name: 'CryptoError', code });
        assert.equal(b.open(sealByHand({ key: KEY_A, type: FrameType.PING, seq: 0 })).content.kind, 'ping');
      });
    }

    it('refuses a frame of the other suite, in words that point to it', () => {
      const { b } = makePair(over, 'aes-256-gcm');
      const frame = sealByHand({ key: KEY_A, suite: 'chacha20-poly1305', type: FrameType.PING, seq: 0 });
      assert.throws(() => b.open(frame), { name: 'CryptoError', message: /another key or cipher suite/ });
    });

    for (const size of [0, 12, 27]) {
      it(`refuses a payload of ${size} bytes, which cannot be sealed`, () => {
        const { b } = makePair(over);
        const frame = { type: FrameType.DATA, seq: 0, payload: new Uint8Array(size) };
        assert.throws(() => b.open(frame), { name: 'PayloadError' });
      });
    }

    it('calls a sealed frame of a type that is never sealed a violation', () => {
      const { b } = makePair(over);
      const content = b.open(sealByHand({ key: KEY_A, type: FrameType.HELLO, seq: 0 })).content;
      assert.match(String(faultOf(content, 'violation')), /^CryptoError: a sealed HELLO/);
    });

    for (const type of [FrameType.PING, FrameType.PONG, FrameType.BYE, FrameType.REKEY]) {
      const verdict = over === 'stream' ? 'a violation' : 'what it is, giving up the message';
      it(`calls control frame ${type} between fragments ${verdict}, and takes the next message whole`, () => {
        const { b } = makePair(over);
        const made = (each: FrameType, seq: number, plaintext: Uint8Array = EMPTY) =>
          b.open(sealByHand({ key: KEY_A, type: each, seq, plaintext })).content;
        made(FrameType.DATA_FRAG, 0);
        const content = made(type, 1, new Uint8Array(type === FrameType.REKEY ? 32 : 0));
        if (over === 'stream') assert.equal(faultOf(content, 'violation').code, 'USMP_CONTROL_IN_MESSAGE');
        else assert.equal(content.kind, typeName(type).toLowerCase());
        // The rest of the message that was broken, then the next one.
        assert.equal(made(FrameType.DATA, 2).kind, 'fragment');
        assert.deepEqual(made(FrameType.DATA, 3, TEXT), { kind: 'message', data: TEXT });
      });
    }

    it('calls a message of five frames a violation at its fourth, and takes the next message whole', () => {
      const { b } = makePair(over);
      const kinds = [0, 1, 2, 3, 4, 5].map((seq) => {
        const type = seq < 4 ? FrameType.DATA_FRAG : FrameType.DATA;
        return b.open(sealByHand({ key: KEY_A, type, seq, plaintext: TEXT })).content.kind;
      });
      assert.deepEqual(kinds, ['fragment', 'fragment', 'fragment', 'violation', 'fragment', 'message']);
    });
  });
}

describe('a session over a stream', () => {
  it('refuses a replayed frame and one ahead, and then takes the next', () => {
    const { a, b } = makePair('stream');
    const [first, second, third] = [TEXT, TEXT, TEXT].map((text) => onWire(a.sealMessage(text)[0]!));
    b.open(first!);
    for (const frame of [first!, third!]) assert.throws(() => b.open(frame), { name: 'SequenceError' });
    assert.equal(b.open(second!).content.kind, 'message');
    assert.equal(b.open(third!).content.kind, 'message');
  });

  it('puts no UTACK macs on its frames', () => {
    assert.equal(makePair('stream').a.sealControl(FrameType.PING).utackMac.length, 0);
  });
});

describe('a session over datagrams', () => {
  it('takes a repeated frame once, and acknowledges the repeat with the same mac', () => {
    const { a, b } = makePair('datagram');
    const sealed = a.sealMessage(TEXT)[0]!;
    const [first, again] = [b.open(onWire(sealed)), b.open(onWire(sealed))];
    assert.deepEqual([first.content.kind, again.content.kind], ['message', 'repeat']);
    assert.deepEqual(first.utackMacs(), [sealed.utackMac]);
    assert.deepEqual(again.utackMacs(), [sealed.utackMac]);
  });

  it('takes a frame 63 before the newest, and calls one 64 before a repeat', () => {
    const { a, b } = makePair('datagram');
    const frames = Array.from({ length: 65 }, () => a.sealControl(FrameType.PING));
    const kinds = deliver(b, frames[64]!, frames[1]!, frames[0]!).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['ping', 'ping', 'repeat']);
  });

  it('does not let a forged number move the window', () => {
    const { a, b } = makePair('datagram');
    const forged = sealByHand({ key: KEY_B, type: FrameType.PING, seq: 5000 });
    assert.throws(() => b.open(forged), { name: 'CryptoError' });
    assert.deepEqual(deliver(b, a.sealControl(FrameType.PING)), [{ kind: 'ping' }]);
  });

  it('refuses a repeat that does not authenticate, so that it is not acknowledged', () => {
    const { a, b } = makePair('datagram');
    deliver(b, a.sealControl(FrameType.PING));
    const forged = sealByHand({ key: KEY_B, type: FrameType.PING, seq: 0 });
    assert.throws(() => b.open(forged), { name: 'CryptoError' });
  });

  it('gives up a message whose fragment is missing, and takes the next', () => {
    const { a, b } = makePair('datagram');
    const [f0, , f2] = a.sealMessage(new Uint8Array(1000));
    const contents = deliver(b, f0!, f2!, ...a.sealMessage(TEXT));
    assert.deepEqual(
      contents.map(({ kind }) => kind),
      ['fragment', 'violation', 'message'],
    );
    assert.match(
      String(contents[1]!.kind === 'violation' && contents[1]!.error),
      /SequenceError: .* missing/,
    );
  });

  it('ends when an authentic frame has the last number, 0xFFFFFFFF, and not one before', () => {
    const { b } = makePair('datagram');
    const before = sealByHand({ key: KEY_A, type: FrameType.DATA, seq: 0xfffffffe, plaintext: TEXT });
    assert.deepEqual(b.open(before).content, { kind: 'message', data: TEXT });
    const last = b.open(
      sealByHand({ key: KEY_A, type: FrameType.DATA, seq: 0xffffffff, plaintext: TEXT }),
    ).content;
    assert.match(String(faultOf(last, 'fatal')), /^SequenceError: .*counter has reached its end/);
  });

  it('is acknowledged by the mac of its own frame only', () => {
    const { a, b } = makePair('datagram');
    const [first, second] = [a.sealMessage(TEXT)[0]!, a.sealMessage(TEXT)[0]!];
    const mac = b.open(onWire(first)).utackMacs()[0]!;
    assert.equal(mac.length, 8);
    assert.equal(a.acknowledges(mac, first), true);
    assert.equal(a.acknowledges(mac, second), false);
    assert.equal(
      a.acknowledges(
        mac.map((byte, i) => (i === 7 ? byte ^ 1 : byte)),
        first,
      ),
      false,
    );
    for (const wrong of [new Uint8Array(0), mac.subarray(0, 7)])
      assert.equal(a.acknowledges(wrong, first), false);
    // Under the key of the other direction, for the same type and number.
    const [fromA, fromB] = [makePair('datagram').a, makePair('datagram').b].map((end) =>
      end.sealControl(FrameType.PING),
    );
    assert.equal(b.acknowledges(fromA!.utackMac, fromB!), false);
    assert.equal(b.acknowledges(fromB!.utackMac, fromB!), true);
  });

  it('delivers each message once, whatever the network repeats or reorders within the window', () => {
    const random = seeded(9);
    const { a, b } = makePair('datagram');
    const received: number[] = [];
    let underWay: { n: number; frame: ReturnType<typeof onWire>; left: number }[] = [];
    for (let n = 0; n < 1500; n++) {
      const frame = onWire(a.sealMessage(Uint8Array.of(n & 0xff, n >> 8))[0]!);
      underWay.push({ n, frame, left: 1 + random.below(3) });
      // A frame that has waited for 40 others goes now, as the window would not take it much later.
      const due = underWay.filter(({ n: sent }) => n - sent >= 40 || random.below(4) === 0);
      while (due.length > 0) {
        const next = due.splice(random.below(due.length), 1)[0]!;
        const { content } = b.open(next.frame);
        if (content.kind === 'message') received.push(content.data[0]! + content.data[1]! * 256);
        next.left -= 1;
      }
      underWay = underWay.filter(({ left }) => left > 0);
    }
    for (const { frame } of underWay) {
      const { content } = b.open(frame);
      if (content.kind === 'message') received.push(content.data[0]! + content.data[1]! * 256);
    }
    assert.notDeepEqual(
      received,
      [...received].sort((x, y) => x - y),
      'nothing was reordered',
    );
    assert.deepEqual(
      received.sort((x, y) => x - y),
      Array.from({ length: 1500 }, (_, n) => n),
    );
  });
});
