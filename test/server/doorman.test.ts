import assert from 'node:assert/strict';
import { createCookies } from '../../src/handshake/cookie.js';
import { Doorman, type Decision } from '../../src/server/doorman.js';
import type { Remote } from '../../src/server/listener.js';
import { COOKIE_HELLO_SEQ, FrameType } from '../../src/wire/constants.js';
import { decodeFrame, encodeFrame } from '../../src/wire/frame.js';
import { encodeHello } from '../../src/wire/payloads.js';
import { encodeUtack } from '../../src/wire/utack.js';
import { rawFrame } from '../support/forgery.js';
import { nameOf } from '../support/path.js';
import { seeded, seededRandom } from '../support/random.js';

const HERE: Remote = { address: '192.0.2.1', port: 4_000 };
const THERE: Remote = { address: '198.51.100.7', port: 61_000 };
const random = seeded(3);
const ID_1 = random.bytes(16);
const ID_2 = random.bytes(16);

interface Name {
  readonly name: string;
}

const named = (name: string): Name => ({ name });

const plainHello = encodeFrame({
  type: FrameType.HELLO,
  seq: 0,
  payload: encodeHello({ deviceId: random.bytes(6), clientPublic: random.bytes(32) }),
});

/** A frame that looks as if it were of this session; nothing here can tell that it is not. */
function sealed(sessionId: Uint8Array, type: FrameType = FrameType.DATA): Uint8Array {
  const payload = new Uint8Array(40);
  payload.set(sessionId.subarray(0, 8), 4);
  return rawFrame({ type, seq: 7, payload });
}

function world(maxHelloRetriesPerSecond = 2_000) {
  const cookies = createCookies(seededRandom(4));
  const doorman = new Doorman<Name>({ cookies, maxHelloRetriesPerSecond, random: seededRandom(6) });
  const cookieHello = (remote: Remote, seq: number = COOKIE_HELLO_SEQ, clientPublic = random.bytes(32)) =>
    encodeFrame({
      type: FrameType.HELLO,
      seq,
      payload: encodeHello({
        deviceId: Uint8Array.of(1, 2, 3, 4, 5, 6),
        clientPublic,
        cookie: cookies.issue(remote.address, remote.port, 0),
      }),
    });
  const session = (name: string, sessionId: Uint8Array, remote = HERE): Name => {
    const conversation = named(name);
    doorman.began(conversation, remote, cookieHello(remote));
    doorman.established(conversation, sessionId);
    return conversation;
  };
  /** In a word. */
  const decide = (datagram: Uint8Array, remote = HERE, now = 0): string => {
    const decision: Decision<Name> = doorman.decide(datagram, remote, now);
    if (decision.type !== 'deliver') return decision.type;
    return `to ${decision.to.map(({ name }) => name).join(' and ')}`;
  };
  return { doorman, cookieHello, session, decide };
}

describe('the doorman of a UDP port', () => {
  it('answers a HELLO without cookie with UTACK and HELLO_RETRY, every time, and keeps nothing', () => {
    const { doorman } = world();
    for (let n = 0; n < 3; n++) {
      const decision = doorman.decide(plainHello, HERE, 0);
      assert.ok(decision.type === 'reply');
      assert.deepEqual(decision.datagrams.map(nameOf), ['UTACK of HELLO 0', 'HELLO_RETRY 0']);
    }
    assert.equal(doorman.addresses, 0);
  });

  it('begins with a HELLO that has the cookie of its address and port, and tells who it says it is', () => {
    const { doorman, cookieHello, decide } = world();
    const retry = doorman.decide(plainHello, HERE, 0);
    assert.ok(retry.type === 'reply');
    const cookie = decodeFrame(retry.datagrams[1]!).payload;
    assert.deepEqual(decodeFrame(cookieHello(HERE)).payload.subarray(38), cookie);
    const decision = doorman.decide(cookieHello(HERE), HERE, 0);
    assert.deepEqual(decision, { type: 'begin', deviceId: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    for (const other of [THERE, { ...HERE, port: 4_001 }, { ...HERE, address: '192.0.2.2' }])
      assert.equal(decide(cookieHello(HERE), other), 'drop');
    assert.equal(decide(cookieHello(HERE), HERE, 90_000), 'drop', 'too old');
    assert.equal(decide(cookieHello(HERE, 0)), 'drop', 'of another number');
    assert.equal(doorman.addresses, 0);
  });

  it('gives the repeats of a HELLO to what it began, a session too', () => {
    const { doorman, cookieHello, decide } = world();
    const [first, second] = [cookieHello(HERE), cookieHello(HERE)];
    const conversation = named('one');
    assert.equal(doorman.began(conversation, HERE, first), undefined);
    assert.equal(decide(first), 'to one');
    assert.equal(decide(second), 'begin');
    doorman.established(conversation, ID_1);
    assert.equal(decide(first), 'to one');
    assert.equal(doorman.began(named('two'), HERE, second), undefined, 'the session goes on beside it');
    assert.equal(doorman.began(named('three'), HERE, cookieHello(HERE))?.name, 'two');
    doorman.ended(conversation);
    assert.equal(decide(first), 'begin');
  });

  it('finds the session of a sealed frame by its id, whatever address it comes from', () => {
    const { session, decide } = world();
    session('one', ID_1);
    session('two', ID_2, THERE);
    const { DATA, DATA_FRAG, PING, PONG, BYE, REKEY } = FrameType;
    for (const type of [DATA, DATA_FRAG, PING, PONG, BYE, REKEY]) {
      for (const remote of [HERE, THERE, { address: '::1', port: 1 }]) {
        assert.equal(decide(sealed(ID_1, type), remote), 'to one');
        assert.equal(decide(sealed(ID_2, type), remote), 'to two');
      }
    }
    assert.equal(decide(sealed(random.bytes(16))), 'drop');
  });

  it('gives UTACKs and HELLO_ACKs to all that goes on at their address, and to nobody else', () => {
    const { doorman, session, decide, cookieHello } = world();
    session('one', ID_1);
    const plain = encodeUtack({ type: 2, seq: 0 });
    const withMac = encodeUtack({ type: 5, seq: 0, mac: new Uint8Array(8) });
    const helloAck = encodeFrame({ type: FrameType.HELLO_ACK, seq: 2, payload: random.bytes(32) });
    for (const datagram of [plain, withMac, helloAck]) assert.equal(decide(datagram), 'to one');
    doorman.began(named('two'), HERE, cookieHello(HERE));
    for (const datagram of [plain, withMac, helloAck]) {
      assert.equal(decide(datagram), 'to two and one');
      assert.equal(decide(datagram, THERE), 'drop');
    }
  });

  it('looks for a session at its new address, once it is told that it has moved', () => {
    const { doorman, session, decide } = world();
    const one = session('one', ID_1);
    const utack = encodeUtack({ type: 5, seq: 0, mac: new Uint8Array(8) });
    decide(sealed(ID_1), THERE);
    assert.deepEqual(
      [decide(utack, HERE), decide(utack, THERE)],
      ['to one', 'drop'],
      'a frame alone does not',
    );
    doorman.moved(one, THERE);
    assert.deepEqual([decide(utack, HERE), decide(utack, THERE)], ['drop', 'to one']);
    assert.deepEqual([doorman.sessionsAt(HERE), doorman.sessionsAt(THERE)], [[], [one]]);
    assert.equal(doorman.addresses, 1);
    doorman.ended(one);
    assert.deepEqual([doorman.addresses, decide(sealed(ID_1))], [0, 'drop']);
    doorman.moved(one, HERE);
    assert.equal(doorman.addresses, 0, 'one that is over goes nowhere');
  });

  it('keeps a session at an address to which another one moves', () => {
    const { doorman, session, decide } = world();
    const one = session('one', ID_1);
    session('two', ID_2, THERE);
    doorman.moved(one, THERE);
    assert.equal(decide(sealed(ID_2), HERE), 'to two');
    assert.equal(doorman.sessionsAt(THERE).length, 2);
  });

  it('drops what is no frame, what only a server sends, and what has another size than it should', () => {
    const { session, decide } = world();
    session('one', ID_1);
    const wrong = [
      new Uint8Array(0),
      Uint8Array.of(0xcd),
      random.bytes(60),
      new Uint8Array(600).fill(0xcd),
      Uint8Array.of(0xac, 0xac, 5, 0, 0, 0),
      Uint8Array.of(0xac, 0xac, 5, 0, 0, 0, 0, 0),
      rawFrame({ type: FrameType.CHALLENGE, payload: random.bytes(64) }),
      rawFrame({ type: FrameType.SESSION_OK, payload: random.bytes(48) }),
      rawFrame({ type: FrameType.HELLO_RETRY, payload: random.bytes(16) }),
      rawFrame({ type: FrameType.HELLO, payload: random.bytes(37) }),
      rawFrame({ type: FrameType.HELLO, payload: random.bytes(55) }),
      rawFrame({ type: FrameType.HELLO, payload: random.bytes(38), crcError: 1 }),
      rawFrame({ type: FrameType.HELLO_ACK, payload: random.bytes(31) }),
      rawFrame({ type: FrameType.PING, payload: sealed(ID_1).slice(12, 39) }),
      rawFrame({ type: 0x42, payload: sealed(ID_1).slice(12) }),
      rawFrame({ type: FrameType.DATA, version: 1, payload: sealed(ID_1).slice(12) }),
      rawFrame({ type: FrameType.DATA, magic: 0xabce, payload: sealed(ID_1).slice(12) }),
    ];
    for (const datagram of wrong) assert.equal(decide(datagram), 'drop', nameOf(datagram));
  });

  it('survives whatever is made of what it knows, keeping nothing of it', () => {
    const { doorman, session, decide, cookieHello } = world();
    session('one', ID_1);
    const originals = [plainHello, cookieHello(HERE), sealed(ID_1), sealed(ID_2)];
    for (let n = 0; n < 5_000; n++) {
      const bytes = random.pick(originals).slice(0, random.below(80));
      if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      decide(bytes, random.pick([HERE, THERE]), n);
    }
    assert.equal(doorman.addresses, 1);
    assert.equal(decide(sealed(ID_1)), 'to one');
  });

  it('answers so many HELLOs without cookie in a tenth of a second, and half of them for one address', () => {
    const { decide } = world(100);
    const count = (addresses: string[], now: number): number => {
      let replies = 0;
      for (let n = 0; n < 100; n++)
        for (const address of addresses)
          if (decide(plainHello, { address, port: n + 1 }, now) === 'reply') replies += 1;
      return replies;
    };
    assert.equal(count(['a'], 0), 5);
    assert.equal(count(['a', 'b', 'c'], 99), 5);
    for (const now of [100, 200, 300]) assert.ok(count(['a', 'b', 'c'], now) <= 10);
    assert.equal(count(['a', 'b', 'c'], 1_000), 10);
  });

  for (const { where, remote, most } of [
    { where: 'one port of its address', remote: () => ({ ...HERE, port: 5_000 }), most: 2 },
    {
      where: 'ten ports of its address',
      remote: (n: number) => ({ ...HERE, port: 5_000 + (n % 10) }),
      most: 9,
    },
    {
      where: 'all ports of its address',
      remote: (n: number) => ({ ...HERE, port: 5_000 + (n % 50_000) }),
      most: 20,
    },
    {
      where: 'everywhere',
      remote: (n: number) => ({ address: `10.${n % 250}.${(n >> 8) % 250}.1`, port: 1 }),
      most: 12,
    },
  ]) {
    it(`lets a newcomer in beside 10,000 HELLOs a second, with and without cookie, from ${where}`, () => {
      const { doorman, cookieHello, decide } = world(5_000);
      const wrong = cookieHello(THERE);
      let flooded = 0;
      const flood = (from: number, until: number): void => {
        for (let now = from; now < until; now++) {
          for (let n = 0; n < 10; n++) {
            const source = remote(flooded++);
            decide(plainHello, source, now);
            decide(wrong, source, now);
          }
        }
      };
      const sends = [];
      let now = 95;
      flood(0, now);
      for (let newcomer = 0; newcomer < 6; newcomer++) {
        const here = { ...HERE, port: 60_000 + newcomer };
        let count = 0;
        for (const step of ['reply', 'begin'] as const) {
          do {
            count += 1;
            flood(now, (now += 100)); // it always comes when the window's allowance would be spent
          } while (
            decide(step === 'reply' ? plainHello : cookieHello(here), here, now) !== step &&
            count < 5 * most
          );
        }
        sends.push(count);
      }
      sends.sort((a, b) => a - b);
      assert.ok(sends[3]! <= most, `half of them within ${sends[3]!} sends`);
      assert.ok(sends.at(-1)! <= 4 * most, `all within ${sends.at(-1)!}`);
      assert.equal(doorman.addresses, 0);
    }).timeout(20_000);
  }

  it('looks at so many cookies in a tenth of a second, and goes on with its sessions meanwhile', () => {
    const { cookieHello, session, decide } = world(100);
    session('one', ID_1);
    for (let n = 0; n < 50; n++) decide(cookieHello(THERE), HERE);
    assert.equal(decide(cookieHello(HERE), HERE), 'drop');
    assert.equal(decide(sealed(ID_1)), 'to one');
    assert.equal(decide(cookieHello(HERE), HERE, 1_000), 'begin');
  });
});
