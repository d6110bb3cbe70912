import assert from 'node:assert/strict';
import { toHex } from '../../src/wire/bytes.js';
import {
  decodeChallenge,
  decodeHello,
  decodeHelloAck,
  decodeHelloRetry,
  decodeSessionOk,
  encodeChallenge,
  encodeHello,
  encodeSessionOk,
} from '../../src/wire/payloads.js';
import { hex } from '../support/hex.js';

const deviceId = hex('a4cf12000001');
const key = hex('11'.repeat(32));
const nonce = hex('22'.repeat(32));
const cookie = hex('33'.repeat(16));
const sessionId = hex('44'.repeat(16));
const proof = hex('55'.repeat(32));

describe('payloads of the handshake (protocol §1.3)', () => {
  it('HELLO is device_id(6) ‖ client_public(32)', () => {
    const bytes = encodeHello({ deviceId, clientPublic: key });
    assert.equal(toHex(bytes), `a4cf12000001${'11'.repeat(32)}`);
    assert.deepEqual(decodeHello(bytes), { deviceId, clientPublic: key });
  });

  it('HELLO with a cookie has it at its end', () => {
    const bytes = encodeHello({ deviceId, clientPublic: key, cookie });
    assert.equal(toHex(bytes), `a4cf12000001${'11'.repeat(32)}${'33'.repeat(16)}`);
    assert.deepEqual(decodeHello(bytes), { deviceId, clientPublic: key, cookie });
  });

  it('CHALLENGE is nonce(32) ‖ server_public(32)', () => {
    const bytes = encodeChallenge({ nonce, serverPublic: key });
    assert.equal(toHex(bytes), `${'22'.repeat(32)}${'11'.repeat(32)}`);
    assert.deepEqual(decodeChallenge(bytes), { nonce, serverPublic: key });
  });

  it('SESSION_OK is session_id(16) ‖ proof(32)', () => {
    const bytes = encodeSessionOk({ sessionId, proof });
    assert.equal(toHex(bytes), `${'44'.repeat(16)}${'55'.repeat(32)}`);
    assert.deepEqual(decodeSessionOk(bytes), { sessionId, proof });
  });

  it('HELLO_RETRY is the cookie(16), HELLO_ACK the proof(32)', () => {
    assert.deepEqual(decodeHelloRetry(cookie), cookie);
    assert.deepEqual(decodeHelloAck(proof), proof);
  });

  const decoders = [
    { name: 'HELLO', decode: decodeHello, sizes: [38, 54] },
    { name: 'CHALLENGE', decode: decodeChallenge, sizes: [64] },
    { name: 'HELLO_ACK', decode: decodeHelloAck, sizes: [32] },
    { name: 'SESSION_OK', decode: decodeSessionOk, sizes: [48] },
    { name: 'HELLO_RETRY', decode: decodeHelloRetry, sizes: [16] },
  ];
  for (const { name, decode, sizes } of decoders) {
    it(`${name} of any other size than ${sizes.join(' or ')} is refused`, () => {
      for (let size = 0; size <= 480; size++) {
        const read = (): unknown => decode(new Uint8Array(size));
        if (sizes.includes(size)) assert.doesNotThrow(read);
        else assert.throws(read, { name: 'PayloadError', message: new RegExp(`^${name} with ${size} `) });
      }
    });
  }
});
