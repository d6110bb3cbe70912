import assert from 'node:assert/strict';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { FrameType } from '../../src/wire/constants.js';
import { FakeClock } from './clock.js';
import { Reference } from './reference.js';
import { macOf, Puppet, type Keys } from './reference-puppet.js';
import { join, Way } from './reference-way.js';

const { DATA, DATA_FRAG, PING, PONG, BYE, REKEY } = FrameType;

describe('REKEY of the stand-in for the reference, over UDP', () => {
  const WAYS = [
    { who: 'the other side', change: (puppet: Puppet): Keys => puppet.rekey() },
    { who: 'it', change: (puppet: Puppet): Keys => puppet.letRekey() },
  ];

  for (const { who, change } of WAYS) {
    it(`acknowledges with the new key what comes under the old one, and throws it away, when ${who} began`, () => {
      const puppet = new Puppet();
      puppet.send(DATA, 'before');
      const late = puppet.seal(DATA, 'under way');
      const old = change(puppet);
      puppet.heard();
      puppet.put(late);
      const [utack] = puppet.heard();
      assert.equal(utack!.name, 'UTACK of DATA 1');
      assert.equal(macOf(utack!, { old, new: puppet.keys }), 'new');
      puppet.send(DATA, 'after');
      assert.deepEqual(puppet.reference.texts, ['before', 'after']);
    });

    for (const { frames, flavour, lost } of [
      { frames: 63, flavour: 'python', lost: 0 },
      { frames: 100, flavour: 'python', lost: 37 },
      { frames: 1_000, flavour: 'python', lost: 937 },
      { frames: 1_000, flavour: 'c-core', lost: 0 },
    ] as const) {
      it(`throws away ${lost} frames after ${frames} (${flavour}), all of them acknowledged, when ${who} began`, () => {
        const puppet = new Puppet({ flavour });
        for (let i = 0; i < frames; i++) puppet.send(DATA, 'before');
        change(puppet);
        puppet.heard();
        for (let i = 0; i < lost + 5; i++) puppet.send(DATA, String(i));
        assert.equal(puppet.heard().filter((utack) => macOf(utack, { new: puppet.keys })).length, lost + 5);
        // REKEY of the other side has a number of its own, which counts.
        const first = who === 'it' && lost > 0 ? lost - 1 : lost;
        assert.deepEqual(puppet.reference.texts.slice(frames, frames + 2), [
          String(first),
          String(first + 1),
        ]);
      });
    }
  }

  it('makes it deaf to the UTACK under the old key of its own frame under way', () => {
    for (const { mac, ending } of [
      { mac: 'old', ending: 'unacknowledged' },
      { mac: 'new', ending: undefined },
    ] as const) {
      const puppet = new Puppet();
      puppet.let((reference, now) => reference.send('under way', now));
      const [data] = puppet.heard();
      const old = puppet.rekey();
      puppet.acknowledge(data!, mac === 'old' ? old : puppet.keys);
      puppet.wait(30_000);
      assert.equal(puppet.reference.ending, ending, mac);
    }
  });

  it('changes its keys only when its REKEY was acknowledged', () => {
    const puppet = new Puppet();
    puppet.let((reference, now) => reference.rekey(now));
    puppet.send(DATA, 'crossing');
    const utack = puppet.heard().find(({ name }) => name === 'UTACK of DATA 0');
    assert.equal(macOf(utack!, { old: puppet.keys }), 'old');
    assert.deepEqual(puppet.reference.texts, ['crossing']);
  });

  it('acknowledges a repeat of REKEY with the new key', () => {
    const puppet = new Puppet();
    const salt = 's'.repeat(32);
    const repeat = puppet.seal(REKEY, salt, { seq: 0 });
    const old = puppet.rekey();
    assert.equal(macOf(puppet.heard()[0]!, { old, new: puppet.keys }), 'old');
    puppet.put(repeat);
    assert.equal(macOf(puppet.heard()[0]!, { old, new: puppet.keys }), 'new');
  });

  it('is passed over with a salt of another size', () => {
    const puppet = new Puppet();
    puppet.send(REKEY, 'short');
    puppet.send(DATA, 'still there');
    assert.deepEqual(puppet.reference.texts, ['still there']);
  });
});

describe('REKEY of the stand-in for the reference, over TCP', () => {
  const tcp = (): Puppet => new Puppet({ transport: 'tcp' });

  it('ends the session when frames cross the one it sent', () => {
    const puppet = tcp();
    const crossing = puppet.seal(DATA, 'crossing');
    puppet.let((reference, now) => reference.rekey(now));
    puppet.put(crossing);
    assert.deepEqual([puppet.reference.ending, puppet.reference.texts], ['broken', []]);
  });

  it('ends the session with a salt of another size', () => {
    const puppet = tcp();
    puppet.send(REKEY, 'short');
    assert.equal(puppet.reference.ending, 'broken');
  });

  it('loses nothing after many frames', () => {
    const puppet = tcp();
    for (let i = 0; i < 200; i++) puppet.send(DATA, 'before');
    puppet.rekey();
    puppet.send(DATA, 'after');
    assert.equal(puppet.reference.texts.at(-1), 'after');
  });
});

describe('two stand-ins for the reference that both begin REKEY', () => {
  for (const { transport, ending } of [
    { transport: 'udp', ending: 'unacknowledged' },
    { transport: 'tcp', ending: 'broken' },
  ] as const) {
    it(`understand each other no more over ${transport}, and end without BYE (protocol §3.8)`, async () => {
      const clock = new FakeClock();
      const way = new Way(clock, transport, 25);
      const make = (role: 'client' | 'server'): Reference => new Reference({ role, transport });
      const ends = join(way, make('client'), make('server'));
      ends.client.do((party, now) => party.start(now));
      await clock.advance(1_000);
      for (const end of [ends.client, ends.server]) {
        end.do((party, now) => party.rekey(now));
        end.do((party, now) => party.send('afterwards', now));
      }
      await clock.advance(30_000);
      for (const { party } of [ends.client, ends.server]) {
        assert.deepEqual([party.texts, party.ending], [[], ending]);
      }
      assert.ok(!way.passed.some(({ name }) => name.startsWith('BYE')));
    });
  }
});

describe('the loop of the stand-in for the reference', () => {
  for (const { type, gap, count, ending, pongs } of [
    { type: PING, gap: 1, count: 8, ending: undefined, pongs: 8 },
    { type: PING, gap: 1, count: 9, ending: 'flood', pongs: 9 },
    { type: PING, gap: 126, count: 40, ending: undefined, pongs: 40 },
    { type: PONG, gap: 1, count: 8, ending: undefined, pongs: 0 },
    { type: PONG, gap: 1, count: 9, ending: 'flood', pongs: 0 },
  ]) {
    it(`${ending ? 'ends' : 'lives on'} after ${count} control frames ${gap} ms apart, ${pongs} of them answered`, () => {
      for (const transport of PROTOCOLS) {
        const puppet = new Puppet({ transport });
        let answered = 0;
        for (let i = 0; i < count; i++) {
          puppet.send(type);
          for (const heard of puppet.heard().filter(({ name }) => name.startsWith('PONG'))) {
            answered += 1;
            if (transport === 'udp') puppet.acknowledge(heard);
          }
          puppet.wait(gap);
          puppet.heard();
        }
        assert.deepEqual(
          [puppet.reference.ending, answered],
          [ending, transport === 'udp' ? pongs : answered],
        );
      }
    });
  }

  it('counts anew after a message', () => {
    const puppet = new Puppet();
    for (let i = 0; i < 30; i++) puppet.send(i % 8 === 7 ? DATA : PONG);
    assert.equal(puppet.reference.ending, undefined);
  });

  it('hands out messages and answers PING in the order of their coming (protocol §3.6)', () => {
    const order: string[] = [];
    const puppet = new Puppet({ onMessage: (message) => void order.push(Buffer.from(message).toString()) });
    const put = puppet.put.bind(puppet);
    puppet.put = (bytes) => {
      put(bytes);
      for (const heard of puppet.heard()) if (heard.name.startsWith('PONG')) order.push(heard.name);
    };
    puppet.send(DATA, 'one');
    puppet.send(PING);
    puppet.send(DATA, 'two'); // the PONG is not acknowledged yet
    puppet.wait(20);
    assert.deepEqual(order, ['one', 'PONG 0']);
  });

  it('waits for its own answer, and the application for it', () => {
    const puppet = new Puppet({ onMessage: (message, session, now) => session.send(message, now) });
    for (const text of ['one', 'two']) puppet.send(DATA, text);
    puppet.send(PING);
    const [, echo] = puppet.heard();
    assert.deepEqual([echo!.name, puppet.reference.texts], ['DATA 0', ['one']]);
    puppet.acknowledge(echo!);
    const [second] = puppet.heard();
    assert.deepEqual([second!.name, puppet.reference.texts], ['DATA 1', ['one', 'two']]);
    puppet.acknowledge(second!);
    assert.deepEqual(puppet.names(), ['PONG 2']);
  });

  it('gives up a broken message over UDP and the session over TCP (protocol §3.4)', () => {
    for (const transport of PROTOCOLS) {
      const puppet = new Puppet({ transport });
      puppet.send(DATA_FRAG, 'half a mess');
      puppet.send(PING);
      puppet.send(DATA, 'age');
      assert.deepEqual(
        [puppet.reference.texts, puppet.reference.ending],
        transport === 'udp' ? [['age'], undefined] : [[], 'broken'],
      );
      assert.ok(!puppet.names().includes('PONG 0'));
    }
  });

  it('lets a silent device go between one and one and a half session timeouts, without BYE (protocol §3.5)', () => {
    for (const { last, until } of [
      { last: 0, until: 90_000 },
      { last: 29_000, until: 90_000 },
      { last: 31_000, until: 120_000 },
    ]) {
      const puppet = new Puppet({}, 0);
      puppet.wait(last);
      puppet.send(DATA, 'the last');
      puppet.heard();
      puppet.wait(until - last - 1);
      assert.equal(puppet.reference.ending, undefined, `${last}`);
      puppet.wait(1);
      assert.deepEqual([puppet.reference.ending, puppet.names()], ['silent', []]);
    }
  });

  it('answers BYE over UDP with BYE in the client, and is gone at once in the gateway (protocol §3.7)', () => {
    const client = new Puppet({ role: 'client' });
    client.send(BYE);
    assert.deepEqual(client.names(), ['UTACK of BYE 0', 'BYE 0']);
    client.wait(20_000);
    assert.equal(client.reference.ending, 'bye');
    const gateway = new Puppet();
    const bye = gateway.seal(BYE);
    gateway.put(bye);
    assert.deepEqual([gateway.names(), gateway.reference.ending], [['UTACK of BYE 0'], 'bye']);
    gateway.put(bye);
    assert.deepEqual(gateway.names(), []);
  });
});
