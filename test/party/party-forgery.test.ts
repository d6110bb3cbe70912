/** Frames that are sound to look at and false: wrong proofs, worthless keys, and what a peer with keys may not do. */
import assert from 'node:assert/strict';
import { AuthError, CryptoError, HandshakeError, PayloadError, type USMPError } from '../../src/errors.js';
import { FrameType, SEQ_END, typeName } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { rawFrame } from '../support/forgery.js';
import { ascii, flipBit } from '../support/hex.js';
import { losing, pass, type Passing, type Path, type Side } from '../support/path.js';
import { sealByHand } from '../support/sessions.js';
import { Duo } from '../support/wire-tap.js';

const { HELLO, CHALLENGE, HELLO_ACK, SESSION_OK, HELLO_RETRY } = FrameType;
const PAYLOAD_AT = 12;
const isType = ({ bytes }: Passing, type: number): boolean => bytes[0] === 0xcd && bytes[3] === type;
const payloadOf = (bytes: Uint8Array): Uint8Array => bytes.slice(PAYLOAD_AT);
const withPayload = (bytes: Uint8Array, payload: Uint8Array): Uint8Array =>
  rawFrame({ type: bytes[3]!, seq: bytes[4]!, payload });
const zeroed = (payload: Uint8Array, from: number, to: number): Uint8Array =>
  Uint8Array.from(payload).fill(0, from, to);

interface Forgery {
  readonly name: string;
  /** The frame that is replaced, or preceded, by the forged one. */
  readonly type: number;
  readonly of: Side;
  readonly payload: (genuine: Uint8Array) => Uint8Array;
  readonly error: abstract new (...args: never[]) => USMPError;
  readonly code: string;
}

const FORGERIES: readonly Forgery[] = [
  {
    name: 'a SESSION_OK with a wrong proof',
    type: SESSION_OK,
    of: 'server',
    payload: (genuine) => flipBit(genuine, 8 * 20),
    error: AuthError,
    code: 'USMP_GATEWAY_PROOF',
  },
  {
    name: 'a SESSION_OK with another session id',
    type: SESSION_OK,
    of: 'server',
    payload: (genuine) => flipBit(genuine, 0),
    error: AuthError,
    code: 'USMP_GATEWAY_PROOF',
  },
  {
    name: 'a HELLO_ACK with a wrong proof',
    type: HELLO_ACK,
    of: 'client',
    payload: (genuine) => flipBit(genuine, 100),
    error: AuthError,
    code: 'USMP_DEVICE_PROOF',
  },
  {
    name: 'a CHALLENGE with a public key of zeros',
    type: CHALLENGE,
    of: 'server',
    payload: (genuine) => zeroed(genuine, 32, 64),
    error: CryptoError,
    code: 'USMP_BAD_PUBLIC_KEY',
  },
  {
    name: 'a HELLO with a public key of zeros',
    type: HELLO,
    of: 'client',
    payload: (genuine) => zeroed(genuine, 6, 38),
    error: CryptoError,
    code: 'USMP_BAD_PUBLIC_KEY',
  },
  ...[CHALLENGE, SESSION_OK, HELLO, HELLO_ACK].flatMap((type) =>
    [
      { what: 'a byte short', payload: (genuine: Uint8Array) => genuine.slice(1) },
      { what: 'a byte too long', payload: (genuine: Uint8Array) => Uint8Array.of(...genuine, 0) },
      { what: 'empty', payload: () => new Uint8Array(0) },
    ].map(({ what, payload }) => ({
      name: `a ${typeName(type)} that is ${what}`,
      type,
      of: type === CHALLENGE || type === SESSION_OK ? ('server' as const) : ('client' as const),
      payload,
      error: PayloadError,
      code: 'USMP_PAYLOAD',
    })),
  ),
];

describe('a forged handshake frame', () => {
  for (const { name, type, of, payload, error, code } of FORGERIES) {
    const forge = ({ bytes }: Passing): Uint8Array => withPayload(bytes, payload(payloadOf(bytes)));
    const fits = (passing: Passing): boolean => passing.from === of && isType(passing, type);

    it(`ends the handshake over TCP with ${error.name} ${code}: ${name}`, () => {
      const path: Path = (passing) => (fits(passing) ? [{ bytes: forge(passing) }] : [{}]);
      const duo = new Duo({ path }).start().quiet();
      const { ending } = duo[of === 'server' ? 'client' : 'server'];
      assert.ok(ending instanceof error, String(ending));
      assert.equal(ending.code, code);
      assert.ok(!duo.client.has('established'));
    });

    it(`is dropped over UDP, and the true one is taken: ${name}`, () => {
      const path: Path = (passing) => (fits(passing) ? [{ bytes: forge(passing) }, {}] : [{}]);
      const duo = new Duo({ over: 'datagram', path, asksCookie: false }).establish();
      duo.path = pass;
      for (const end of duo.ends) end.send('true');
      duo.quiet();
      for (const end of duo.ends) assert.deepEqual(end.texts, ['true']);
    });
  }

  const secondRetry = rawFrame({ type: HELLO_RETRY, payload: new Uint8Array(16).fill(1) });

  it('ends the handshake over TCP when it is a second HELLO_RETRY, whereas the first is answered', () => {
    const duo = new Duo({ path: losing(({ from }) => from === 'server') }).start();
    duo.client.receive(rawFrame({ type: HELLO_RETRY, payload: new Uint8Array(16) }));
    assert.deepEqual(
      duo.client.sent.map(({ name }) => name),
      ['HELLO 0', 'HELLO 1'],
    );
    duo.client.receive(secondRetry);
    assert.ok(duo.client.ending instanceof HandshakeError);
    assert.equal(duo.client.code, 'USMP_SECOND_HELLO_RETRY');
  });

  it('is dropped over UDP when it is a second HELLO_RETRY', () => {
    const duo = new Duo({ over: 'datagram' }).start();
    duo.until(() => duo.client.sent.some(({ name }) => name === 'HELLO 1'));
    duo.client.receive(secondRetry);
    duo.until(() => duo.ends.every(({ party }) => party.state === 'established'));
  });

  for (const [what, bytes, code] of [
    [
      'wire version 1',
      rawFrame({ version: 1, type: CHALLENGE, payload: new Uint8Array(64) }),
      'USMP_WIRE_VERSION_1',
    ],
    ['another wire version', rawFrame({ version: 9, type: CHALLENGE }), 'USMP_VERSION'],
  ] as const) {
    it(`over UDP names ${what} as the reason when nothing else comes`, () => {
      const duo = new Duo({ over: 'datagram', path: losing(() => true) }).start();
      duo.client.receive(bytes);
      duo.quiet();
      assert.equal(duo.client.code, code);
      assert.match(String(duo.client.ending), /wire version/);
    });
  }

  it('over UDP names a wrong proof of the gateway as the reason when no true one comes', () => {
    const path: Path = (passing) =>
      isType(passing, SESSION_OK)
        ? [{ bytes: withPayload(passing.bytes, flipBit(payloadOf(passing.bytes), 300)) }]
        : [{}];
    const duo = new Duo({ over: 'datagram', path }).start().quiet();
    assert.equal(duo.client.code, 'USMP_GATEWAY_PROOF');
  });

  for (const [psk, code] of [
    [undefined, 'USMP_UNKNOWN_DEVICE'],
    [new Uint8Array(16), 'USMP_DEVICE_PROOF'],
  ] as const) {
    it(`over UDP ends the server's side with ${code} two seconds after a proof that does not hold`, () => {
      const duo = new Duo({ over: 'datagram', serverPsk: psk }).start();
      duo.until(() => duo.server.sent.some(({ name }) => name === 'UTACK of HELLO_ACK 2'));
      const proven = duo.now;
      duo.until(() => duo.server.party.state === 'closed');
      assert.equal(duo.server.code, code);
      assert.equal(duo.now - proven, 2_000);
      assert.equal(duo.server.count('pskWanted'), 1);
    });
  }

  it('over UDP ends the handshake after a few wrong proofs', () => {
    const duo = new Duo({ over: 'datagram', path: losing((each) => isType(each, HELLO_ACK)) }).start();
    duo.until(() => duo.client.sent.some((each) => isType(each, HELLO_ACK)));
    const { bytes } = duo.client.sent.find((each) => isType(each, HELLO_ACK))!;
    for (let bit = 0; bit < 200; bit++) {
      duo.server.receive(withPayload(bytes, flipBit(payloadOf(bytes), bit)));
    }
    assert.equal(duo.server.code, 'USMP_DEVICE_PROOF');
    const taken = duo.server.sent.filter(({ name }) => name.startsWith('UTACK of HELLO_ACK')).length;
    assert.ok(taken <= 5, `${taken} proofs were looked at`);
  });
});

describe('a peer that has the keys', () => {
  /** Frames of the client, which are genuine and not what a client would send. */
  const frames = ({ keys }: Duo, ...list: readonly (readonly [FrameType, number, number?])[]): Uint8Array[] =>
    list.map(([type, seq, size = 0]) =>
      encodeFrame(
        sealByHand({
          key: keys.fromClient,
          sessionId: keys.sessionId,
          type,
          seq,
          plaintext: new Uint8Array(size).fill(0x2e),
        }),
      ),
    );
  const { DATA, DATA_FRAG, PING } = FrameType;
  const broken = [
    {
      name: 'puts a PING between the fragments of a message',
      list: [
        [DATA_FRAG, 0, 452],
        [PING, 1],
        [DATA, 2, 1],
      ],
      code: 'USMP_CONTROL_IN_MESSAGE',
    },
    {
      name: 'sends a message of five frames',
      list: [
        [DATA_FRAG, 0, 452],
        [DATA_FRAG, 1, 452],
        [DATA_FRAG, 2, 452],
        [DATA_FRAG, 3, 452],
        [DATA, 4, 1],
      ],
      code: 'USMP_PAYLOAD',
    },
  ] as const;
  for (const { name, list, code } of broken) {
    it(`and ${name} loses the session over TCP`, () => {
      const duo = new Duo().establish();
      for (const bytes of frames(duo, ...list)) duo.server.receive(bytes);
      assert.equal(duo.server.code, code);
      assert.deepEqual(duo.server.texts, []);
    });

    it(`and ${name} loses that message over UDP, and no other`, () => {
      const duo = new Duo({ over: 'datagram' }).establish();
      duo.path = losing(({ from }) => from === 'server'); // the client knows nothing of these frames
      for (const bytes of frames(duo, ...list, [DATA, 5, 3])) duo.server.receive(bytes);
      assert.deepEqual(duo.server.texts, ['...']);
      assert.equal(duo.server.party.state, 'established');
    });
  }

  it('and uses the last number there is ends the session over UDP (protocol §3.3)', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    duo.server.receive(frames(duo, [DATA, SEQ_END, 1])[0]!);
    assert.equal(duo.server.code, 'USMP_SEQUENCE');
  });

  it('and sends PONGs that nobody asked for changes nothing', () => {
    for (const over of ['stream', 'datagram'] as const) {
      const duo = new Duo({ over }).establish();
      const pongs = Array.from({ length: 100 }, (_, seq) => [FrameType.PONG, seq] as const);
      for (const bytes of frames(duo, ...pongs)) duo.server.receive(bytes);
      assert.equal(duo.server.party.state, 'established');
      assert.ok(!duo.server.has('pong'));
    }
  });
});

describe('the session timeout over UDP', () => {
  const idle = (): Duo =>
    new Duo({ over: 'datagram', serverTimes: { sessionTimeoutMs: 60_000 } }).establish();

  it('is not put off by datagrams that do not authenticate', () => {
    const duo = idle();
    for (let i = 0; i < 59; i++) {
      duo.server.receive(rawFrame({ type: FrameType.PING, seq: i, payload: new Uint8Array(28) }));
      duo.server.receive(ascii('rubbish'));
      duo.run(1000);
    }
    duo.run(1000);
    assert.equal(duo.server.code, 'USMP_DEAD');
  });

  it('is not put off by datagrams that are played back', () => {
    const duo = idle();
    duo.client.send('recorded');
    duo.run(100);
    const { bytes } = duo.client.sent.find(({ name }) => name === 'DATA 0')!;
    for (let i = 0; i < 70; i++) {
      duo.server.receive(bytes);
      duo.run(1000);
    }
    assert.deepEqual(
      duo.server.texts,
      [ascii('recorded')].map((data) => Buffer.from(data).toString()),
    );
    assert.equal(duo.server.code, 'USMP_DEAD');
  });
});
