import assert from 'node:assert/strict';
import { sessionOkProof } from '../../src/crypto/proofs.js';
import type { Secret } from '../../src/crypto/secret.js';
import type { ClientHandshake } from '../../src/handshake/client.js';
import type { Ending } from '../../src/handshake/handshake.js';
import { FrameType } from '../../src/wire/constants.js';
import type { Frame } from '../../src/wire/frame.js';
import { decodeChallenge, decodeHello, encodeSessionOk } from '../../src/wire/payloads.js';
import {
  anotherPsk,
  DEVICE_ID,
  everyTypeBut,
  helloRetry,
  join,
  makeClient,
  makeServer,
  prove,
  reply,
  thePsk,
} from '../support/handshakes.js';
import { flipBit } from '../support/hex.js';
import { assertHides } from '../support/secrecy.js';

/** A client that waits for SESSION_OK, and the one that it waits for. */
function awaitingSessionOk(): { client: ClientHandshake; sessionOk: Frame } {
  const [client, server] = [makeClient(), makeServer()];
  const { sessionOk } = prove(server, reply(reply(client.start(), server), client));
  return { client, sessionOk };
}

const resized = (frame: Frame, size: number): Frame => ({ ...frame, payload: new Uint8Array(size) });

describe('the client of a handshake', () => {
  it('begins with HELLO: its device id and a public key, no cookie', () => {
    const hello = makeClient().start();
    const { deviceId, cookie } = decodeHello(hello.payload);
    assert.deepEqual([hello.type, hello.seq, deviceId, cookie], [FrameType.HELLO, 0, DEVICE_ID, undefined]);
  });

  it('answers HELLO_RETRY with the same HELLO, the cookie at its end and number 1 (protocol §2.5)', () => {
    const client = makeClient();
    const first = client.start();
    const cookie = Uint8Array.from({ length: 16 }, (_, i) => i);
    const second = reply(helloRetry(cookie), client);
    assert.deepEqual([second.type, second.seq], [FrameType.HELLO, 1]);
    assert.deepEqual(second.payload.subarray(0, 38), first.payload);
    assert.deepEqual(second.payload.subarray(38), cookie);
  });

  it('refuses a second HELLO_RETRY and still accepts CHALLENGE', () => {
    const client = makeClient();
    client.start();
    const hello = reply(helloRetry(), client);
    assert.throws(() => client.receive(helloRetry()), {
      name: 'HandshakeError',
      code: 'USMP_SECOND_HELLO_RETRY',
    });
    join(client, makeServer(), hello);
  });

  it('refuses every frame before it was started', () => {
    for (const frame of everyTypeBut()) {
      assert.throws(() => makeClient().receive(frame), {
        name: 'HandshakeError',
        code: 'USMP_UNEXPECTED_FRAME',
      });
    }
  });

  for (const frame of everyTypeBut(FrameType.HELLO_RETRY, FrameType.CHALLENGE)) {
    it(`refuses type ${frame.type} where CHALLENGE is due, and goes on as if it had not come`, () => {
      const client = makeClient();
      const hello = client.start();
      assert.throws(() => client.receive(frame), {
        name: 'HandshakeError',
        code: 'USMP_UNEXPECTED_FRAME',
        message: /where CHALLENGE was due/,
      });
      join(client, makeServer(), hello);
    });
  }

  for (const frame of everyTypeBut(FrameType.SESSION_OK)) {
    it(`refuses type ${frame.type} where SESSION_OK is due, and goes on as if it had not come`, () => {
      const { client, sessionOk } = awaitingSessionOk();
      assert.throws(() => client.receive(frame), {
        name: 'HandshakeError',
        code: 'USMP_UNEXPECTED_FRAME',
        message: /where SESSION_OK was due/,
      });
      assert.ok(client.receive(sessionOk).established);
    });
  }

  it('refuses every frame once it is done, SESSION_OK again among them', () => {
    const { client, sessionOk } = awaitingSessionOk();
    client.receive(sessionOk);
    for (const frame of [sessionOk, ...everyTypeBut()]) {
      assert.throws(() => client.receive(frame), { name: 'HandshakeError', code: 'USMP_UNEXPECTED_FRAME' });
    }
  });

  it('refuses every frame once it was given up', () => {
    const { client, sessionOk } = awaitingSessionOk();
    client.wipe();
    assert.throws(() => client.receive(sessionOk), { name: 'HandshakeError', code: 'USMP_UNEXPECTED_FRAME' });
  });

  for (const size of [0, 15, 17]) {
    it(`refuses HELLO_RETRY with ${size} bytes and still answers a right one`, () => {
      const client = makeClient();
      client.start();
      assert.throws(() => client.receive(resized(helloRetry(), size)), { name: 'PayloadError' });
      assert.equal(reply(helloRetry(), client).seq, 1);
    });
  }

  for (const size of [0, 63, 65]) {
    it(`refuses CHALLENGE with ${size} bytes and still accepts a right one`, () => {
      const [client, server] = [makeClient(), makeServer()];
      const challenge = reply(client.start(), server);
      assert.throws(() => client.receive(resized(challenge, size)), { name: 'PayloadError' });
      assert.equal(reply(challenge, client).type, FrameType.HELLO_ACK);
    });
  }

  for (const size of [0, 47, 49]) {
    it(`refuses SESSION_OK with ${size} bytes and still accepts a right one`, () => {
      const { client, sessionOk } = awaitingSessionOk();
      assert.throws(() => client.receive(resized(sessionOk, size)), { name: 'PayloadError' });
      assert.ok(client.receive(sessionOk).established);
    });
  }

  it('refuses a CHALLENGE whose public key makes the shared secret zero, and still accepts a right one', () => {
    const [client, server] = [makeClient(), makeServer()];
    const challenge = reply(client.start(), server);
    const zero = { ...challenge, payload: Uint8Array.from(challenge.payload).fill(0, 32) };
    assert.throws(() => client.receive(zero), { name: 'CryptoError', code: 'USMP_BAD_PUBLIC_KEY' });
    assert.equal(reply(challenge, client).type, FrameType.HELLO_ACK);
  });

  it('refuses SESSION_OK with any one bit of session id or proof turned over, and then accepts the right one', () => {
    const { client, sessionOk } = awaitingSessionOk();
    for (let bit = 0; bit < sessionOk.payload.length * 8; bit++) {
      const altered = { ...sessionOk, payload: flipBit(sessionOk.payload, bit) };
      assert.throws(
        () => client.receive(altered),
        { name: 'AuthError', code: 'USMP_GATEWAY_PROOF' },
        `bit ${bit}`,
      );
    }
    assert.ok(client.receive(sessionOk).established);
  });

  it('refuses a gateway that has another PSK, even when that gateway lets everybody in', () => {
    const [client, server] = [makeClient(), makeServer()];
    const hello = client.start();
    const challenge = reply(hello, server);
    reply(challenge, client);
    const { clientPublic } = decodeHello(hello.payload);
    const input = { ...decodeChallenge(challenge.payload), clientPublic };
    const sessionId = new Uint8Array(16).fill(1);
    const sessionOk = (psk: Secret): Frame => {
      const payload = encodeSessionOk({ sessionId, proof: sessionOkProof(psk, input, sessionId) });
      return { type: FrameType.SESSION_OK, seq: 0, payload };
    };
    assert.throws(() => client.receive(sessionOk(anotherPsk())), {
      name: 'AuthError',
      code: 'USMP_GATEWAY_PROOF',
    });
    assert.ok(client.receive(sessionOk(thePsk())).established);
  });

  it('does not show the PSK', () => {
    assertHides(makeClient(), [thePsk().bytes]);
    assertHides(awaitingSessionOk().client, [thePsk().bytes]);
  });
});

describe('why a handshake of a client came to nothing', () => {
  type Step = 'HELLO' | 'HELLO with cookie' | 'HELLO_ACK';
  const at = (step: Step): ClientHandshake => {
    if (step === 'HELLO_ACK') return awaitingSessionOk().client;
    const client = makeClient();
    client.start();
    if (step === 'HELLO with cookie') reply(helloRetry(), client);
    return client;
  };
  const rejected = {
    code: 'USMP_PSK_REJECTED',
    fault: 'local',
    message: /^PSK rejected: .*PSK .* device id/s,
  };
  const early = {
    code: 'USMP_CLOSED_BEFORE_CHALLENGE',
    fault: 'peer',
    message: /before CHALLENGE: .*locked .*out/,
  };
  const noUdp = { code: 'USMP_NO_ANSWER', fault: 'network', message: /no answer to HELLO: .*listens on UDP/ };
  const noTcp = { code: 'USMP_NO_ANSWER', fault: 'network', message: /^connected, but no answer to HELLO/ };
  const lateAck = {
    code: 'USMP_NO_SESSION_OK',
    fault: 'network',
    message: /did not answer HELLO_ACK in time/,
  };

  const noChallenge = {
    code: 'USMP_NO_CHALLENGE',
    fault: 'network',
    message: /answered, and then sent no CHALLENGE: .*locked .*out/,
  };
  const late = {
    code: 'USMP_TIMEOUT',
    fault: 'network',
    message: /^the gateway answered HELLO, .* is slow$/,
  };

  const close: Ending = { by: 'close' };
  const tcp: Ending = { by: 'silence', over: 'stream' };
  const udp = (sends: number, ms: number): Ending => ({
    by: 'silence',
    over: 'datagram',
    since: { sends, ms },
  });
  const table: { step: Step; ending: Ending; expected: typeof rejected }[] = [
    { step: 'HELLO', ending: close, expected: early },
    { step: 'HELLO', ending: tcp, expected: noTcp },
    { step: 'HELLO', ending: udp(5, 10_000), expected: noUdp },
    { step: 'HELLO with cookie', ending: close, expected: early },
    { step: 'HELLO with cookie', ending: tcp, expected: noChallenge },
    { step: 'HELLO with cookie', ending: udp(5, 5_000), expected: noChallenge },
    { step: 'HELLO with cookie', ending: udp(4, 9_000), expected: late },
    { step: 'HELLO with cookie', ending: udp(9, 4_999), expected: late },
    { step: 'HELLO with cookie', ending: udp(1, 500), expected: late },
    { step: 'HELLO_ACK', ending: close, expected: rejected },
    { step: 'HELLO_ACK', ending: tcp, expected: lateAck },
    { step: 'HELLO_ACK', ending: udp(5, 5_000), expected: rejected },
    { step: 'HELLO_ACK', ending: udp(4, 9_000), expected: lateAck },
    { step: 'HELLO_ACK', ending: udp(9, 4_999), expected: lateAck },
    { step: 'HELLO_ACK', ending: udp(1, 500), expected: lateAck },
  ];
  for (const { step, ending, expected } of table) {
    it(`is ${expected.code} after ${step}, ended by ${JSON.stringify(ending)}`, () => {
      const error = at(step).failure(ending);
      assert.throws(
        () => {
          throw error;
        },
        { name: 'HandshakeError', ...expected },
      );
    });
  }
});
