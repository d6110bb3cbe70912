/** What a party does while the transport takes nothing, or while nobody takes what arrives. */
import assert from 'node:assert/strict';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { concat } from '../../src/wire/bytes.js';
import { first, losing, named } from '../support/path.js';
import { seeded } from '../support/random.js';
import { sealByHand } from '../support/sessions.js';
import { Duo } from '../support/wire-tap.js';

/** The n-th PING of a client that has its keys and no manners. */
const pingOf = ({ keys }: Duo, seq: number): Uint8Array =>
  encodeFrame(sealByHand({ key: keys.fromClient, sessionId: keys.sessionId, type: FrameType.PING, seq }));

describe('a party whose socket is full', () => {
  it('sends nothing, and later all of it in the order in which it was asked for', () => {
    const duo = new Duo().establish();
    duo.client.setWritable(false);
    const before = duo.wire.length;
    const texts = Array.from({ length: 20 }, (_, i) => `message ${i} `.repeat(60));
    const tickets = texts.map((text) => duo.client.send(text));
    duo.client.ping();
    duo.client.rekey();
    tickets.push(duo.client.send('under the new keys'));
    duo.run(1000);
    assert.equal(duo.wire.length, before);
    assert.ok(!duo.client.has('sent'));
    duo.client.setWritable(true);
    duo.quiet();
    assert.deepEqual(duo.server.texts, [...texts, 'under the new keys']);
    assert.deepEqual(
      tickets.map((ticket) =>
        duo.client.events.some((event) => 'ticket' in event && event.ticket === ticket),
      ),
      tickets.map(() => true),
    );
    assert.equal(duo.client.count('pong'), 1);
    assert.equal(duo.client.count('rekeyed'), 1);
  });

  it('answers PING before the messages that wait', () => {
    const duo = new Duo().establish();
    duo.client.setWritable(false);
    duo.client.send('waits');
    duo.server.ping();
    duo.run(100);
    duo.client.setWritable(true);
    duo.quiet();
    assert.deepEqual(
      duo.server.events.flatMap(({ type }) => (type === 'pong' || type === 'message' ? [type] : [])),
      ['pong', 'message'],
    );
  });

  it('does not say BYE when its time to close is over before the socket takes bytes', () => {
    const duo = new Duo().establish();
    duo.client.setWritable(false);
    const before = duo.client.sent.length;
    duo.client.close(500);
    duo.run(499);
    assert.equal(duo.client.party.state, 'closing');
    duo.run(1);
    assert.equal(duo.client.ending, 'closed');
    assert.equal(duo.client.sent.length, before);
  });

  it('ends with USMP_PING_FLOOD when a device sends PINGs without end', () => {
    const duo = new Duo().establish();
    duo.server.setWritable(false);
    for (let seq = 0; seq < 32; seq++) duo.server.receive(pingOf(duo, seq));
    assert.equal(duo.server.party.state, 'established');
    duo.server.receive(pingOf(duo, 32));
    assert.equal(duo.server.code, 'USMP_PING_FLOOD');
    assert.match(String(duo.server.ending), /device/);
  });

  it('ends with USMP_PING_FLOOD, too, when they come in one chunk', () => {
    const duo = new Duo().establish();
    duo.server.setWritable(false);
    duo.server.receive(concat(...Array.from({ length: 1000 }, (_, seq) => pingOf(duo, seq))));
    assert.equal(duo.server.code, 'USMP_PING_FLOOD');
    assert.equal(duo.server.count('closed'), 1);
  });
});

describe('a party whose datagram is not acknowledged', () => {
  it('gives up on a device that sends nothing but PINGs, and does not answer each of them before', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    duo.path = losing(({ from }) => from === 'client');
    for (let seq = 0; seq < 500; seq++) duo.server.receive(pingOf(duo, seq));
    duo.until(() => duo.server.party.state === 'closed', 30_000);
    assert.match(duo.server.code ?? '', /USMP_(PING_FLOOD|NO_ACK)/);
    const pongs = new Set(duo.server.sent.flatMap(({ name }) => (name.startsWith('PONG') ? [name] : [])));
    assert.equal(pongs.size, 1);
  });

  it('ends with USMP_PING_FLOOD when a device sends PINGs without end', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    duo.path = losing(({ from }) => from === 'client');
    for (let seq = 0; seq < 100; seq++) duo.server.receive(pingOf(duo, seq));
    assert.equal(duo.server.code, 'USMP_PING_FLOOD');
  });
});

for (const over of ['stream', 'datagram'] as const) {
  describe(`the send queue over ${over}`, () => {
    it('takes 1,000 messages, refuses the next one with USMP_QUEUE_FULL, and takes more when it has room', () => {
      const duo = new Duo({ over }).establish();
      if (over === 'stream') duo.client.setWritable(false);
      // Over UDP the first one is under way and not in the queue.
      const room = over === 'stream' ? 1000 : 1001;
      const texts = Array.from({ length: room }, (_, i) => String(i));
      for (const text of texts) duo.client.send(text);
      for (let i = 0; i < 3; i++) {
        assert.throws(() => duo.client.send('one too many'), { code: 'USMP_QUEUE_FULL', fault: 'local' });
      }
      assert.throws(() => duo.client.ping(), { code: 'USMP_QUEUE_FULL' });
      duo.client.setWritable(true);
      duo.quiet();
      duo.client.send('there is room again');
      duo.quiet();
      assert.deepEqual(duo.server.texts, [...texts, 'there is room again']);
    });

    it('still has a place for BYE when it is full', () => {
      const duo = new Duo({ over }).establish();
      if (over === 'stream') duo.client.setWritable(false);
      for (let i = 0; i < 1000; i++) duo.client.send(String(i));
      duo.client.close(60_000);
      duo.client.setWritable(true);
      duo.quiet();
      assert.equal(duo.server.messages.length, 1000);
      assert.equal(duo.server.code, 'USMP_BYE');
    });

    it('holds a REKEY back while the keys of the other side come, and then sends it under those', () => {
      const duo = new Duo({ over }).establish();
      if (over === 'stream') duo.client.setWritable(false);
      else duo.path = losing(first(named('UTACK of DATA 0')));
      duo.client.send('before');
      duo.client.rekey();
      duo.client.send('after');
      duo.server.rekey();
      duo.server.send('from the server');
      duo.run(20);
      duo.client.setWritable(true);
      duo.quiet();
      duo.server.send('and again');
      duo.quiet();
      assert.deepEqual([duo.client.count('rekeyed'), duo.server.count('rekeyed')], [2, 2]);
      assert.deepEqual(duo.server.textsOnce, ['before', 'after']);
      assert.deepEqual(duo.client.texts, ['from the server', 'and again']);
    });

    it('keeps a copy of a message, so that the caller may use its buffer again', () => {
      const duo = new Duo({ over }).establish();
      duo.client.send('under way');
      duo.client.setWritable(false);
      const buffer = Buffer.from('as it was');
      duo.client.send(buffer);
      buffer.fill(0);
      duo.client.setWritable(true);
      duo.quiet();
      assert.deepEqual(duo.server.texts, ['under way', 'as it was']);
    });
  });
}

describe('a party that takes no datagrams in', () => {
  it('leaves frames unacknowledged, and takes them when they come again', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    duo.server.setReceiving(false);
    const before = duo.server.sent.length;
    const tickets = ['one', 'two', 'three'].map((text) => duo.client.send(text));
    duo.run(5_000);
    assert.equal(duo.server.sent.length, before);
    assert.deepEqual(duo.server.texts, []);
    assert.ok(!duo.client.has('sent'));
    duo.server.setReceiving(true);
    duo.quiet();
    assert.deepEqual(duo.server.texts, ['one', 'two', 'three']);
    assert.equal(duo.client.count('sent'), tickets.length);
  });

  it('goes on sending, and has its own frames acknowledged', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    duo.server.setReceiving(false);
    duo.client.send('has to wait');
    for (let i = 0; i < 5; i++) duo.server.send(String(i));
    duo.run(2_000);
    assert.deepEqual(duo.client.texts, ['0', '1', '2', '3', '4']);
    assert.equal(duo.server.count('sent'), 5);
  });

  it('answers PINGs, takes PONGs and hears BYE', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    duo.server.setReceiving(false);
    duo.client.ping();
    duo.server.ping();
    duo.run(200);
    assert.deepEqual([duo.client.count('pong'), duo.server.count('pong')], [1, 1]);
    duo.client.send('is not taken');
    duo.client.close(300);
    duo.run(400);
    assert.deepEqual([duo.server.texts, duo.server.code], [[], 'USMP_BYE']);
  });

  it('keeps its session, whose sign of life goes on', () => {
    const duo = new Duo({
      over: 'datagram',
      clientTimes: { keepaliveMs: 30_000, pongTimeoutMs: 10_000 },
      serverTimes: { sessionTimeoutMs: 60_000 },
    }).establish();
    duo.client.setReceiving(false);
    duo.run(600_000);
    assert.ok(duo.ends.every(({ party }) => party.state === 'established'));
  });

  it('stops and goes on in the middle of a long message', () => {
    const duo = new Duo({ over: 'datagram' }).establish();
    const message = Buffer.from(seeded(3).bytes(1808));
    duo.client.send(message);
    duo.until(() => duo.wire.some(({ name }) => name === 'DATA_FRAG 1'));
    duo.server.setReceiving(false);
    duo.run(3_000);
    duo.server.setReceiving(true);
    duo.quiet();
    assert.deepEqual(
      duo.server.messages.map((data) => Buffer.from(data)),
      [message],
    );
  });
});
