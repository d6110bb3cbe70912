import assert from 'node:assert/strict';
import { AuthError, CRCError, HandshakeError, VersionError, type USMPError } from '../../src/errors.js';
import type { ClientHandshake } from '../../src/handshake/client.js';
import type { ServerHandshake } from '../../src/handshake/server.js';
import { Handshaking } from '../../src/party/handshaking.js';
import { FrameType, type LinkKind } from '../../src/wire/constants.js';
import { encodeFrame, type Frame } from '../../src/wire/frame.js';
import { encodeUtack } from '../../src/wire/utack.js';
import {
  challenge,
  helloRetry,
  makeClient,
  makeServer,
  prove,
  reply,
  thePsk,
} from '../support/handshakes.js';
import { nameOf } from '../support/path.js';
import { LINK_KINDS, newLink } from '../support/links.js';

const DEADLINE = 10_000;

/** A handshake at work, in either role, with what it has done so far. */
function world(role: 'client' | 'server', over: LinkKind) {
  const link = newLink(over, 'client');
  const told: string[] = [];
  /** What was sent and told, in order. */
  const order: string[] = [];
  const collect = (): void => {
    order.push(...link.take().map(nameOf));
  };
  let failure: USMPError | undefined;
  const handshake = role === 'client' ? makeClient() : makeServer();
  const handshaking = new Handshaking(
    {
      ...{ handshake, link },
      report(report) {
        collect();
        told.push(report.type);
        order.push(report.type);
        if (report.type === 'failed') failure = report.error;
      },
    },
    DEADLINE,
  );
  return {
    ...{ handshaking, handshake, link, told },
    failure: () => failure,
    order: (): string[] => {
      collect();
      return order;
    },
    sent(): string[] {
      collect();
      return order.filter((name) => !told.includes(name));
    },
    receive: (frame: Frame, now = 0): void => handshaking.receive(frame, now),
    /** What the link makes of this datagram. */
    arrive(bytes: Uint8Array, now = 0) {
      link.add(bytes);
      return link.next(now)?.kind;
    },
  };
}

for (const over of LINK_KINDS) {
  describe(`a handshake at work over ${over}`, () => {
    it('begins with HELLO in a client, and with nothing in a server', () => {
      for (const [role, sent] of [
        ['client', ['HELLO 0']],
        ['server', []],
      ] as const) {
        const it = world(role, over);
        it.handshaking.start(0);
        assert.deepEqual(it.sent(), sent);
      }
    });

    it('asks for the key of a device and goes on when it is there', () => {
      const it = world('server', over);
      it.handshaking.start(0);
      it.receive(makeClient().start());
      assert.deepEqual(it.told, ['pskWanted']);
      const psk = thePsk();
      it.handshaking.providePsk(psk, 0);
      assert.equal(it.sent().at(-1), 'CHALLENGE 0');
    });

    it('is done before the answer leaves that says so', () => {
      const it = world('server', over);
      const client = makeClient();
      const asked = challenge(it.handshake as ServerHandshake, client.start(), thePsk());
      it.receive(reply(asked, client));
      assert.deepEqual(it.order().slice(-2), ['done', 'SESSION_OK 0']);
    });

    it('fails when its time is over, not before, with what it was at', () => {
      for (const [role, code] of [
        ['client', 'USMP_NO_ANSWER'],
        ['server', 'USMP_NO_ANSWER'],
      ] as const) {
        const it = world(role, over);
        it.handshaking.start(0);
        assert.equal(it.handshaking.deadline, DEADLINE);
        it.handshaking.tick(DEADLINE - 1);
        assert.deepEqual(it.told, []);
        it.handshaking.tick(DEADLINE);
        assert.deepEqual([it.told, it.failure()?.code], [['failed'], code]);
      }
    });

    it('fails when the key cannot be looked up, which is told as the own fault', () => {
      const it = world('server', over);
      it.handshaking.start(0);
      it.receive(makeClient().start());
      const cause = new Error('no disk');
      it.handshaking.failPsk(cause);
      const error = it.failure();
      assert.deepEqual([error?.code, error?.fault, error?.cause], ['USMP_PSK_LOOKUP', 'local', cause]);
    });

    it('wipes a key that it has no use for', () => {
      const it = world('client', over);
      const psk = thePsk();
      it.handshaking.providePsk(psk, 0);
      assert.ok(psk.bytes.every((byte) => byte === 0));
      it.handshaking.failPsk(new Error('no disk'));
      assert.deepEqual(it.told, [], 'a client looks nothing up');
    });
  });
}

describe('a handshake at work over a stream', () => {
  it('ends at a frame that is not in its place', () => {
    const it = world('client', 'stream');
    it.handshaking.start(0);
    assert.throws(() => it.receive({ type: FrameType.DATA, seq: 0, payload: new Uint8Array() }), {
      code: 'USMP_UNEXPECTED_FRAME',
    });
  });

  it('acknowledges nothing', () => {
    const it = world('server', 'stream');
    it.receive(makeClient().start());
    assert.deepEqual(it.sent(), []);
  });
});

describe('a handshake at work over datagrams', () => {
  it('has a client repeat HELLO until it is answered, whatever is acknowledged (protocol §4.3)', () => {
    const it = world('client', 'datagram');
    it.handshaking.start(0);
    assert.equal(it.arrive(encodeUtack({ type: FrameType.HELLO, seq: 0 }), 10), undefined);
    assert.equal(it.link.isFree, false);
    it.receive(helloRetry(), 20);
    assert.deepEqual(it.sent(), ['HELLO 0', 'UTACK of HELLO_RETRY 0', 'HELLO 1']);
    assert.equal(it.link.silence(120)?.ms, 100, 'now that of the second one is measured');
  });

  it('has a client repeat HELLO_ACK no more once SESSION_OK is there', () => {
    const it = world('client', 'datagram');
    const server = makeServer();
    const client = it.handshake as ClientHandshake;
    const asked = challenge(server, client.start(), thePsk());
    const { sessionOk } = prove(server, join().helloAck);
    it.receive(asked, 10);
    assert.equal(it.link.isFree, false);
    it.receive(sessionOk, 20);
    assert.equal(it.link.isFree, true);
    assert.deepEqual(it.told, ['done']);

    /** What the client will answer, taken from another that is its equal. */
    function join() {
      const twin = makeClient();
      twin.start();
      return { helloAck: reply(asked, twin) };
    }
  });

  it('has a server repeat CHALLENGE until its UTACK', () => {
    const it = world('server', 'datagram');
    it.receive(makeClient().start());
    it.handshaking.providePsk(thePsk(), 0);
    assert.equal(it.link.isFree, false);
    assert.equal(
      it.arrive(encodeUtack({ type: FrameType.CHALLENGE, seq: 0, mac: new Uint8Array(8) }), 10),
      undefined,
      'which has no mac',
    );
    assert.equal(it.arrive(encodeUtack({ type: FrameType.CHALLENGE, seq: 0 }), 10), 'delivered');
  });

  it('knows what it has dealt with, and not what it has refused', () => {
    const it = world('server', 'datagram');
    const hello = makeClient().start();
    it.receive(hello);
    const ping = { type: FrameType.PING, seq: 0, payload: new Uint8Array() };
    assert.throws(() => it.receive(ping), HandshakeError);
    assert.equal(it.arrive(encodeFrame(ping)), 'frame');
    assert.deepEqual(it.sent(), ['UTACK of HELLO 0']);
    assert.equal(it.arrive(encodeFrame(hello)), undefined);
    assert.deepEqual(it.sent(), ['UTACK of HELLO 0', 'UTACK of HELLO 0']);
  });

  it('acknowledges a wrong proof of a device, and goes on waiting for the right one', () => {
    const it = world('server', 'datagram');
    it.receive(makeClient().start());
    it.handshaking.providePsk(thePsk(), 0);
    const ack: Frame = { type: FrameType.HELLO_ACK, seq: 2, payload: new Uint8Array(32) };
    assert.throws(() => it.receive(ack, 100), AuthError);
    assert.equal(it.sent().at(-1), 'UTACK of HELLO_ACK 2');
    assert.equal(it.arrive(encodeFrame(ack)), undefined);
    assert.deepEqual(it.told, ['pskWanted']);
  });

  it('gives a device two seconds more after a wrong proof, and five tries', () => {
    const it = world('server', 'datagram');
    const error = new AuthError('wrong proof', { code: 'USMP_DEVICE_PROOF' });
    it.handshaking.suspect(error, 1_000);
    assert.equal(it.handshaking.deadline, 3_000);
    it.handshaking.suspect(error, 2_000);
    assert.equal(it.handshaking.deadline, 3_000, 'the first counts');
    it.handshaking.suspect(error, 2_000);
    it.handshaking.suspect(error, 2_000);
    assert.deepEqual(it.told, []);
    it.handshaking.suspect(error, 2_000);
    assert.deepEqual([it.told, it.failure()], [['failed'], error]);
  });

  it('explains a timeout by a datagram that was passed over, where that says something', () => {
    for (const { suspicion, code } of [
      { suspicion: new VersionError(1), code: 'USMP_WIRE_VERSION_1' },
      { suspicion: new AuthError('wrong proof', { code: 'USMP_GATEWAY_PROOF' }), code: 'USMP_GATEWAY_PROOF' },
      { suspicion: new CRCError('damaged'), code: 'USMP_NO_ANSWER' },
    ]) {
      const it = world('client', 'datagram');
      it.handshaking.start(0);
      it.handshaking.suspect(suspicion, 1_000);
      assert.equal(it.handshaking.deadline, DEADLINE, 'a client waits for the true one all its time');
      it.handshaking.tick(DEADLINE);
      assert.equal(it.failure()?.code, code);
    }
  });

  it('measures the silence after HELLO_ACK, by which it tells a rejection', () => {
    const it = world('client', 'datagram');
    const client = it.handshake as ClientHandshake;
    it.receive(challenge(makeServer(), client.start(), thePsk()), 3_000);
    for (let now = 3_000; now < DEADLINE; now += 100) it.link.tick(now);
    assert.ok(it.link.silence(DEADLINE)!.sends >= 5);
    it.handshaking.tick(DEADLINE);
    assert.equal(it.failure()?.code, 'USMP_PSK_REJECTED');

    const late = world('client', 'datagram');
    const slow = late.handshake as ClientHandshake;
    late.receive(challenge(makeServer(), slow.start(), thePsk()), 9_500);
    late.handshaking.tick(DEADLINE);
    assert.equal(late.failure()?.code, 'USMP_NO_SESSION_OK');
  });

  it('gives up before its time when its frame counts as lost', () => {
    const it = world('client', 'datagram');
    it.handshaking.start(0);
    it.handshaking.lost({ sends: 6, ms: 10_000 });
    assert.equal(it.failure()?.code, 'USMP_NO_ANSWER');
  });
});
