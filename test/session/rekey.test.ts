import assert from 'node:assert/strict';
import { utackMac } from '../../src/crypto/proofs.js';
import { deriveRekeyedKeys } from '../../src/crypto/schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { FrameType } from '../../src/wire/constants.js';
import { seeded, seededRandom } from '../support/random.js';
import {
  deliver,
  faultOf,
  KEY_A,
  KEY_B,
  makePair,
  makeSession,
  messages,
  onWire,
  sealByHand,
  SESSION_ID,
} from '../support/sessions.js';
import { LINK_KINDS } from '../support/links.js';
import { ascii } from '../support/hex.js';

const TEXT = ascii('hello');

for (const over of LINK_KINDS) {
  describe(`REKEY over ${over} (protocol §3.8)`, () => {
    it('moves both sides to new keys and counts from 0 again', () => {
      const { a, b } = makePair(over);
      const before = a.sealMessage(TEXT)[0]!;
      deliver(b, before);
      deliver(a, ...b.sealMessage(TEXT));
      const rekey = a.sealRekey();
      assert.deepEqual([rekey.type, rekey.seq], [FrameType.REKEY, 1]);
      assert.deepEqual(deliver(b, rekey), [{ kind: 'rekey' }]);
      const [fromA, fromB] = [a.sealMessage(TEXT)[0]!, b.sealMessage(TEXT)[0]!];
      assert.deepEqual([fromA.seq, fromB.seq], [0, 0]);
      assert.notDeepEqual(fromA.bytes, before.bytes);
      assert.deepEqual(messages([...deliver(b, fromA), ...deliver(a, fromB)]), [TEXT, TEXT]);
    });

    it('may come from either side, many times over', () => {
      const { a, b } = makePair(over);
      const random = seeded(11);
      for (let round = 0; round < 40; round++) {
        const [from, to] = random.below(2) ? [a, b] : [b, a];
        assert.equal(from.canRekey, true, `round ${round}`);
        assert.deepEqual(deliver(to, from.sealRekey()), [{ kind: 'rekey' }]);
        const message = random.bytes(random.below(1809));
        assert.deepEqual(messages(deliver(from, ...to.sealMessage(message))), [message]);
        assert.deepEqual(messages(deliver(to, ...from.sealMessage(message))), [message]);
      }
    });

    it('may not be sent again until the first frame under the new key has come', () => {
      const { a, b } = makePair(over);
      const old = b.sealMessage(TEXT);
      assert.equal(a.canRekey, true);
      deliver(b, a.sealRekey());
      assert.equal(a.canRekey, false);
      deliver(a, ...old);
      assert.equal(a.canRekey, false);
      deliver(a, ...b.sealMessage(TEXT));
      assert.equal(a.canRekey, true);
    });

    it('lets frames that were under way arrive under the old key and in the old order', () => {
      const { a, b } = makePair(over);
      deliver(a, ...b.sealMessage(TEXT));
      const underWay = [
        ...b.sealMessage(new Uint8Array(1000)),
        b.sealControl(FrameType.PING),
        ...b.sealMessage(TEXT),
      ];
      // REKEY is sent in the middle of the first message.
      deliver(a, underWay[0]!);
      const rekey = a.sealRekey();
      const contents = deliver(a, ...underWay.slice(1));
      assert.deepEqual(
        contents.map(({ kind }) => kind),
        ['fragment', 'message', 'ping', 'message'],
      );
      assert.deepEqual(messages(contents), [new Uint8Array(1000), TEXT]);
      deliver(b, rekey);
      assert.deepEqual(messages(deliver(a, ...b.sealMessage(TEXT))), [TEXT]);
    });

    it('lets the old key go with the first frame under the new one', () => {
      const { a, b } = makePair(over);
      const late = b.sealMessage(TEXT)[0]!;
      deliver(b, a.sealRekey());
      deliver(a, ...b.sealMessage(TEXT));
      assert.throws(() => a.open(onWire(late)), { name: /^(CryptoError|SequenceError)$/ });
    });

    it('does not take a forged frame for the first under the new key', () => {
      const { a, b } = makePair(over);
      const late = b.sealMessage(TEXT)[0]!;
      a.sealRekey();
      const forged = sealByHand({ key: KEY_A, type: FrameType.PING, seq: 0 });
      assert.throws(() => a.open(forged), { name: 'CryptoError' });
      assert.equal(a.canRekey, false);
      assert.deepEqual(messages(deliver(a, late)), [TEXT]);
    });

    it('ends the session on both sides when two cross, by the name USMP_REKEY_CROSSED', () => {
      const { a, b } = makePair(over);
      const [fromA, fromB] = [a.sealRekey(), b.sealRekey()];
      for (const content of [...deliver(a, fromB), ...deliver(b, fromA)]) {
        assert.equal(faultOf(content, 'fatal').code, 'USMP_REKEY_CROSSED');
      }
    });

    it('does not cross with a REKEY that is sealed under the new key already', () => {
      const { a, b } = makePair(over);
      assert.deepEqual(deliver(b, a.sealRekey()), [{ kind: 'rekey' }]);
      deliver(b, ...a.sealMessage(TEXT));
      assert.equal(b.canRekey, true);
      assert.deepEqual(deliver(a, b.sealRekey()), [{ kind: 'rekey' }]);
      assert.deepEqual(messages(deliver(b, ...a.sealMessage(TEXT))), [TEXT]);
      assert.deepEqual(messages(deliver(a, ...b.sealMessage(TEXT))), [TEXT]);
    });

    for (const size of [0, 31, 33]) {
      it(`is a violation with a salt of ${size} bytes, and changes no key`, () => {
        const { a, b } = makePair(over);
        const plaintext = new Uint8Array(size);
        const content = b.open(sealByHand({ key: KEY_A, type: FrameType.REKEY, seq: 0, plaintext })).content;
        assert.match(String(faultOf(content, 'violation')), /^PayloadError: .*salt/);
        const next = sealByHand({ key: KEY_A, type: FrameType.DATA, seq: 1, plaintext: TEXT });
        assert.deepEqual(b.open(next).content, { kind: 'message', data: TEXT });
        assert.deepEqual(messages(deliver(a, ...b.sealMessage(TEXT))), [TEXT]);
      });
    }

    it('wipes the old sending key at once and the old receiving key once it is of no more use', () => {
      const zero = new Uint8Array(32);
      const keys = { txKey: new Secret(KEY_A), rxKey: new Secret(KEY_B) };
      const a = makeSession({ over, ...keys });
      const { b } = makePair(over);
      deliver(b, a.sealRekey());
      assert.deepEqual([keys.txKey.bytes, keys.rxKey.bytes], [zero, KEY_B]);
      deliver(a, b.sealControl(FrameType.PING));
      assert.deepEqual([keys.txKey.bytes, keys.rxKey.bytes], [zero, zero]);
    });

    it('wipes the old keys of the side that receives it in the same way', () => {
      const zero = new Uint8Array(32);
      const keys = { txKey: new Secret(KEY_B), rxKey: new Secret(KEY_A) };
      const b = makeSession({ over, ...keys });
      const { a } = makePair(over);
      deliver(b, a.sealRekey());
      assert.deepEqual([keys.txKey.bytes, keys.rxKey.bytes], [zero, KEY_A]);
      deliver(b, a.sealControl(FrameType.PING));
      assert.deepEqual([keys.txKey.bytes, keys.rxKey.bytes], [zero, zero]);
    });
  });
}

describe('REKEY over a stream', () => {
  it('keeps to the old numbers for frames that were under way: none is left out or taken twice', () => {
    const { a, b } = makePair('stream');
    const [first, second, third] = [1, 2, 3].map(() => b.sealControl(FrameType.PONG));
    deliver(a, first!);
    a.sealRekey();
    for (const frame of [first!, third!]) assert.throws(() => a.open(onWire(frame)), { name: /Error$/ });
    assert.deepEqual(deliver(a, second!, third!), [{ kind: 'pong' }, { kind: 'pong' }]);
  });
});

/** What the first REKEY of a pair leads to: the session draws its salt from the same random bytes. */
const newKeys = () =>
  deriveRekeyedKeys(new Secret(KEY_A), new Secret(KEY_B), seededRandom(1)(32), SESSION_ID);

describe('REKEY over datagrams', () => {
  it('is acknowledged with the mac of the old key, and its repeats with that of the new one, too', () => {
    const { a, b } = makePair('datagram');
    const rekey = a.sealRekey();
    const [first, again] = [b.open(onWire(rekey)), b.open(onWire(rekey))];
    assert.deepEqual([first.content.kind, again.content.kind], ['rekey', 'repeat']);
    const { initiatorTx } = newKeys();
    assert.deepEqual(first.utackMacs(), [rekey.utackMac]);
    assert.deepEqual(again.utackMacs(), [rekey.utackMac, utackMac(initiatorTx, rekey.type, rekey.seq)]);
    assert.deepEqual(messages(deliver(b, ...a.sealMessage(TEXT))), [TEXT]);
  });

  it('lets frames under the old key be acknowledged under either key, and under no other (protocol §7.5)', () => {
    const [oldTx, oldRx] = [new Secret(KEY_A), new Secret(KEY_B)];
    const { initiatorTx, initiatorRx } = newKeys();
    const { a } = makePair('datagram');
    const data = a.sealMessage(TEXT)[0]!;
    const rekey = a.sealRekey();
    for (const frame of [data, rekey]) {
      const accepted = (key: Secret): boolean => a.acknowledges(utackMac(key, frame.type, frame.seq), frame);
      assert.deepEqual([oldTx, initiatorTx, oldRx, initiatorRx].map(accepted), [true, true, false, false]);
    }
  });

  it('takes repeats of frames that were under way for repeats, not for new ones', () => {
    const { a, b } = makePair('datagram');
    const early = b.sealMessage(TEXT)[0]!;
    deliver(a, early);
    a.sealRekey();
    const again = a.open(onWire(early));
    assert.equal(again.content.kind, 'repeat');
    assert.deepEqual(again.utackMacs()[0], early.utackMac);
  });

  it('has what was under way acknowledged under both keys, as the reference checks with the new one', () => {
    const { a, b } = makePair('datagram');
    const underWay = b.sealMessage(TEXT)[0]!;
    a.sealRekey();
    const opened = a.open(onWire(underWay));
    assert.equal(opened.content.kind, 'message');
    const { initiatorRx } = newKeys();
    assert.deepEqual(opened.utackMacs(), [
      underWay.utackMac,
      utackMac(initiatorRx, underWay.type, underWay.seq),
    ]);
  });

  it('begins a message anew that the other side had not finished under the old keys', () => {
    const { a, b } = makePair('datagram');
    const long = new Uint8Array(1000).fill(7);
    const [begun] = b.sealMessage(long);
    deliver(a, begun!);
    deliver(b, a.sealRekey());
    assert.deepEqual(messages(deliver(a, ...b.sealMessage(long))), [long]);
  });
});

describe('a session whose keys are changing or gone', () => {
  it('may not be rekeyed by the side that answered, until a frame under the new keys has come', () => {
    const { a, b } = makePair('datagram');
    deliver(b, a.sealRekey());
    assert.equal(b.canRekey, false);
    deliver(b, ...a.sealMessage(TEXT));
    assert.equal(b.canRekey, true);
  });

  it('neither seals nor opens once it was wiped', () => {
    const { a, b } = makePair('stream');
    const [frame] = b.sealMessage(TEXT);
    a.wipe();
    assert.throws(() => a.sealMessage(TEXT), { name: 'CryptoError' });
    assert.throws(() => deliver(a, frame!), { name: 'CryptoError' });
  });
});
