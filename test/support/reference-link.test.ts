import assert from 'node:assert/strict';
import { FrameType } from '../../src/wire/constants.js';
import { flipBit } from './hex.js';
import { rawFrame } from './forgery.js';
import { Reference } from './reference.js';
import { macOf, Puppet, type Heard } from './reference-puppet.js';

const { DATA, PING } = FrameType;

/** A stand-in that waits for the UTACK of a frame. */
function waiting(): { puppet: Puppet; frame: Heard } {
  const puppet = new Puppet();
  puppet.let((reference, now) => reference.send('its own', now));
  const [frame] = puppet.heard();
  return { puppet, frame: frame! };
}

describe('repeats of the stand-in for the reference (protocol §4.2)', () => {
  const afterFirst = (heard: readonly Heard[]): number[] => heard.slice(1).map(({ at }) => at - heard[0]!.at);

  it('are the same datagram again, the first time after half a second, then doubling', () => {
    const client = new Reference({ role: 'client', transport: 'udp' });
    client.start(0);
    const [hello] = client.take();
    const repeatedAt: number[] = [];
    for (let at = client.deadline!; at < 10_000; at = client.deadline!) {
      client.tick(at);
      assert.deepEqual(client.take(), [hello]);
      repeatedAt.push(at);
    }
    assert.deepEqual(repeatedAt, [500, 1_500, 3_500, 7_500]);
    client.tick(10_000);
    assert.deepEqual([client.ending, client.deadline, client.take()], ['late', undefined, []]);
  });

  it('are four, and then the session is over', () => {
    const { puppet, frame } = waiting();
    puppet.wait(20_000);
    const repeats = puppet.heard();
    assert.equal(repeats.length, 4);
    assert.ok(repeats.every(({ bytes }) => Buffer.compare(bytes, frame.bytes) === 0));
    assert.equal(puppet.reference.ending, 'unacknowledged');
  });

  for (const { roundTrip, least, most } of [
    { roundTrip: 50, least: 50, most: 70 },
    { roundTrip: 5, least: 50, most: 50 },
    { roundTrip: 300, least: 300, most: 400 },
  ]) {
    it(`begin ${least} to ${most} ms after the frame once the path is known to take ${roundTrip} ms`, () => {
      const puppet = new Puppet({}, roundTrip);
      for (let i = 0; i < 12; i++) {
        puppet.let((reference, now) => reference.send('x', now));
        puppet.wait(roundTrip);
        puppet.acknowledge(puppet.heard().at(-1)!);
      }
      puppet.let((reference, now) => reference.send('lost', now));
      puppet.wait(1_000);
      const [first = NaN] = afterFirst(puppet.heard());
      assert.ok(first >= least && first <= most, `${first} ms`);
    });
  }

  it('leave the timeout as it was', () => {
    const { puppet, frame } = waiting();
    puppet.wait(1_000);
    const before = afterFirst([frame, ...puppet.heard()]);
    puppet.acknowledge(frame);
    puppet.let((reference, now) => reference.send('lost', now));
    puppet.wait(1_000);
    assert.deepEqual(afterFirst(puppet.heard()), before);
  });
});

describe('sending of the stand-in for the reference', () => {
  it('has one frame under way, and the application sends one message after the other', () => {
    const puppet = new Puppet();
    puppet.let((reference, now) => {
      for (const text of ['one', 'x'.repeat(1_000), 'two']) reference.send(text, now);
      reference.ping(now);
    });
    const order: string[] = [];
    for (let heard = puppet.heard(); heard.length > 0; heard = puppet.heard()) {
      assert.equal(heard.length, 1);
      order.push(heard[0]!.name);
      puppet.acknowledge(heard[0]!);
    }
    assert.deepEqual(order, ['DATA 0', 'PING 1', 'DATA_FRAG 2', 'DATA_FRAG 3', 'DATA 4', 'DATA 5']);
  });

  for (const { what, makes } of [
    { what: 'without a mac', makes: (bytes: Uint8Array) => bytes.slice(0, 7) },
    { what: 'with a wrong mac', makes: (bytes: Uint8Array) => flipBit(bytes, 60) },
    { what: 'of another number', makes: (bytes: Uint8Array) => flipBit(bytes, 24) },
  ]) {
    it(`does not go on at a UTACK ${what}`, () => {
      const { puppet, frame } = waiting();
      const put = puppet.put.bind(puppet);
      puppet.put = (bytes) => put(makes(bytes));
      puppet.acknowledge(frame);
      puppet.wait(2_000);
      assert.ok(puppet.names().length >= 2);
    });
  }

  it('takes and acknowledges frames meanwhile', () => {
    const { puppet } = waiting();
    puppet.send(DATA, 'hello');
    assert.deepEqual(puppet.names(), ['UTACK of DATA 0']);
    assert.deepEqual(puppet.reference.texts, ['hello']);
  });

  it('holds one frame meanwhile in the C core, acknowledges it later and no other', () => {
    const puppet = new Puppet({ flavour: 'c-core' });
    puppet.let((reference, now) => reference.send('its own', now));
    const [own] = puppet.heard();
    puppet.send(DATA, 'held');
    puppet.send(DATA, 'lost');
    assert.deepEqual(puppet.names(), []);
    puppet.acknowledge(own!);
    assert.deepEqual(puppet.names(), ['UTACK of DATA 0']);
    assert.deepEqual(puppet.reference.texts, ['held']);
  });
});

describe('acknowledging of the stand-in for the reference (protocol §4.4)', () => {
  const table: { what: string; bytes: (puppet: Puppet) => Uint8Array; name?: string }[] = [
    { what: 'damaged', bytes: (puppet) => flipBit(puppet.seal(DATA, 'x'), 8 * 30) },
    { what: 'of another version', bytes: () => rawFrame({ type: DATA, seq: 0, version: 1 }) },
    {
      what: 'under an unknown key',
      bytes: () => rawFrame({ type: DATA, seq: 0, payload: new Uint8Array(40) }),
    },
    {
      what: 'that it has had before',
      bytes: (puppet) => puppet.seal(DATA, 'x', { seq: 99 }),
      name: 'DATA 99',
    },
    { what: 'that is too old', bytes: (puppet) => puppet.seal(DATA, 'x', { seq: 35 }), name: 'DATA 35' },
  ];
  for (const { what, bytes, name = 'DATA 0' } of table) {
    it(`comes before it looks at a frame ${what}, which it then passes over`, () => {
      const puppet = new Puppet();
      puppet.send(DATA, 'x', { seq: 99 });
      puppet.heard();
      puppet.put(bytes(puppet));
      const [utack, ...more] = puppet.heard();
      assert.deepEqual(
        [utack!.name, macOf(utack!, { its: puppet.keys }), more],
        [`UTACK of ${name}`, 'its', []],
      );
      assert.deepEqual([puppet.reference.texts, puppet.reference.state], [['x'], 'established']);
    });
  }

  it('leaves out what is no frame by magic and size', () => {
    const puppet = new Puppet();
    for (const bytes of [
      new Uint8Array(40),
      rawFrame({ type: DATA, length: 3 }),
      rawFrame({ type: DATA, magic: 0xabce }),
      rawFrame({ type: DATA, payload: new Uint8Array(481) }),
    ]) {
      puppet.put(bytes);
    }
    assert.deepEqual(puppet.names(), []);
  });

  it('ends when 4,096 bytes wait to be read', () => {
    const puppet = new Puppet();
    puppet.send(PING); // its PONG is not acknowledged, so that nothing more is taken
    puppet.heard();
    const text = 'x'.repeat(452);
    for (let i = 0; i < 10; i++) puppet.send(DATA, text);
    assert.equal(puppet.names().at(-1), `UTACK of DATA ${Math.floor(4_096 / 492)}`);
    assert.deepEqual(puppet.reference.texts, []);
  });

  it('is the last that an open session does when a frame of unknown type comes, from whomever (protocol §5.3)', () => {
    const puppet = new Puppet();
    puppet.put(rawFrame({ type: 0x0c, seq: 7 }));
    assert.deepEqual([puppet.names().length, puppet.reference.ending], [1, 'broken']);
    puppet.send(DATA, 'x');
    assert.deepEqual(puppet.names(), []);
  });
});
