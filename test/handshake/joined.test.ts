import assert from 'node:assert/strict';
import type { Established } from '../../src/handshake/handshake.js';
import { toHex } from '../../src/wire/bytes.js';
import { FrameType } from '../../src/wire/constants.js';
import { decodeHello } from '../../src/wire/payloads.js';
import {
  anotherPsk,
  challenge,
  DEVICE_ID,
  helloRetry,
  join,
  makeClient,
  makeServer,
  prove,
  reply,
  thePsk,
} from '../support/handshakes.js';
import { hex } from '../support/hex.js';
import { scripted, seededRandom } from '../support/random.js';
import { wire } from '../support/vectors.js';

/** What a server draws as well, in case it does not know the device. */
const STAND_IN = new Uint8Array(32).fill(9);

function assertSame({ client, server }: { client: Established; server: Established }): void {
  assert.deepEqual(client.sessionId, server.sessionId);
  assert.deepEqual([client.deviceId, server.deviceId], [DEVICE_ID, DEVICE_ID]);
  assert.deepEqual(client.txKey.bytes, server.rxKey.bytes);
  assert.deepEqual(client.rxKey.bytes, server.txKey.bytes);
  assert.notDeepEqual(client.txKey.bytes, client.rxKey.bytes);
}

describe('a client and a server', () => {
  it('derive the same session, with a key for each direction', () => {
    assertSame(join(makeClient(), makeServer()));
  });

  it('derive the same session by way of a cookie', () => {
    const client = makeClient();
    client.start();
    assertSame(join(client, makeServer(), reply(helloRetry(), client)));
  });

  wire.session_keys.forEach((row, i) => {
    it(`derive the keys of the reference from its private keys and nonce, row ${i + 1}`, () => {
      const sessionId = hex('0123456789abcdef0123456789abcdef');
      const { client, server } = join(
        makeClient(thePsk(), scripted(hex(row.client_private))),
        makeServer(scripted(hex(row.server_private), hex(row.nonce), STAND_IN, sessionId)),
      );
      assert.deepEqual([toHex(client.txKey.bytes), toHex(client.rxKey.bytes)], [row.key_c2s, row.key_s2c]);
      assert.deepEqual([toHex(server.rxKey.bytes), toHex(server.txKey.bytes)], [row.key_c2s, row.key_s2c]);
      assert.deepEqual([client.sessionId, server.sessionId], [sessionId, sessionId]);
    });
  });

  it('send their frames with the numbers of protocol §2.1', () => {
    const [client, server] = [makeClient(), makeServer()];
    const hello = client.start();
    const answer = challenge(server, hello, thePsk());
    const helloAck = reply(answer, client);
    const { sessionOk } = prove(server, helloAck);
    assert.deepEqual(
      [hello, answer, helloAck, sessionOk].map((frame) => [frame.type, frame.seq]),
      [
        [FrameType.HELLO, 0],
        [FrameType.CHALLENGE, 0],
        [FrameType.HELLO_ACK, 2],
        [FrameType.SESSION_OK, 0],
      ],
    );
  });

  it('share no key with another handshake of the same two, nor does the client show the same public key', () => {
    const [random1, random2] = [seededRandom(3), seededRandom(4)];
    const [a, b] = [makeClient(thePsk(), random1), makeClient(thePsk(), random1)];
    const [helloA, helloB] = [a.start(), b.start()];
    assert.notDeepEqual(decodeHello(helloA.payload).clientPublic, decodeHello(helloB.payload).clientPublic);
    const first = join(a, makeServer(random2), helloA);
    const second = join(b, makeServer(random2), helloB);
    assert.notDeepEqual(first.client.txKey.bytes, second.client.txKey.bytes);
    assert.notDeepEqual(first.client.sessionId, second.client.sessionId);
  });

  it('come to nothing with different PSKs: the server refuses the proof', () => {
    const [client, server] = [makeClient(anotherPsk()), makeServer()];
    const helloAck = reply(challenge(server, client.start(), thePsk()), client);
    assert.throws(() => server.receive(helloAck), { name: 'AuthError', code: 'USMP_DEVICE_PROOF' });
  });

  it('keep the keys that they handed over when what is left of the handshake is wiped', () => {
    const [client, server] = [makeClient(), makeServer()];
    const established = join(client, server);
    client.wipe();
    server.wipe();
    assertSame(established);
    assert.notEqual(toHex(established.client.txKey.bytes), '00'.repeat(32));
  });
});
