import assert from 'node:assert/strict';
import { Liveness } from '../../src/party/liveness.js';
import { MAX_FRAMES_BEFORE_REKEY, Sender } from '../../src/party/sender.js';
import { type LinkKind, FrameType, typeName } from '../../src/wire/constants.js';
import { Deframer } from '../../src/wire/deframer.js';
import { decodeFrame } from '../../src/wire/frame.js';
import { encodeUtack, type Utack } from '../../src/wire/utack.js';
import { framesOf } from '../support/frames.js';
import { LINK_KINDS, newLink } from '../support/links.js';
import { makePair } from '../support/sessions.js';

const LIVENESS = { keepaliveMs: 30_000, pongTimeoutMs: 10_000, sessionTimeoutMs: 0 };

/** A sender, and the session at its other end, which opens what is sent as it is sent. */
function world(over: LinkKind) {
  const { a: session, b } = makePair(over);
  const link = newLink(over, 'client');
  const liveness = new Liveness(LIVENESS, 0);
  const writes: string[] = [];
  const told: string[] = [];
  let utack: Utack | undefined;
  let tickets = 0;
  const sender = new Sender({
    ...{ session, liveness, link, other: 'gateway' },
    report(report) {
      if (report.type === 'pong') told.push(`pong ${report.ticket} after ${report.rttMs} ms`);
      else if (report.type === 'refused') told.push(`refused ${report.ticket}: ${report.error.code}`);
      else if (report.type === 'ended') told.push(`ended: ${report.error.code}`);
      else if (report.type === 'rekeyed') told.push(`rekeyed by ${report.by}`);
      else told.push(report.type === 'sent' ? `sent ${report.ticket}` : report.type);
    },
  });
  /** What the link has sent, write by write. */
  const collect = (): void => {
    for (const bytes of link.take()) {
      const names = Array.from(framesOf(new Deframer(), bytes), (frame) => {
        const [mac] = b.open(frame).utackMacs();
        utack = { type: frame.type, seq: frame.seq, ...(mac && { mac }) };
        return `${typeName(frame.type)} ${frame.seq}`;
      });
      writes.push(names.join(' + '));
    }
  };
  const ask = (action: (ticket: number) => void): number => {
    tickets += 1;
    action(tickets);
    collect();
    return tickets;
  };
  return {
    ...{ session, b, liveness, sender, link },
    send: (text: string, now = 0) => ask((ticket) => sender.message(ticket, Buffer.from(text), now)),
    ping: (now = 0) => ask((ticket) => sender.ping(ticket, now)),
    rekey: (now = 0, force = false) => ask((ticket) => sender.rekey(ticket, force, now)),
    /** Datagrams: the UTACK of what was sent last comes. */
    acknowledge: (now = 0): void => {
      collect();
      assert.ok(utack);
      link.add(encodeUtack(utack));
      assert.deepEqual(link.next(now), { kind: 'delivered' }, 'no UTACK is waited for');
      sender.frameDone(now);
      collect();
    },
    /** The other end changes the keys, and this one takes them. */
    peerRekeys: (now = 0): void => {
      collect();
      session.open(decodeFrame(b.sealRekey().bytes));
      sender.peerRekeyed(now);
    },
    /** What was sent since the last call, write by write, and what was told. */
    writes: () => {
      collect();
      return writes.splice(0);
    },
    told: () => told.splice(0),
  };
}

const LONG = 'long '.repeat(200); // three frames

for (const over of LINK_KINDS) {
  describe(`the sender over ${over}`, () => {
    it('measures the round trip of a PING', () => {
      const { sender, ping, told } = world(over);
      ping(100);
      sender.pong(150);
      assert.deepEqual(told(), ['pong 1 after 50 ms']);
    });

    it('lets those share a PING under way who ask for one before a message leaves', () => {
      const { sender, ping, writes, told } = world(over);
      ping(0);
      ping(20);
      assert.deepEqual(writes(), ['PING 0']);
      sender.pong(50);
      assert.deepEqual(told(), ['pong 1 after 50 ms', 'pong 2 after 50 ms']);
      ping(60);
      assert.deepEqual(writes(), ['PING 1'], 'one that was answered is shared with nobody');
    });

    it('takes a PONG that nobody asked for as nothing', () => {
      const { sender, told } = world(over);
      sender.pong(0);
      assert.deepEqual(told(), []);
    });

    it('keeps PINGs to the pace of the peer, and says when the next one is due', () => {
      const { sender, ping, writes } = world(over);
      for (let i = 0; i < 4; i++) {
        ping(i);
        sender.pong(i);
      }
      assert.equal(writes().length, 4);
      ping(10);
      assert.deepEqual([writes(), sender.deadline], [[], 1_000]);
      sender.tick(999);
      assert.deepEqual(writes(), []);
      sender.tick(1_000);
      assert.deepEqual(writes(), ['PING 4']);
      assert.equal(sender.deadline, Infinity);
    });
  });
}

describe('the sender over a stream', () => {
  it('writes a message at once, all its frames together, and tells that it was sent', () => {
    const { send, writes, told } = world('stream');
    send('short');
    send(LONG);
    assert.deepEqual(writes(), ['DATA 0', 'DATA_FRAG 1 + DATA_FRAG 2 + DATA 3']);
    assert.deepEqual(told(), ['sent 1', 'sent 2']);
  });

  it('waits while the socket takes nothing, and then sends all that waits', () => {
    const { sender, link, send, ping, writes, told } = world('stream');
    link.setWritable(false);
    send('one');
    ping();
    assert.deepEqual([writes(), told(), sender.deadline], [[], [], Infinity]);
    link.setWritable(true);
    sender.pump(500);
    assert.deepEqual([writes(), told()], [['DATA 0', 'PING 1'], ['sent 1']]);
    sender.pong(600);
    assert.deepEqual(told(), ['pong 2 after 100 ms'], 'counted from its sending');
  });

  it('answers the oldest PING with a PONG, one message behind the other', () => {
    const { sender, send, ping, writes, told } = world('stream');
    ping(0);
    send('between');
    ping(10);
    assert.deepEqual(writes(), ['PING 0', 'DATA 1', 'PING 2']);
    told();
    sender.pong(100);
    assert.deepEqual(told(), ['pong 1 after 100 ms']);
    sender.pong(110);
    assert.deepEqual(told(), ['pong 3 after 100 ms']);
  });

  it('counts a PING as unanswered until its own PONG, whatever came before', () => {
    const { sender, send, ping, liveness } = world('stream');
    ping(0);
    send('between');
    ping(4_000);
    sender.pong(9_000);
    assert.equal(liveness.deadline, 14_000);
    sender.pong(9_500);
    assert.notEqual(liveness.deadline, 14_000);
  });

  it('changes keys without ado', () => {
    const { sender, send, rekey, writes, told } = world('stream');
    for (let i = 0; i < 100; i++) send('before');
    writes();
    told();
    rekey();
    send('after');
    assert.deepEqual(
      [writes(), told()],
      [
        ['REKEY 100', 'DATA 0'],
        ['rekeyed by us', 'sent 101', 'sent 102'],
      ],
    );
    assert.equal(sender.deadline, Infinity);
  });

  it('takes the keys of the peer without ado', () => {
    const { send, peerRekeys, writes } = world('stream');
    peerRekeys();
    send('after');
    assert.deepEqual(writes(), ['DATA 0']);
  });

  it('counts PONGs to the pace of PINGs', () => {
    const { sender, ping, writes } = world('stream');
    for (let i = 0; i < 4; i++) {
      sender.queue.addPong(false);
      sender.pump(i);
    }
    ping(10);
    assert.deepEqual([writes().length, sender.deadline], [4, 1_000]);
  });

  it('tells when BYE has left', () => {
    const { sender, told } = world('stream');
    sender.bye(0);
    assert.deepEqual(told(), ['byeSent']);
  });

  it('has something sent count for the sign of life', () => {
    const { send, liveness } = world('stream');
    liveness.received(20_000);
    send('x', 20_000);
    assert.equal(liveness.deadline, 50_000);
  });
});

describe('the sender over datagrams', () => {
  it('sends one frame at a time, and tells of a message when its last one was acknowledged', () => {
    const { send, ping, acknowledge, writes, told } = world('datagram');
    send(LONG);
    ping();
    const steps: string[][] = [];
    for (let i = 0; i < 4; i++) {
      steps.push([...writes(), ...told()]);
      acknowledge();
    }
    assert.deepEqual(steps, [['DATA_FRAG 0'], ['DATA_FRAG 1'], ['DATA 2'], ['PING 3', 'sent 1']]);
  });

  it('takes the PONG for the UTACK of its PING', () => {
    const { sender, send, ping, writes } = world('datagram');
    ping();
    send('waits');
    assert.deepEqual(writes(), ['PING 0']);
    sender.pong(50);
    assert.deepEqual(writes(), ['DATA 1']);
  });

  it('does not take the PONG of an older PING for it', () => {
    const { sender, send, ping, acknowledge, writes } = world('datagram');
    ping();
    acknowledge();
    send('between');
    acknowledge();
    ping(10);
    send('waits', 10);
    writes();
    sender.pong(50);
    assert.deepEqual(writes(), []);
    acknowledge();
    assert.deepEqual(writes(), ['DATA 3']);
  });

  it('changes keys with a PING at once, and entrusts nothing to them before its PONG', () => {
    const { sender, send, rekey, acknowledge, writes, told } = world('datagram');
    rekey(0);
    send('after', 0);
    assert.deepEqual(writes(), ['REKEY 0']);
    acknowledge(30);
    assert.deepEqual([writes(), told()], [['PING 0'], ['rekeyed by us']]);
    acknowledge(60);
    assert.deepEqual([writes(), sender.deadline], [[], 2_030]);
    sender.pong(70);
    assert.deepEqual([writes(), told()], [['DATA 1'], ['sent 1']]);
    assert.equal(sender.deadline, Infinity);
  });

  it('says BYE and ends when the new keys are not answered in 2 s', () => {
    const { sender, send, rekey, acknowledge, writes, told } = world('datagram');
    rekey(0);
    send('after', 0);
    acknowledge(30);
    acknowledge(60);
    told();
    writes();
    sender.tick(2_029);
    assert.deepEqual([writes(), told()], [[], []]);
    sender.tick(2_030);
    assert.deepEqual([writes(), told()], [['BYE 1'], ['ended: USMP_REKEY_UNANSWERED']]);
  });

  it('waits for the answer to new keys only while this side listens', () => {
    const { sender, rekey, acknowledge } = world('datagram');
    sender.setListening(false, 0);
    assert.equal(sender.deadline, Infinity, 'there is nothing to wait for');
    rekey(0);
    acknowledge(30);
    sender.setListening(false, 1_000);
    assert.equal(sender.deadline, Infinity);
    sender.setListening(true, 9_000);
    assert.equal(sender.deadline, 11_000);
  });

  it('does not take the PONG of a PING under the old keys for their proof', () => {
    const { sender, ping, send, rekey, acknowledge, writes, told } = world('datagram');
    ping();
    acknowledge();
    send('between');
    acknowledge();
    rekey();
    acknowledge();
    send('after');
    acknowledge(); // the PING that goes with it
    told();
    writes();
    sender.pong(50);
    assert.deepEqual([writes(), told()], [[], ['pong 1 after 50 ms']]);
    sender.pong(60);
    assert.deepEqual([writes(), told()], [['DATA 1'], ['sent 3']]);
  });

  for (const { frames, force, refused } of [
    { frames: MAX_FRAMES_BEFORE_REKEY, force: false, refused: false },
    { frames: MAX_FRAMES_BEFORE_REKEY + 1, force: false, refused: true },
    { frames: MAX_FRAMES_BEFORE_REKEY + 1, force: true, refused: false },
  ]) {
    it(`${refused ? 'refuses' : 'makes'} a change of keys after ${frames} frames${force ? ' that is forced' : ''}, and goes on`, () => {
      const { send, rekey, acknowledge, writes, told } = world('datagram');
      for (let i = 0; i < frames; i++) {
        send('before');
        acknowledge();
      }
      writes();
      told();
      const ticket = rekey(0, force);
      send('after');
      assert.deepEqual(writes(), [refused ? `DATA ${frames}` : `REKEY ${frames}`]);
      assert.deepEqual(told(), refused ? [`refused ${ticket}: USMP_REKEY_TOO_LATE`] : []);
    });
  }

  it('seals a message under way anew when the peer changes keys, behind a PING', () => {
    const { sender, send, peerRekeys, acknowledge, writes, told } = world('datagram');
    send(LONG);
    acknowledge();
    send('next');
    assert.deepEqual(writes(), ['DATA_FRAG 0', 'DATA_FRAG 1']);
    peerRekeys(100);
    assert.deepEqual([writes(), told()], [['PING 0'], []]);
    assert.equal(sender.deadline, 2_100);
    sender.pong(150);
    for (let i = 0; i < 4; i++) acknowledge();
    assert.deepEqual(writes(), ['DATA_FRAG 1', 'DATA_FRAG 2', 'DATA 3', 'DATA 4']);
    assert.deepEqual(told(), ['sent 1', 'sent 2']);
  });

  it('lets a control frame under way be acknowledged when the peer changes keys', () => {
    const { sender, peerRekeys, acknowledge, writes } = world('datagram');
    sender.queue.addPong(false);
    sender.pump(0);
    peerRekeys();
    assert.deepEqual(writes(), ['PONG 0']);
    acknowledge();
    assert.deepEqual(writes(), ['PING 0']);
  });

  it('has the own change of keys proven by the answer to that of the peer', () => {
    const { sender, rekey, acknowledge, peerRekeys, told, b, session } = world('datagram');
    const ticket = rekey(0);
    acknowledge(0);
    // The other end answers under the new keys, and then changes them itself.
    session.open(decodeFrame(b.sealControl(FrameType.PONG).bytes));
    acknowledge(10);
    peerRekeys(20);
    told();
    sender.pong(30);
    assert.deepEqual(told(), [], 'the PONG of the PING before that');
    sender.pong(40);
    assert.deepEqual(told(), [`sent ${ticket}`]);
  });
});
