import assert from 'node:assert/strict';
import { DEFAULT_SUITE, createAead } from '../../src/crypto/aead.js';
import { systemRandom } from '../../src/crypto/random.js';
import { Secret } from '../../src/crypto/secret.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { Party } from '../../src/party/party.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { concat, toHex } from '../../src/wire/bytes.js';
import { AEAD_NONCE_BYTES, FrameType, NONCE_BYTES } from '../../src/wire/constants.js';
import { Deframer } from '../../src/wire/deframer.js';
import { framesOf } from './frames.js';
import { decodeFrame, encodeAad, encodeFrame, type Frame } from '../../src/wire/frame.js';
import { encodeHello } from '../../src/wire/payloads.js';
import { decodeUtack } from '../../src/wire/utack.js';
import transcripts from '../vectors/transcripts.json';
import { FakeClock } from './clock.js';
import { ascii, hex } from './hex.js';
import { kindOf, newLink } from './links.js';
import { nameOf } from './path.js';
import { scripted } from './random.js';
import { DEVICE_ID, PSK, Reference, type ReferenceOptions } from './reference.js';
import { Puppet } from './reference-puppet.js';
import { engineParty, join, Way } from './reference-way.js';

const OFF = { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 };

/** What a side sent, in an order that does not depend on which task ran first: UTACKs apart from frames. */
function normal(protocol: string, bytes: readonly Uint8Array[]): string[][] {
  if (protocol === 'tcp') return [[toHex(concat(...bytes))]];
  const utacks = bytes.filter((each) => decodeUtack(each));
  return [bytes.filter((each) => !utacks.includes(each)).map(toHex), utacks.map(toHex).sort()];
}

describe('the stand-in for the reference, beside its transcripts', () => {
  transcripts.sessions.forEach((row, i) => {
    const protocol = row.protocol as Protocol;
    const recorded = (side: string): Uint8Array[] =>
      row.bytes.filter(([from]) => from === side).map(([, bytes]) => hex(bytes!));
    const frames = (side: string): Frame[] =>
      protocol === 'udp'
        ? recorded(side)
            .filter((each) => !decodeUtack(each))
            .map(decodeFrame)
        : [...framesOf(new Deframer(), concat(...recorded(side)))];
    const payloadOf = (type: FrameType): Uint8Array =>
      frames('s2c').find((frame) => frame.type === type)?.payload ?? new Uint8Array();
    const salts = (side: string, key: string): Uint8Array[] =>
      frames(side)
        .filter(({ type }) => type === FrameType.REKEY)
        .map(({ type, seq, payload }) => {
          const nonce = payload.subarray(0, AEAD_NONCE_BYTES);
          const aad = encodeAad(type, seq, payload.length);
          return createAead(DEFAULT_SUITE).open(
            new Secret(hex(key)),
            nonce,
            aad,
            payload.subarray(nonce.length),
          );
        });

    it(`sends session ${i + 1} (${protocol}) byte for byte, as the client and as the gateway`, async () => {
      const clock = new FakeClock();
      const way = new Way(clock, protocol, 1);
      const steps = [...row.steps];
      const goOn = (client: Reference, now: number): void => {
        for (;;) {
          const step = steps.shift();
          if (step === undefined) client.close(now);
          else if (step === 'ping') client.ping(now);
          else if (step === 'rekey') client.rekey(now);
          else client.send(hex((step as { send_and_echo: string }).send_and_echo), now);
          if (typeof step !== 'string') return; // an echo is waited for
        }
      };
      const next = (): void => queueMicrotask(() => ends.client.do(goOn));
      const client = new Reference({
        ...{ role: 'client', transport: protocol, psk: hex(row.psk), deviceId: hex(row.device_id) },
        random: scripted(hex(row.client_private), ...salts('c2s', row.key_c2s)),
        onEstablished: next,
        onMessage: next,
      });
      const server = new Reference({
        ...{ role: 'server', transport: protocol, psk: hex(row.psk) },
        random: scripted(
          hex(row.server_private),
          payloadOf(FrameType.CHALLENGE).subarray(0, NONCE_BYTES),
          hex(row.session_id),
          ...salts('s2c', row.key_s2c),
        ),
        cookie: () => payloadOf(FrameType.HELLO_RETRY),
        onMessage: (message, session, now) => {
          const text = Buffer.from(message).toString();
          if (text === '!rekey') session.rekey(now);
          if (text === '!ping') session.ping(now);
          session.send(message, now);
        },
      });
      const ends = join(way, client, server);
      ends.client.do((party, now) => party.start(now));
      await clock.advance(2_000);
      for (const [from, side] of [
        ['client', 'c2s'],
        ['server', 's2c'],
      ] as const) {
        const sent = way.passed.filter((passing) => passing.from === from).map(({ bytes }) => bytes);
        assert.deepEqual(normal(protocol, sent), normal(protocol, recorded(side)), from);
      }
    });
  });
});

const partyOf = (handshake: ClientHandshake | ServerHandshake, transport: Protocol): Party =>
  new Party({
    handshake,
    link: newLink(kindOf(transport), handshake.role),
    suite: DEFAULT_SUITE,
    random: systemRandom,
    times: OFF,
  });

describe("the stand-in for the reference, joined to the engine's party", () => {
  const LONG = 'x'.repeat(1_808);
  for (const transport of PROTOCOLS) {
    for (const role of ['client', 'server'] as const) {
      it(`opens a session over ${transport} as the ${role}, carries messages, changes keys and ends`, async () => {
        const clock = new FakeClock();
        const way = new Way(clock, transport, 25);
        const reference = new Reference({ role, transport });
        const random = systemRandom;
        const party = partyOf(
          role === 'server'
            ? new ClientHandshake({ psk: new Secret(PSK), deviceId: DEVICE_ID, random })
            : new ServerHandshake({ random }),
          transport,
        );
        const engine = engineParty(party);
        const [stand, our] =
          role === 'client'
            ? (({ client, server }) => [client, server] as const)(join(way, reference, engine))
            : (({ client, server }) => [server, client] as const)(join(way, engine, reference));
        our.do(({ party }, now) => party.start(now));
        if (role === 'client') stand.do((party, now) => party.start(now));
        await clock.advance(500);
        for (const texts of [['one', LONG], [''], ['two']]) {
          for (const text of texts) {
            our.do(({ party }, now) => party.send(ascii(text), now));
            stand.do((party, now) => party.send(text, now));
          }
          await clock.advance(1_000);
          if (texts.length > 1) our.do(({ party }, now) => party.rekey(now));
          else stand.do((party, now) => party.rekey(now));
          await clock.advance(200);
          our.do(({ party }, now) => party.ping(now));
          stand.do((party, now) => party.ping(now));
          await clock.advance(200);
        }
        our.do(({ party }, now) => party.close(now, 1_000));
        await clock.advance(20_000);
        const got = engine.events.flatMap((event) => (event.type === 'message' ? [event.data] : []));
        const all = ['one', LONG, '', 'two'];
        assert.deepEqual(
          got.map((data) => Buffer.from(data).toString()),
          all,
        );
        assert.deepEqual(reference.texts, all);
        assert.equal(engine.events.filter(({ type }) => type === 'pong').length, 3);
        assert.deepEqual([reference.pongs, reference.ending, party.state], [3, 'bye', 'closed']);
      });
    }
  }
});

describe('the handshake of the stand-in for the reference', () => {
  const hello = (cookie?: Uint8Array): Uint8Array =>
    encodeFrame({
      type: FrameType.HELLO,
      seq: cookie ? 1 : 0,
      payload: encodeHello({
        deviceId: DEVICE_ID,
        clientPublic: systemRandom(32),
        ...(cookie && { cookie }),
      }),
    });
  const names = (reference: Reference): string[] => reference.take().map(nameOf);
  const bucketed = (bucket: number): Uint8Array => new Uint8Array(16).fill(bucket);
  const gateway = (options: Partial<ReferenceOptions> = {}): Reference =>
    new Reference({ role: 'server', transport: 'udp', cookie: bucketed, ...options });

  it('answers each HELLO without cookie with UTACK and HELLO_RETRY, and repeats neither (protocol §4.3)', () => {
    const reference = gateway();
    for (let i = 0; i < 3; i++) {
      reference.receive(hello(), 0);
      assert.deepEqual(names(reference), ['UTACK of HELLO 0', 'HELLO_RETRY 0']);
    }
    assert.deepEqual([reference.deadline, reference.state], [undefined, 'door']);
  });

  for (const { age, answer } of [
    { age: 0, answer: ['UTACK of HELLO 1', 'CHALLENGE 0'] },
    { age: 1, answer: ['UTACK of HELLO 1', 'CHALLENGE 0'] },
    { age: 2, answer: [] },
    { age: -1, answer: [] },
  ]) {
    it(`answers a HELLO whose cookie is ${age} buckets old with ${answer.join(' and ') || 'silence'}`, () => {
      const reference = gateway();
      reference.receive(hello(bucketed(7 - age)), 7 * 30_000);
      assert.deepEqual(names(reference), answer);
    });
  }

  it('leaves anything else unanswered before HELLO', () => {
    const reference = gateway();
    reference.receive(encodeFrame({ type: FrameType.DATA, seq: 0, payload: new Uint8Array(28) }), 0);
    reference.receive(encodeFrame({ type: FrameType.HELLO_ACK, seq: 2, payload: new Uint8Array(32) }), 0);
    assert.deepEqual(names(reference), []);
  });

  it('hangs in the client when HELLO was acknowledged and HELLO_RETRY lost (protocol §4.3)', () => {
    const client = new Reference({ role: 'client', transport: 'udp' });
    client.start(0);
    client.take();
    client.receive(hex('acac0100000000'), 20);
    assert.equal(client.deadline, 10_000);
    client.tick(10_000);
    assert.deepEqual([names(client), client.ending], [[], 'late']);
  });

  it('acknowledges at once and answers as late as it is told to', async () => {
    const clock = new FakeClock();
    const way = new Way(clock, 'udp', 10);
    const ends = join(
      way,
      new Reference({ role: 'client', transport: 'udp' }),
      gateway({ delays: { helloRetryMs: 3_000, challengeMs: 2_000, sessionOkMs: 1_000 } }),
    );
    ends.client.do((party, now) => party.start(now));
    await clock.advance(9_000);
    assert.deepEqual(
      way.passed.filter(({ from }) => from === 'server').map(({ at, name }) => [at, name]),
      [
        [10, 'UTACK of HELLO 0'],
        [3_010, 'HELLO_RETRY 0'],
        [3_030, 'UTACK of HELLO 1'],
        [5_030, 'CHALLENGE 0'],
        [5_050, 'UTACK of HELLO_ACK 2'],
        [6_050, 'SESSION_OK 0'],
      ],
    );
    assert.deepEqual([ends.client.party.state, ends.server.party.state], ['established', 'established']);
  });

  for (const transport of PROTOCOLS) {
    it(`ends without a word after HELLO_ACK when the PSK is another one, over ${transport} (protocol §5.4)`, async () => {
      const clock = new FakeClock();
      const way = new Way(clock, transport, 10);
      const ends = join(
        way,
        new Reference({ role: 'client', transport, psk: ascii('quite another key') }),
        gateway({ transport }),
      );
      ends.client.do((party, now) => party.start(now));
      await clock.advance(20_000);
      const last = way.passed.filter(({ from }) => from === 'server').at(-1)!;
      assert.equal(last.name, transport === 'udp' ? 'UTACK of HELLO_ACK 2' : 'CHALLENGE 0');
      assert.deepEqual(
        [ends.server.party.ending, ends.client.party.ending],
        ['proof', transport === 'udp' ? 'late' : 'lost'],
      );
    });
  }

  it('takes 10 s at most, over TCP from the connection on (protocol §2.6)', () => {
    const reference = gateway({ transport: 'tcp' });
    reference.start(1_000);
    assert.equal(reference.deadline, 11_000);
    reference.tick(11_000);
    assert.equal(reference.ending, 'late');
  });

  it('is what a repeated HELLO with its cookie begins anew, so that it ends an open session (protocol §5.3)', () => {
    const puppet = new Puppet();
    puppet.put(hello(new Uint8Array(16).fill(0xc0)));
    assert.equal(puppet.reference.ending, 'broken');
  });
});
