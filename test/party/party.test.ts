/** Two peers joined in memory: what they do for each other over either transport and with either suite. */
import assert from 'node:assert/strict';
import { SUITES } from '../../src/crypto/aead.js';
import { USMPError } from '../../src/errors.js';
import { toHex } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { settle } from '../support/clock.js';
import { collectGarbage } from '../support/garbage.js';
import { losing, type Side } from '../support/path.js';
import { seeded } from '../support/random.js';
import { LINK_KINDS } from '../support/links.js';
import { sealByHand } from '../support/sessions.js';
import { DEVICE_ID, Duo, LATENCY_MS, type DuoOptions, type End } from '../support/wire-tap.js';

const SIDES = ['client', 'server'] as const;
const SIZES = [0, 1, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808];

/** How many messages have gone each way before. */
const FRAMES = [0, 100, 1_000];
const behind = (frames: number): string => (frames > 0 ? `, behind ${frames} frames` : '');
const joined = (options: DuoOptions, frames = 0): Duo => new Duo(options).establish().seasoned(frames);
const other = (duo: Duo, side: Side): End => duo[side === 'client' ? 'server' : 'client'];

/** What became of a request. */
function outcome(end: End, ticket: number): string[] {
  return end.events.flatMap((event) => ('ticket' in event && event.ticket === ticket ? [event.type] : []));
}

function assertOver(end: End): void {
  assert.equal(end.party.state, 'closed');
  assert.equal(end.party.deadline, undefined);
  assert.equal(end.count('closed'), 1);
  assert.equal(end.events.at(-1)?.type, 'closed');
}

for (const over of LINK_KINDS) {
  for (const suite of SUITES) {
    describe(`two peers over ${over} with ${suite}`, () => {
      it('open one session that both know by the same id', () => {
        const duo = joined({ over, suite });
        const opened = duo.ends.map(({ events }) => events.find((event) => event.type === 'established')!);
        const withoutKey = opened.map((event) => ({ ...event, key: undefined })); // which only the server can tell
        assert.deepEqual(withoutKey[0], withoutKey[1]);
        assert.deepEqual(opened[0]!.deviceId, DEVICE_ID);
        assert.deepEqual(
          duo.ends.map(({ party }) => party.deadline),
          [undefined, undefined],
        );
      });

      it('let go of the handshake once they have a session, as idle sessions are many', async () => {
        const duo = joined({ over, suite });
        await settle(); // what was looked at in this turn is kept until its end
        collectGarbage();
        assert.equal(duo.serverHandshake.deref(), undefined);
        assert.equal(duo.server.party.state, 'established');
      });

      for (const from of SIDES) {
        it(`learn that the session lives with the first frame that the ${from} sends, and once`, () => {
          const duo = joined({ over, suite });
          assert.ok(!duo.ends.some((end) => end.has('proven')));
          duo[from].send('one');
          duo[from].send('two');
          duo.quiet();
          assert.deepEqual([duo[from].count('proven'), other(duo, from).count('proven')], [0, 1]);
        });
      }

      it('do not open a session when the server has another key for the device', () => {
        const duo = new Duo({ over, suite, serverPsk: new Uint8Array(16).fill(9) }).start();
        duo.until(() => duo.ends.every(({ party }) => party.state === 'closed'));
        assert.equal(duo.server.code, 'USMP_DEVICE_PROOF');
        assert.equal(duo.client.code, 'USMP_PSK_REJECTED');
        for (const end of duo.ends) assertOver(end);
      });
    });

    // The way both suites frame their bytes is the same; one of them is enough for long sessions.
    for (const frames of suite === SUITES[0] ? FRAMES : [0]) {
      // Behind more than 63 frames the reference loses what follows a REKEY over UDP; this package does not.
      const force = frames > 0;
      describe(`two peers over ${over} with ${suite}${behind(frames)}`, () => {
        it('exchange messages of every size, each once and in order, and report each as sent', () => {
          const duo = joined({ over, suite }, frames);
          const random = seeded(7);
          for (const from of SIDES) {
            const messages = SIZES.map((size) => random.bytes(size));
            const tickets = messages.map((message) => duo[from].send(message));
            duo.quiet();
            assert.deepEqual(other(duo, from).messages.map(toHex), messages.map(toHex));
            for (const ticket of tickets) assert.deepEqual(outcome(duo[from], ticket), ['sent']);
          }
        });

        it('exchange messages in both directions at the same time', () => {
          const duo = joined({ over, suite }, frames);
          const texts = Array.from({ length: 50 }, (_, i) => `message ${i} `.repeat(1 + 10 * (i % 12)));
          for (const text of texts) for (const end of duo.ends) end.send(text);
          duo.quiet();
          for (const end of duo.ends) assert.deepEqual(end.texts, texts);
        });

        it('refuse a message of 1,809 bytes before anything is sent', () => {
          const duo = joined({ over, suite }, frames);
          const before = duo.wire.length;
          assert.throws(() => duo.client.send(new Uint8Array(1809)), { code: 'USMP_MESSAGE_TOO_LONG' });
          assert.equal(duo.wire.length, before);
          duo.client.send('still there');
          duo.quiet();
          assert.deepEqual(duo.server.texts, ['still there']);
        });

        for (const from of SIDES) {
          it(`measure the round trip with a PING of the ${from}, behind the messages before it`, () => {
            const duo = joined({ over, suite }, frames);
            const message = duo[from].send('first');
            const ping = duo[from].ping();
            duo.quiet();
            const pong = duo[from].events.find((event) => event.type === 'pong')!;
            assert.deepEqual([pong.ticket, pong.rttMs], [ping, 2 * LATENCY_MS]);
            assert.deepEqual(outcome(duo[from], message), ['sent']);
            const names = duo[from].sent.map(({ name }) => name);
            assert.ok(names.indexOf(`DATA ${frames}`) < names.indexOf(`PING ${frames + 1}`));
            assert.deepEqual(other(duo, from).texts, ['first']);
          });

          it(`change keys when the ${from} asks for it, and go on both ways with counters at 0`, () => {
            const duo = joined({ over, suite }, frames);
            for (const end of duo.ends) end.send('before');
            duo.quiet();
            const ticket = duo[from].rekey(force);
            duo.quiet();
            assert.deepEqual(outcome(duo[from], ticket), ['sent']);
            assert.deepEqual(
              duo.ends.map((end) => end.count('rekeyed')),
              [1, 1],
            );
            for (const end of duo.ends) {
              end.send('after');
              // Over UDP the PINGs that prove the new keys, and their PONGs, went before.
              assert.equal(end.sent.at(-1)!.name, over === 'datagram' ? 'DATA 2' : 'DATA 0');
            }
            duo.quiet();
            for (const end of duo.ends) assert.deepEqual(end.texts, ['before', 'after']);
          });

          it(`keep the messages that were under way when the ${from} changed keys`, () => {
            const duo = joined({ over, suite }, frames);
            const texts = ['one', 'two '.repeat(300), 'three', 'four '.repeat(200)];
            for (const text of texts) other(duo, from).send(text);
            duo[from].rekey(force);
            duo[from].send('from the one who changed keys');
            duo.quiet();
            other(duo, from).send('after');
            duo.quiet();
            if (over === 'stream') assert.deepEqual(duo[from].texts, [...texts, 'after']);
            assert.deepEqual(duo[from].textsOnce, [...texts, 'after']);
            assert.deepEqual(other(duo, from).texts, ['from the one who changed keys']);
          });
        }

        it('change keys twenty times in turns, with messages before and after each', () => {
          const duo = joined({ over, suite }, frames);
          const texts: string[] = [];
          for (let i = 0; i < 20; i++) {
            const text = `round ${i}`;
            texts.push(text);
            for (const end of duo.ends) end.send(text);
            duo.quiet();
            duo[SIDES[i % 2]!].rekey(force);
            duo.quiet();
          }
          for (const end of duo.ends) assert.deepEqual(end.texts, texts);
          assert.deepEqual(
            duo.ends.map((end) => end.count('rekeyed')),
            [20, 20],
          );
        });

        it('both end with USMP_REKEY_CROSSED when they change keys at the same moment', () => {
          const duo = joined({ over, suite }, frames);
          for (const end of duo.ends) end.rekey(force);
          duo.quiet();
          for (const end of duo.ends) {
            assert.equal(end.code, 'USMP_REKEY_CROSSED');
            assertOver(end);
          }
        });

        it('send what is queued and then BYE when one of them closes', () => {
          const duo = joined({ over, suite }, frames);
          const texts = ['one', 'two '.repeat(400), 'three'];
          const tickets = texts.map((text) => duo.client.send(text));
          duo.client.close();
          assert.throws(() => duo.client.send('too late'), { name: 'NotConnectedError' });
          duo.quiet();
          assert.deepEqual(duo.server.texts, texts);
          for (const ticket of tickets) assert.deepEqual(outcome(duo.client, ticket), ['sent']);
          assert.equal(duo.client.ending, 'closed');
          assert.equal(duo.server.code, 'USMP_BYE');
          for (const end of duo.ends) assertOver(end);
        });

        it('both end without an error when both close at the same moment', () => {
          const duo = joined({ over, suite }, frames);
          for (const end of duo.ends) end.close();
          duo.quiet();
          for (const end of duo.ends) {
            assert.equal(end.ending, 'closed');
            assertOver(end);
          }
        });

        it('take nothing and ask for nothing once they are closed', () => {
          const duo = joined({ over, suite }, frames);
          duo.client.close();
          duo.quiet();
          const count = duo.wire.length;
          const { party } = duo.client;
          for (const passing of duo.wire.filter(({ from }) => from === 'server')) {
            duo.client.receive(passing.bytes);
          }
          party.tick(duo.now + 60_000);
          party.close(duo.now, 1000);
          party.setWritable(true, duo.now);
          party.transportClosed();
          duo.collect(duo.client);
          assert.equal(duo.wire.length, count);
          assertOver(duo.client);
          for (const ask of ['ping', 'rekey'] as const) {
            assert.throws(() => duo.client[ask](), { name: 'NotConnectedError' });
          }
        });
      });
    }
  }

  for (const frames of FRAMES) {
    const force = frames > 0;
    describe(`a change of keys over ${over}${behind(frames)}`, () => {
      it('is refused while one is under way or waits for its first answer', () => {
        const duo = joined({ over }, frames);
        duo.client.rekey(force);
        assert.throws(() => duo.client.rekey(force), { code: 'USMP_REKEY_PENDING' });
        // Over UDP a PING goes with it, whose PONG is that answer; over TCP nothing comes by itself.
        duo.run(1);
        assert.throws(() => duo.client.rekey(force), { code: 'USMP_REKEY_PENDING' });
        duo.quiet();
        if (over === 'stream') assert.throws(() => duo.client.rekey(force), { code: 'USMP_REKEY_PENDING' });
        duo.server.send('an answer under the new keys');
        duo.quiet();
        duo.client.rekey(force);
        duo.quiet();
        assert.equal(duo.server.count('rekeyed'), 2);
      });

      it('lets frames under the old keys in until the first one under the new keys', () => {
        const duo = joined({ over }, frames);
        const { sessionId, fromServer } = duo.keys;
        const underOldKey = (seq: number, text: string): Uint8Array => {
          const plaintext = new TextEncoder().encode(text);
          return encodeFrame(
            sealByHand({ key: fromServer, sessionId, type: FrameType.DATA, seq, plaintext }),
          );
        };
        duo.client.rekey(force);
        // Over UDP the PING that goes with it is answered under the new keys.
        if (over === 'stream') duo.quiet();
        duo.client.receive(underOldKey(frames, 'old and in time'));
        duo.server.send('new');
        duo.quiet();
        duo.client.receive(underOldKey(frames + 1, 'old and too late'));
        duo.run(100);
        assert.deepEqual(duo.client.texts, ['old and in time', 'new']);
        if (over === 'stream') assert.match(duo.client.code ?? '', /USMP_(TAG|SEQUENCE)/);
        else assert.equal(duo.client.party.state, 'established');
      });

      it('lets a PONG through that was under way', () => {
        const duo = joined({ over }, frames);
        const ping = duo.server.ping();
        duo.client.rekey(force);
        duo.quiet();
        assert.deepEqual(outcome(duo.server, ping), ['pong']);
        assert.ok(duo.ends.every(({ party }) => party.state === 'established'));
      });
    });
  }

  describe(`closing over ${over}`, () => {
    for (const [at, begin] of [
      ['before it started', (duo: Duo) => duo],
      ['during the handshake', (duo: Duo) => duo.start()],
    ] as const) {
      it(`ends a party at once ${at}`, () => {
        const duo = begin(new Duo({ over }));
        duo.client.close();
        assert.equal(duo.client.ending, 'closed');
        assertOver(duo.client);
      });
    }

    it('settles every request that is left: each is reported, or the session is', () => {
      const duo = joined({ over });
      if (over === 'stream') duo.client.setWritable(false);
      else duo.path = losing(() => true);
      const tickets = [duo.client.send('one'), duo.client.ping(), duo.client.rekey(), duo.client.send('two')];
      duo.client.close(700);
      const asked = duo.now;
      duo.until(() => duo.client.party.state === 'closed');
      assert.equal(duo.now - asked, 700);
      for (const ticket of tickets) assert.deepEqual(outcome(duo.client, ticket), []);
      assert.equal(duo.client.ending, 'closed');
      assertOver(duo.client);
    });

    it('by abort sends no BYE and reports the error that it was given', () => {
      const duo = joined({ over });
      const before = duo.client.sent.length;
      const error = new USMPError('enough');
      duo.client.party.abort(error);
      duo.collect(duo.client);
      assert.equal(duo.client.sent.length, before);
      assert.equal(duo.client.ending, error);
      assertOver(duo.client);
    });
  });
}

describe('a connection over a stream that ends during the handshake', () => {
  const table: { after: string; error: string | undefined; code: string }[] = [
    ...[undefined, 'ECONNRESET', 'EPIPE'].flatMap((error) => [
      { after: 'HELLO 0', error, code: 'USMP_CLOSED_BEFORE_CHALLENGE' },
      { after: 'HELLO_ACK 2', error, code: 'USMP_PSK_REJECTED' },
    ]),
    ...['ETIMEDOUT', 'EHOSTUNREACH', 'ENETDOWN'].flatMap((error) => [
      { after: 'HELLO 0', error, code: 'USMP_LOST' },
      { after: 'HELLO_ACK 2', error, code: 'USMP_LOST' },
    ]),
  ];
  for (const { after, error, code } of table) {
    it(`after ${after} with ${error ?? 'no error'} is told as ${code}`, () => {
      const duo = new Duo({ over: 'stream' }).start();
      duo.until(() => duo.client.sent.at(-1)?.name === after);
      const cause = error === undefined ? undefined : Object.assign(new Error(error), { code: error });
      duo.client.party.transportClosed(cause);
      duo.collect(duo.client);
      assert.equal(duo.client.code, code);
      if (code === 'USMP_LOST') {
        const { cause: told, fault } = duo.client.ending as USMPError;
        assert.deepEqual([told, fault], [cause, 'network']);
      }
      assertOver(duo.client);
    });
  }
});
