import assert from 'node:assert/strict';
import { Secret } from '../../src/crypto/secret.js';
import type { Ending, Handshake } from '../../src/handshake/handshake.js';
import type { Fault } from '../../src/errors.js';
import type { ServerHandshake } from '../../src/handshake/server.js';
import { FrameType } from '../../src/wire/constants.js';
import {
  anotherPsk,
  challenge,
  DEVICE_ID,
  everyTypeBut,
  join,
  makeClient,
  makeServer,
  prove,
  reply,
  thePsk,
} from '../support/handshakes.js';
import { flipBit } from '../support/hex.js';
import { scripted } from '../support/random.js';

/** A server that waits for HELLO_ACK, and the one that it waits for. */
function awaitingHelloAck(psk: Secret | 'unknown' = thePsk()) {
  const [client, server] = [makeClient(), makeServer()];
  const hello = client.start();
  const frame = challenge(server, hello, psk === 'unknown' ? undefined : psk);
  return { server, hello, helloAck: reply(frame, client) };
}

const UNEXPECTED = { name: 'HandshakeError', code: 'USMP_UNEXPECTED_FRAME' };

describe('the server of a handshake', () => {
  it('waits for the client to begin', () => {
    const handshake: Handshake = makeServer();
    assert.equal(handshake.start(), undefined);
  });

  it('asks for the PSK of the device that HELLO comes from, and answers with CHALLENGE once it has it', () => {
    const server = makeServer();
    assert.deepEqual(server.receive(makeClient().start()), { pskWanted: DEVICE_ID });
    assert.equal(server.providePsk(thePsk()).reply?.type, FrameType.CHALLENGE);
  });

  for (const frame of everyTypeBut(FrameType.HELLO)) {
    it(`refuses type ${frame.type} where HELLO is due, and goes on as if it had not come`, () => {
      const server = makeServer();
      assert.throws(() => server.receive(frame), { ...UNEXPECTED, message: /where HELLO was due/ });
      join(makeClient(), server);
    });
  }

  for (const frame of everyTypeBut(FrameType.HELLO_ACK)) {
    it(`refuses type ${frame.type} where HELLO_ACK is due, and goes on as if it had not come`, () => {
      const { server, helloAck } = awaitingHelloAck();
      assert.throws(() => server.receive(frame), { ...UNEXPECTED, message: /where HELLO_ACK was due/ });
      prove(server, helloAck);
    });
  }

  it('refuses a second HELLO of the same client', () => {
    const { server, hello, helloAck } = awaitingHelloAck();
    assert.throws(() => server.receive(hello), UNEXPECTED);
    prove(server, helloAck);
  });

  it('refuses every frame while the PSK is looked up, and goes on once it is there', () => {
    const server = makeServer();
    const client = makeClient();
    const hello = client.start();
    assert.deepEqual(server.receive(hello), { pskWanted: DEVICE_ID });
    for (const frame of [hello, ...everyTypeBut()]) assert.throws(() => server.receive(frame), UNEXPECTED);
    const challenge = server.providePsk(thePsk()).reply!;
    prove(server, reply(challenge, client));
  });

  it('refuses every frame once it is done', () => {
    const { server, helloAck } = awaitingHelloAck();
    prove(server, helloAck);
    for (const frame of [helloAck, ...everyTypeBut()]) assert.throws(() => server.receive(frame), UNEXPECTED);
  });

  it('refuses every frame once it was given up', () => {
    const { server, helloAck } = awaitingHelloAck();
    server.wipe();
    assert.throws(() => server.receive(helloAck), UNEXPECTED);
  });

  for (const size of [0, 37, 39, 53, 55]) {
    it(`refuses HELLO with ${size} bytes and still answers a right one`, () => {
      const server = makeServer();
      const hello = { type: FrameType.HELLO, seq: 0, payload: new Uint8Array(size) };
      assert.throws(() => server.receive(hello), { name: 'PayloadError' });
      join(makeClient(), server);
    });
  }

  for (const size of [0, 31, 33]) {
    it(`refuses HELLO_ACK with ${size} bytes and still accepts a right one`, () => {
      const { server, helloAck } = awaitingHelloAck();
      assert.throws(() => server.receive({ ...helloAck, payload: new Uint8Array(size) }), {
        name: 'PayloadError',
      });
      prove(server, helloAck);
    });
  }

  it('refuses a HELLO whose public key makes the shared secret zero, and still answers a right one', () => {
    const server = makeServer();
    const zero = { type: FrameType.HELLO, seq: 0, payload: new Uint8Array(38) };
    assert.throws(() => server.receive(zero), { name: 'CryptoError', code: 'USMP_BAD_PUBLIC_KEY' });
    join(makeClient(), server);
  });

  it('refuses a proof with any one bit turned over, and then accepts the right one', () => {
    const { server, helloAck } = awaitingHelloAck();
    for (let bit = 0; bit < helloAck.payload.length * 8; bit++) {
      assert.throws(
        () => server.receive({ ...helloAck, payload: flipBit(helloAck.payload, bit) }),
        { name: 'AuthError', code: 'USMP_DEVICE_PROOF', message: /device a4:cf:12:00:00:01 has another PSK/ },
        `bit ${bit}`,
      );
    }
    prove(server, helloAck);
  });

  it('refuses a device that has another PSK', () => {
    const { server, helloAck } = awaitingHelloAck(anotherPsk());
    assert.throws(() => server.receive(helloAck), { name: 'AuthError', code: 'USMP_DEVICE_PROOF' });
  });

  it('refuses a device that nobody knows, by name', () => {
    const { server, helloAck } = awaitingHelloAck('unknown');
    assert.throws(() => server.receive(helloAck), {
      name: 'AuthError',
      code: 'USMP_UNKNOWN_DEVICE',
      message: /device a4:cf:12:00:00:01 is not known/,
    });
  });

  it('refuses a device that nobody knows, even if its proof fits the key that stands in for the missing one', () => {
    const standIn = new Uint8Array(32).fill(5);
    const client = makeClient(new Secret(standIn));
    // Private key and nonce, then the key against which the proof is checked all the same.
    const server = makeServer(scripted(new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), standIn));
    const helloAck = reply(challenge(server, client.start(), undefined), client);
    assert.throws(() => server.receive(helloAck), { name: 'AuthError', code: 'USMP_UNKNOWN_DEVICE' });
  });

  it('wipes the PSK that it was given, however it ends', () => {
    const [proven, givenUp] = [thePsk(), thePsk()];
    const { server, helloAck } = awaitingHelloAck(proven);
    prove(server, helloAck);
    awaitingHelloAck(givenUp).server.wipe();
    for (const psk of [proven, givenUp]) assert.ok(psk.bytes.every((byte) => byte === 0));
  });

  it('takes a PSK only when it has asked for one', () => {
    const { server, helloAck } = awaitingHelloAck();
    const early = { name: 'HandshakeError', fault: 'local' };
    assert.throws(() => makeServer().providePsk(thePsk()), early);
    assert.throws(() => server.providePsk(thePsk()), early);
    prove(server, helloAck);
    assert.throws(() => server.providePsk(thePsk()), early);
  });
});

describe('why a handshake of a server came to nothing', () => {
  const table: {
    step: string;
    make: () => ServerHandshake;
    ending: Ending;
    code: string;
    fault: Fault;
    message: RegExp;
  }[] = [
    {
      step: 'before HELLO',
      make: makeServer,
      ending: { by: 'close' },
      code: 'USMP_HANDSHAKE_CLOSED',
      fault: 'peer',
      message: /closed the connection before HELLO$/,
    },
    {
      step: 'before HELLO',
      make: makeServer,
      ending: { by: 'silence', over: 'stream' },
      code: 'USMP_NO_ANSWER',
      fault: 'network',
      message: /did not send HELLO in time/,
    },
    {
      step: 'before HELLO_ACK',
      make: () => awaitingHelloAck().server,
      ending: { by: 'close' },
      code: 'USMP_HANDSHAKE_CLOSED',
      fault: 'peer',
      message: /closed the connection before HELLO_ACK$/,
    },
    {
      step: 'before HELLO_ACK',
      make: () => awaitingHelloAck().server,
      ending: { by: 'silence', over: 'stream' },
      code: 'USMP_NO_ANSWER',
      fault: 'network',
      message: /did not send HELLO_ACK in time/,
    },
  ];
  const lookups = [
    { ending: { by: 'close' }, how: 'was not over when the device gave up' },
    { ending: { by: 'silence', over: 'datagram' }, how: 'took too long' },
  ] as const;
  for (const { ending, how } of lookups) {
    table.push({
      step: 'while the key is looked up',
      make: () => {
        const server = makeServer();
        server.receive(makeClient().start());
        return server;
      },
      ending,
      code: 'USMP_PSK_LOOKUP',
      fault: 'local',
      message: new RegExp(`look-up of the key of device a4:cf:12:00:00:01 ${how}`),
    });
  }
  for (const { step, make, ending, code, fault, message } of table) {
    it(`is ${code} ${step}, by ${ending.by}`, () => {
      const error = make().failure(ending);
      assert.equal(error.name, 'HandshakeError');
      assert.equal(error.code, code);
      assert.equal(error.fault, fault);
      assert.match(error.message, message);
    });
  }
});
