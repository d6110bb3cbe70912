import assert from 'node:assert/strict';
import type { PartyTimes } from '../../src/party/party.js';
import { Running, type RunningReport } from '../../src/party/running.js';
import { FrameType, typeName, type LinkKind } from '../../src/wire/constants.js';
import { decodeFrame } from '../../src/wire/frame.js';
import { decodeUtack } from '../../src/wire/utack.js';
import { delaying, losing } from '../support/path.js';
import { seeded } from '../support/random.js';
import { LINK_KINDS, newLink } from '../support/links.js';
import { makePair, onWire } from '../support/sessions.js';
import { Duo } from '../support/wire-tap.js';

const TIMES = { keepaliveMs: 8_000, pongTimeoutMs: 2_000, sessionTimeoutMs: 0 };

/** A running session, and the one at its other end. */
function world(over: LinkKind, times = TIMES) {
  const { a: session, b } = makePair(over);
  const reports: RunningReport[] = [];
  const link = newLink(over, 'client');
  const running = new Running(
    {
      ...{ session, times, other: 'gateway' },
      link,
      report: (report) => reports.push(report),
    },
    0,
  );
  const told = (): string[] =>
    reports.splice(0).map((report) => {
      if (report.type === 'ended') return `ended: ${report.error.code}`;
      return report.type === 'message' ? `message ${Buffer.from(report.data).toString()}` : report.type;
    });
  const ended = () => reports.find((report) => report.type === 'ended')?.error;
  /** What was sent so far. */
  const sent: string[] = [];
  const collect = (): string[] => {
    for (const bytes of link.take()) {
      const utack = decodeUtack(bytes);
      if (utack) sent.push(`UTACK of ${utack.seq} with ${utack.mac?.length} bytes`);
      else sent.push(typeName(decodeFrame(bytes).type));
    }
    return sent;
  };
  return { running, b, told, ended, sent: collect };
}

for (const over of LINK_KINDS) {
  describe(`a running session over ${over}`, () => {
    it('tells once that the other side is known to live, before what came', () => {
      const { running, b, told } = world(over);
      for (const text of ['one', 'two']) {
        for (const frame of b.sealMessage(Buffer.from(text))) running.receive(onWire(frame), 10);
      }
      assert.deepEqual(told(), ['proven', 'message one', 'message two']);
    });

    it('answers a PING', () => {
      const { running, b, sent } = world(over);
      running.receive(onWire(b.sealControl(FrameType.PING)), 10);
      assert.deepEqual(sent(), over === 'stream' ? ['PONG'] : ['UTACK of 0 with 8 bytes', 'PONG']);
    });

    it('answers each PING behind a message at once, and others at the pace of the reference (protocol §3.5)', () => {
      for (const isBehindMessage of [true, false]) {
        const duo = new Duo({ over }).establish();
        const began = duo.now;
        for (let i = 1; i <= 20; i++) {
          if (isBehindMessage) duo.client.send('x');
          else if (i % 4 === 0) duo.run(1_000); // the client's own pace
          duo.client.ping();
          duo.until(() => duo.client.count('pong') === i);
        }
        assert.equal(duo.now - began < 1_000, isBehindMessage);
      }
    });

    it('tells of a dead peer how long it has been silent', () => {
      for (const { times, silentMs } of [
        { times: TIMES, silentMs: 2_000 },
        { times: { keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 60_000 }, silentMs: 60_000 },
      ]) {
        const { running, ended } = world(over, times);
        for (let now = 0; now <= 60_000 && !ended(); now += 1_000) running.tick(now);
        assert.deepEqual(ended()?.values, { silentMs });
      }
    });

    it('ends with the BYE of the other side', () => {
      const { running, b, told } = world(over);
      running.receive(onWire(b.sealControl(FrameType.BYE)), 10);
      assert.deepEqual(told(), ['proven', 'ended: USMP_BYE']);
    });

    it('follows a change of keys', () => {
      const { running, b, told } = world(over);
      running.receive(onWire(b.sealRekey()), 10);
      assert.deepEqual(told(), ['proven', 'rekeyed']);
    });

    it('refuses a frame of the handshake, and one that is not authentic', () => {
      const { running, b, told } = world(over);
      const hello = { type: FrameType.HELLO, seq: 0, payload: new Uint8Array(38) };
      assert.throws(() => running.receive(hello, 10), { code: 'USMP_UNEXPECTED_FRAME' });
      const frame = onWire(b.sealControl(FrameType.PING));
      frame.payload[20]! ^= 1;
      assert.throws(() => running.receive(frame, 10), { code: 'USMP_TAG' });
      assert.deepEqual(told(), []);
    });

    it('sends a PING when it is due, and is dead when the PONG is', () => {
      const { running, told, sent } = world(over);
      assert.equal(running.deadline, 8_000);
      running.tick(7_999);
      assert.deepEqual(sent(), []);
      running.tick(8_000);
      assert.deepEqual(sent(), ['PING']);
      assert.equal(running.deadline, 10_000);
      running.tick(9_999);
      assert.deepEqual(told(), []);
      running.tick(10_000);
      assert.deepEqual(told(), ['ended: USMP_DEAD']);
    });

    it('is dead when nothing came for the session timeout', () => {
      const times = { keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 60_000 };
      const { running, b, told } = world(over, times);
      running.receive(onWire(b.sealControl(FrameType.PONG)), 5_000);
      told();
      assert.equal(running.deadline, 65_000);
      running.tick(64_999);
      assert.deepEqual(told(), []);
      running.tick(65_000);
      assert.deepEqual(told(), ['ended: USMP_DEAD']);
    });

    it('waits for nothing while this side does not listen, but goes on with its sign of life', () => {
      const { running, told, sent } = world(over);
      running.setListening(false, 1_000);
      running.tick(8_000);
      assert.deepEqual(sent(), ['PING']);
      running.tick(15_999);
      assert.deepEqual(told(), []);
      running.setListening(true, 20_000);
      assert.equal(running.deadline, 22_000);
    });
  });
}

describe('a running session over datagrams', () => {
  it('does not take a repeat for a sign of life, as it may have been recorded', () => {
    const times = { keepaliveMs: 0, pongTimeoutMs: 0, sessionTimeoutMs: 60_000 };
    const { running, b, sent } = world('datagram', times);
    const frame = onWire(b.sealControl(FrameType.PONG));
    running.receive(frame, 1_000);
    running.receive(frame, 50_000);
    assert.equal(running.deadline, 61_000);
    assert.deepEqual(sent(), ['UTACK of 0 with 8 bytes', 'UTACK of 0 with 8 bytes'], 'but acknowledges it');
  });
});

/** Two parties of which the client wants a PONG within 2 s; what the server sends takes 60 ms. */
const joined = (over: LinkKind, clientTimes: Partial<PartyTimes>): Duo =>
  new Duo({ over, clientTimes, path: delaying(55, ({ from }) => from === 'server') }).establish();

for (const over of LINK_KINDS) {
  describe(`a PING over ${over}`, () => {
    it('is not answered by a message that was under way when it left', () => {
      const duo = joined(over, { keepaliveMs: 8_000, pongTimeoutMs: 2_000 });
      duo.run(8_000 - duo.now - 20);
      duo.server.send('under way');
      duo.until(() => duo.client.sent.at(-1)!.name === 'PING 0', 1_000);
      const pingAt = duo.now;
      duo.path = losing(() => true);
      duo.until(() => duo.client.party.state === 'closed');
      assert.deepEqual(duo.client.texts, ['under way']);
      assert.deepEqual([duo.client.code, duo.now - pingAt], ['USMP_DEAD', 2_000]);
    });

    it('that was asked for is not, either, without any keep-alive', () => {
      const duo = joined(over, { keepaliveMs: 0, pongTimeoutMs: 2_000 });
      duo.server.send('under way');
      duo.client.ping();
      const pingAt = duo.now;
      duo.path = losing(() => true);
      duo.until(() => duo.client.party.state === 'closed');
      assert.deepEqual(duo.client.texts, ['under way']);
      assert.deepEqual([duo.client.code, duo.now - pingAt], ['USMP_DEAD', 2_000]);
    });

    it('is answered by its PONG, however much comes before that', () => {
      const duo = joined(over, { keepaliveMs: 0, pongTimeoutMs: 2_000 });
      for (let i = 0; i < 10; i++) duo.server.send(String(i));
      duo.client.ping();
      duo.run(10_000);
      assert.equal(duo.client.count('pong'), 1);
      assert.equal(duo.client.party.state, 'established');
    });
  });
}

describe('a gateway over a stream that hangs under 20 messages a second each way, over 60 ms', () => {
  for (let seed = 1; seed <= 10; seed++) {
    it(`is found dead 2 s after the first PING that it did not answer, without any keep-alive (seed ${seed})`, () => {
      const duo = new Duo({
        seed,
        clientTimes: { pongTimeoutMs: 2_000 },
        path: delaying(55, () => true),
      }).establish();
      const random = seeded(seed);
      const hangsAt = duo.now + 1_000 + random.below(1_000);
      // What is under way still arrives.
      const alive = duo.path;
      duo.path = (passing) => (passing.at < hangsAt ? alive(passing) : []);
      const pings: number[] = [];
      while (duo.client.party.state === 'established' && duo.now < hangsAt + 40_000) {
        for (const end of duo.ends) if (end.party.state === 'established') end.send('message');
        if (random.below(4) === 0) {
          duo.client.ping();
          pings.push(duo.now);
        }
        duo.run(40 + random.below(20));
      }
      const firstUnanswered = pings[duo.client.count('pong')]!;
      const closed = duo.client.code;
      assert.equal(closed, 'USMP_DEAD');
      const late = duo.now - (firstUnanswered + 2_000);
      assert.ok(late >= 0 && late < 60, `${late} ms after it was due`);
    });
  }
});
