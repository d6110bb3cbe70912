/** Whole sessions recorded between the reference's own client and gateway, replayed through both of our ends. */
import assert from 'node:assert/strict';
import { nodeAead } from '../../src/crypto/aead.js';
import { KEY_BYTES } from '../../src/crypto/schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { Party, type PartyEvent } from '../../src/party/party.js';
import { answerPlainHello } from '../../src/server/doorman.js';
import { concat, toHex } from '../../src/wire/bytes.js';
import { AEAD_NONCE_BYTES, FrameType, NONCE_BYTES } from '../../src/wire/constants.js';
import { Deframer } from '../../src/wire/deframer.js';
import { framesOf } from '../support/frames.js';
import { kindOf, newLink } from '../support/links.js';
import { decodeFrame, encodeAad, type Frame } from '../../src/wire/frame.js';
import { decodeHello } from '../../src/wire/payloads.js';
import { decodeUtack } from '../../src/wire/utack.js';
import transcripts from '../vectors/transcripts.json';

type Row = (typeof transcripts.sessions)[number];
type Side = 'c2s' | 's2c';

const TIMES = { handshakeMs: 10_000, keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 0 };
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

/** Serves the recorded random bytes in the order in which they are asked for. */
function replay(...values: readonly Uint8Array[]): (length: number) => Uint8Array {
  const left = [...values];
  return (length) => {
    const value = left.shift();
    assert.equal(value?.length, length, 'randomness was asked for that the reference did not use');
    return Uint8Array.from(value);
  };
}

/** What our server draws as well, in case it does not know the device. */
const STAND_IN = new Uint8Array(KEY_BYTES).fill(9);

class Recording {
  readonly protocol: 'tcp' | 'udp';
  readonly entries: readonly { from: Side; bytes: Uint8Array }[];

  constructor(readonly row: Row) {
    this.protocol = row.protocol === 'udp' ? 'udp' : 'tcp';
    this.entries = row.bytes.map(([from, bytes]) => ({ from: from as Side, bytes: hex(bytes!) }));
  }

  bytes(from: Side): Uint8Array[] {
    return this.entries.filter((entry) => entry.from === from).map((entry) => entry.bytes);
  }

  frames(from: Side): Frame[] {
    return this.protocol === 'udp'
      ? this.bytes(from)
          .filter((each) => !decodeUtack(each))
          .map(decodeFrame)
      : [...framesOf(new Deframer(), concat(...this.bytes(from)))];
  }

  /** The salt of this side's REKEY, which is sealed under the session's first keys. */
  salts(from: Side): Uint8Array[] {
    const key = new Secret(hex(from === 'c2s' ? this.row.key_c2s : this.row.key_s2c));
    return this.frames(from)
      .filter(({ type }) => type === FrameType.REKEY)
      .map(({ type, seq, payload }) =>
        nodeAead
          .create('aes-256-gcm')
          .open(
            key,
            payload.subarray(0, AEAD_NONCE_BYTES),
            encodeAad(type, seq, payload.length),
            payload.subarray(AEAD_NONCE_BYTES),
          ),
      );
  }

  /** Over UDP frames in their order and UTACKs in any; over TCP the stream. */
  normal(bytes: readonly Uint8Array[]): { frames: string[]; utacks: string[] } {
    if (this.protocol === 'tcp') return { frames: [toHex(concat(...bytes))], utacks: [] };
    const utacks = bytes.filter((each) => decodeUtack(each));
    return {
      frames: bytes.filter((each) => !utacks.includes(each)).map(toHex),
      utacks: utacks.map(toHex).sort(),
    };
  }
}

function makeParty(recording: Recording, role: 'client' | 'server'): Party {
  const { row, protocol } = recording;
  const challenge = recording.frames('s2c').find(({ type }) => type === FrameType.CHALLENGE)!;
  const random =
    role === 'client'
      ? replay(hex(row.client_private), ...recording.salts('c2s'))
      : replay(
          hex(row.server_private),
          challenge.payload.subarray(0, NONCE_BYTES),
          STAND_IN,
          hex(row.session_id),
          ...recording.salts('s2c'),
        );
  const handshake =
    role === 'client'
      ? new ClientHandshake({ psk: new Secret(hex(row.psk)), deviceId: hex(row.device_id), random })
      : new ServerHandshake({ random });
  const link = newLink(kindOf(protocol), role);
  return new Party({ handshake, link, suite: 'aes-256-gcm', random, times: TIMES });
}

/** Plays the client; its application takes the recorded steps whenever the recording shows it sending. */
function replayClient(recording: Recording): { sent: Uint8Array[]; events: PartyEvent[] } {
  const party = makeParty(recording, 'client');
  const sent: Uint8Array[] = [];
  const events: PartyEvent[] = [];
  const collect = (): void => {
    const taken = party.take();
    sent.push(...taken.outbound);
    events.push(...taken.events);
  };
  const steps = [...recording.row.steps];
  const size = (bytes: readonly Uint8Array[]): number =>
    concat(...bytes.filter((each) => recording.protocol === 'tcp' || !decodeUtack(each))).length;

  party.start(0);
  collect();
  let due = 0;
  recording.entries.forEach(({ from, bytes }) => {
    if (from === 's2c') party.receive(bytes, 0);
    else {
      due += size([bytes]);
      while (size(sent) < due && party.state === 'established') {
        const step = steps.shift();
        if (step === undefined) party.close(0, 1000);
        else if (step === 'ping') party.ping(0);
        else if (step === 'rekey') party.rekey(0);
        else party.send(hex((step as { send_and_echo: string }).send_and_echo), 0);
        collect();
      }
    }
    collect();
  });
  return { sent, events };
}

/** Plays the server with the application that the reference gateway ran: echo, and two commands. */
function replayServer(recording: Recording): { sent: Uint8Array[]; events: PartyEvent[] } {
  const party = makeParty(recording, 'server');
  const sent: Uint8Array[] = [];
  const events: PartyEvent[] = [];
  const cookie = recording.frames('s2c').find(({ type }) => type === FrameType.HELLO_RETRY)?.payload;

  const collect = (): void => {
    for (;;) {
      const taken = party.take();
      if (taken.outbound.length + taken.events.length === 0) return;
      sent.push(...taken.outbound);
      events.push(...taken.events);
      for (const event of taken.events) {
        if (event.type === 'pskWanted') party.providePsk(new Secret(hex(recording.row.psk)), 0);
        if (event.type !== 'message') continue;
        const text = Buffer.from(event.data).toString();
        if (text === '!rekey') party.rekey(0);
        if (text === '!ping') party.ping(0);
        party.send(event.data, 0);
      }
    }
  };

  party.start(0);
  for (const bytes of recording.bytes('c2s')) {
    const frame = recording.protocol === 'udp' && !decodeUtack(bytes) ? decodeFrame(bytes) : undefined;
    if (frame?.type === FrameType.HELLO && !decodeHello(frame.payload).cookie) {
      sent.push(...answerPlainHello(frame, cookie!));
    } else {
      party.receive(bytes, 0);
    }
    collect();
  }
  return { sent, events };
}

/** The frames of one side over UDP up to a REKEY of either; undefined when there is none. */
function untilRekey(recording: Recording, from: Side): string[] | undefined {
  const { entries } = recording;
  const isRekey = ({ bytes }: { bytes: Uint8Array }): boolean =>
    !decodeUtack(bytes) && decodeFrame(bytes).type === FrameType.REKEY;
  const at = recording.protocol === 'udp' ? entries.findIndex(isRekey) : -1;
  if (at < 0) return undefined;
  const before = entries.slice(0, at + 1).filter((entry) => entry.from === from);
  return recording.normal(before.map(({ bytes }) => bytes)).frames;
}

/**
 * Over UDP this implementation sends a PING behind a REKEY of either side (protocol §3.8): so the bytes are the same up
 * to there.
 */
function assertSame(recording: Recording, from: Side, sent: readonly Uint8Array[]): void {
  const ours = recording.normal(sent);
  const before = untilRekey(recording, from);
  if (before === undefined) {
    assert.deepEqual(ours, recording.normal(recording.bytes(from)));
    return;
  }
  assert.deepEqual(ours.frames.slice(0, before.length), before);
  const next = decodeFrame(hex(ours.frames[before.length]!));
  assert.deepEqual([next.type, next.seq], [FrameType.PING, 0]);
}

const messages = (events: readonly PartyEvent[]): string[] =>
  events.flatMap((event) => (event.type === 'message' ? [toHex(event.data)] : []));

describe('transcripts of the reference', () => {
  transcripts.sessions.forEach((row, i) => {
    const recording = new Recording(row);
    const echoed = row.steps.flatMap((step) => (typeof step === 'object' ? [step.send_and_echo] : []));
    const title = `session ${i + 1} (${row.protocol})`;

    it(`${title}: our client sends what the reference client sent, byte for byte`, () => {
      const { sent, events } = replayClient(recording);
      assertSame(recording, 'c2s', sent);
      assert.deepEqual(messages(events), echoed);
      const established = events.find((event) => event.type === 'established');
      assert.equal(toHex(established!.sessionId), row.session_id);
      if (untilRekey(recording, 'c2s')) return; // without its PONG, BYE waits, too
      assert.deepEqual(events.at(-1), { type: 'closed' });
    });

    it(`${title}: our server sends what the reference gateway sent, byte for byte`, () => {
      const { sent, events } = replayServer(recording);
      assertSame(recording, 's2c', sent);
      assert.deepEqual(messages(events), echoed);
      const last = events.at(-1);
      assert.equal(last?.type === 'closed' && last.error?.code, 'USMP_BYE');
    });
  });
});
