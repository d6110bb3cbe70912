/** What ends the repeats of a datagram, and what does not (protocol §4.1, §4.2, §4.4). */
import assert from 'node:assert/strict';
import { FrameType, UTACK_MAC_BYTES } from '../../src/wire/constants.js';
import { encodeUtack } from '../../src/wire/utack.js';
import { first, losing, named } from '../support/path.js';
import { utackMac } from '../../src/crypto/proofs.js';
import { Secret } from '../../src/crypto/secret.js';
import { Duo, LATENCY_MS, type DuoOptions } from '../support/wire-tap.js';

const udp = (options: DuoOptions = {}, frames = 0): Duo =>
  new Duo({ ...options, over: 'datagram' }).establish().seasoned(frames);
const sendsOf = (duo: Duo, name: string): number => duo.wire.filter((each) => each.name === name).length;

for (const frames of [0, 100, 1_000]) {
  describe(`the repeats of a session frame${frames > 0 ? `, behind ${frames} others` : ''}`, () => {
    it('are the very same datagram, byte for byte', () => {
      const duo = udp({}, frames);
      let left = 4;
      duo.path = losing((passing) => passing.name === `DATA ${frames}` && left-- > 0);
      duo.client.send('again and again');
      duo.quiet();
      const sends = duo.client.sent.filter(({ name }) => name === `DATA ${frames}`);
      assert.equal(sends.length, 5);
      for (const { bytes } of sends) assert.deepEqual(bytes, sends[0]!.bytes);
      assert.deepEqual(duo.server.texts, ['again and again']);
    });

    it('are acknowledged again and their message is handed over once, when only UTACKs are lost', () => {
      const duo = udp({}, frames);
      let left = 3;
      duo.path = losing((passing) => passing.name === `UTACK of DATA ${frames}` && left-- > 0);
      duo.client.send('once');
      duo.quiet();
      assert.equal(sendsOf(duo, `UTACK of DATA ${frames}`), 4);
      assert.deepEqual(duo.server.texts, ['once']);
      assert.equal(duo.client.count('sent'), 1);
    });

    for (const side of ['client', 'server'] as const) {
      it(`go on after the first lost UTACK of the REKEY of the ${side}, and the session lives on`, () => {
        const duo = udp({}, frames);
        duo.path = losing(first(named(`UTACK of REKEY ${frames}`)));
        duo[side].rekey(frames > 0);
        for (const end of duo.ends) end.send('with it');
        duo.quiet();
        for (const end of duo.ends) end.send('after it');
        duo.quiet();
        for (const end of duo.ends) {
          assert.deepEqual(end.textsOnce, ['with it', 'after it']);
          assert.equal(end.count('rekeyed'), 1);
        }
        assert.equal(sendsOf(duo, `REKEY ${frames}`), 2);
      });

      it(`end both sides when REKEYs cross and that of the ${side} is lost`, () => {
        const duo = new Duo({
          over: 'datagram',
          clientTimes: { keepaliveMs: 30_000, pongTimeoutMs: 10_000 },
          serverTimes: { sessionTimeoutMs: 60_000 },
        })
          .establish()
          .seasoned(frames);
        duo.path = losing(named(`REKEY ${frames}`, side));
        for (const end of duo.ends) end.rekey(frames > 0);
        duo.until(() => duo.ends.every(({ party }) => party.state === 'closed'), 90_000);
        assert.equal(duo[side].code, 'USMP_REKEY_CROSSED');
        assert.ok(duo.ends.every((end) => end.ending !== 'closed'));
      });
    }

    it('end with PONG when the UTACK of PING is lost', () => {
      const duo = udp({}, frames);
      duo.path = losing(named(`UTACK of PING ${frames}`));
      duo.client.ping();
      duo.client.send('behind it');
      duo.run(2 * LATENCY_MS);
      assert.equal(duo.client.count('pong'), 1);
      duo.quiet();
      assert.equal(sendsOf(duo, `PING ${frames}`), 1);
      assert.deepEqual(duo.server.texts, ['behind it']);
    });

    it('do not end with the PONG of an older PING', () => {
      const duo = udp({}, frames);
      const from = duo.now;
      duo.path = ({ name }) => {
        if (name === `PONG ${frames}`) return [{ laterMs: 40 }]; // comes while the second PING is under way
        return name === `PING ${frames + 2}` && duo.now < from + 100 ? [] : [{}];
      };
      duo.client.ping();
      duo.client.send('without it they would share one');
      duo.client.ping();
      duo.quiet();
      assert.equal(duo.client.count('pong'), 2);
      assert.ok(sendsOf(duo, `PING ${frames + 2}`) >= 2);
    });

    const none = new Uint8Array(0);
    const forgeries: Record<string, (duo: Duo) => Uint8Array> = {
      'without a mac': () => encodeUtack({ type: FrameType.DATA, seq: frames }),
      'with a mac of zeros': () =>
        encodeUtack({ type: FrameType.DATA, seq: frames, mac: new Uint8Array(UTACK_MAC_BYTES) }),
      'with a mac under the key of the other direction': ({ keys }) =>
        encodeUtack({
          type: FrameType.DATA,
          seq: frames,
          mac: utackMac(new Secret(keys.fromServer), FrameType.DATA, frames),
        }),
      'for another number': ({ keys }) =>
        encodeUtack({
          type: FrameType.DATA,
          seq: frames + 1,
          mac: utackMac(new Secret(keys.fromClient), FrameType.DATA, frames + 1),
        }),
      'for another type': ({ keys }) =>
        encodeUtack({
          type: FrameType.PING,
          seq: frames,
          mac: utackMac(new Secret(keys.fromClient), FrameType.PING, frames),
        }),
      'with half a mac': ({ keys }) =>
        encodeUtack({
          type: FrameType.DATA,
          seq: frames,
          mac: utackMac(new Secret(keys.fromClient), FrameType.DATA, frames).subarray(0, 4),
        }),
      'that is cut off': () => encodeUtack({ type: FrameType.DATA, seq: frames }).subarray(0, 5),
      'that is empty': () => none,
    };
    for (const [what, forge] of Object.entries(forgeries)) {
      it(`do not end with a UTACK ${what}`, () => {
        const duo = udp({}, frames);
        duo.path = losing(({ from }) => from === 'client');
        duo.client.send('needs a true one');
        duo.client.receive(forge(duo));
        duo.run(1000);
        assert.ok(!duo.client.has('sent'));
        duo.path = () => [{}];
        duo.quiet();
        assert.equal(duo.client.count('sent'), 1);
        assert.deepEqual(duo.server.texts, ['needs a true one']);
      });
    }
  });
}

describe('the repeats', () => {
  it('of a handshake frame do not end with a UTACK that carries a mac', () => {
    const duo = new Duo({ over: 'datagram', path: losing(named('CHALLENGE 0')) }).start();
    duo.until(() => duo.wire.some(({ name }) => name === 'CHALLENGE 0'));
    const mac = new Uint8Array(UTACK_MAC_BYTES);
    duo.server.receive(encodeUtack({ type: FrameType.CHALLENGE, seq: 0, mac }));
    duo.run(2000);
    assert.ok(sendsOf(duo, 'CHALLENGE 0') > 1);
  });
});

describe('the patience of a sender', () => {
  for (const side of ['client', 'server'] as const) {
    it(`lasts for at least five sends and ten seconds (${side})`, () => {
      const duo = udp();
      for (const end of duo.ends) end.send('the session lives');
      // Many fast round trips, after which the repeat timeout is at its shortest.
      for (let i = 1; i < 50; i++) duo[side].send(String(i));
      duo.quiet();
      duo.path = losing(() => true);
      const from = duo.now;
      duo[side].send('lost');
      duo.until(() => duo[side].party.state === 'closed', 30_000);
      assert.equal(duo[side].code, 'USMP_NO_ACK');
      assert.ok(duo.now - from >= 10_000, `gave up after ${duo.now - from} ms`);
      assert.ok(sendsOf(duo, 'DATA 50') >= 5);
      assert.equal(duo[side].party.deadline, undefined);
    });
  }

  it('is not over as long as the other side is only busy for nine seconds', () => {
    const duo = udp();
    duo.path = losing(({ at }) => at < 9_000);
    duo.client.send('waits');
    duo.quiet();
    assert.deepEqual(duo.server.texts, ['waits']);
  });

  it('outlasts single frames that are never acknowledged at the first time (protocol §7.4)', () => {
    const duo = udp();
    const seen = new Set<string>();
    duo.path = losing(({ name }) => name.startsWith('UTACK') && !seen.has(name) && !!seen.add(name));
    for (let i = 0; i < 30; i++) for (const end of duo.ends) end.send(String(i));
    duo.quiet();
    for (const end of duo.ends) assert.equal(end.messages.length, 30);
  });
});

describe('closing over UDP', () => {
  it('repeats BYE, and takes no longer than it may when nothing comes back', () => {
    const duo = udp();
    duo.path = losing(() => true);
    const from = duo.now;
    duo.client.close(800);
    duo.until(() => duo.client.party.state === 'closed');
    assert.equal(duo.now - from, 800);
    assert.ok(sendsOf(duo, 'BYE 0') >= 2);
    assert.equal(duo.client.ending, 'closed');
  });

  it('takes no longer when BYE arrives and only its UTACK is lost', () => {
    const duo = udp();
    duo.path = losing(named('UTACK of BYE 0'));
    const from = duo.now;
    duo.client.close(800);
    duo.until(() => duo.client.party.state === 'closed');
    assert.equal(duo.now - from, 800);
    assert.equal(duo.server.code, 'USMP_BYE');
  });

  it('sends BYE past the queue at the last moment when messages are stuck', () => {
    const duo = udp();
    duo.path = losing(({ name }) => !name.startsWith('BYE'));
    duo.client.send('stuck');
    duo.client.send('behind it');
    duo.client.close(800);
    duo.quiet();
    assert.equal(duo.server.code, 'USMP_BYE');
    assert.equal(duo.client.ending, 'closed');
  });

  it('is over with a BYE of the other side, as the reference answers with one (protocol §3.7)', () => {
    const duo = udp();
    duo.path = losing(named('UTACK of BYE 0'));
    for (const end of duo.ends) end.close(800);
    duo.run(2 * LATENCY_MS);
    assert.deepEqual(
      duo.ends.map(({ ending }) => ending),
      ['closed', 'closed'],
    );
  });
});
