/** The client's side of the handshake (protocol §2): HELLO, [HELLO_RETRY, HELLO,] CHALLENGE, HELLO_ACK, SESSION_OK. */
import { equalProofs, helloAckProof, sessionOkProof, type ProofInput } from '../crypto/proofs.js';
import type { Random } from '../crypto/random.js';
import { deriveSessionKeys, type SessionKeys } from '../crypto/schedule.js';
import type { Secret } from '../crypto/secret.js';
import { generateKeyPair, type KeyPair } from '../crypto/x25519.js';
import { AuthError, HandshakeError, type USMPError } from '../errors.js';
import { COOKIE_HELLO_SEQ, FrameType, HELLO_ACK_SEQ } from '../wire/constants.js';
import type { Frame } from '../wire/frame.js';
import { decodeChallenge, decodeHelloRetry, decodeSessionOk, encodeHello } from '../wire/payloads.js';
import { unexpected, type Ending, type Handshake, type HandshakeStep } from './handshake.js';

/** Over datagrams, silence means a refusal when what it follows was sent so often, and so long ago at first. */
const REFUSAL_SENDS = 5;
const REFUSAL_MS = 5_000;

type State =
  | { readonly at: 'start' }
  | { readonly at: 'challenge'; readonly pair: KeyPair; readonly cookieSent: boolean }
  | { readonly at: 'sessionOk'; readonly proofInput: ProofInput; readonly keys: SessionKeys }
  | { readonly at: 'over' };

export class ClientHandshake implements Handshake {
  readonly role = 'client';
  readonly #psk: Secret;
  readonly #deviceId: Uint8Array;
  readonly #random: Random;
  #state: State = { at: 'start' };

  constructor(options: { psk: Secret; deviceId: Uint8Array; random: Random }) {
    this.#psk = options.psk;
    this.#deviceId = options.deviceId;
    this.#random = options.random;
  }

  start(): Frame {
    const pair = generateKeyPair(this.#random);
    this.#state = { at: 'challenge', pair, cookieSent: false };
    return this.#hello(pair);
  }

  receive(frame: Frame): HandshakeStep {
    const state = this.#state;
    switch (state.at) {
      case 'challenge':
        if (frame.type === FrameType.HELLO_RETRY) return this.#helloRetry(state, frame);
        if (frame.type === FrameType.CHALLENGE) return this.#challenge(state, frame);
        throw unexpected(frame, 'CHALLENGE');
      case 'sessionOk':
        if (frame.type === FrameType.SESSION_OK) return this.#sessionOk(state, frame);
        throw unexpected(frame, 'SESSION_OK');
      default:
        throw unexpected(frame, 'nothing');
    }
  }

  failure(ending: Ending): USMPError {
    const state = this.#state;
    if (state.at === 'sessionOk') return isRefusal(ending) ? rejected() : withoutSessionOk();
    if (ending.by === 'close') {
      return new HandshakeError(
        'the gateway closed the connection before CHALLENGE: it may have locked this address out after failed ' +
          'attempts (wait a minute), be full, or not speak USMP',
        { code: 'USMP_CLOSED_BEFORE_CHALLENGE' },
      );
    }
    if (state.at === 'challenge' && state.cookieSent) {
      if (ending.over === 'datagram' && !isRefusal(ending)) return late();
      return new HandshakeError(
        'the gateway answered, and then sent no CHALLENGE: it may have locked this address out after failed ' +
          'attempts (wait a minute), or be full, or the network loses much',
        { code: 'USMP_NO_CHALLENGE' },
      );
    }
    return new HandshakeError(
      ending.over === 'datagram'
        ? 'no answer to HELLO: check host and port, that the gateway listens on UDP, and that no firewall is in between'
        : 'connected, but no answer to HELLO: check that the port is that of a USMP gateway',
      { code: 'USMP_NO_ANSWER' },
    );
  }

  wipe(): void {
    if (this.#state.at === 'sessionOk') {
      this.#state.keys.clientToServer.wipe();
      this.#state.keys.serverToClient.wipe();
    }
    this.#state = { at: 'over' };
  }

  #hello(pair: KeyPair, cookie?: Uint8Array): Frame {
    const hello = { deviceId: this.#deviceId, clientPublic: pair.publicKey, ...(cookie && { cookie }) };
    return { type: FrameType.HELLO, seq: cookie ? COOKIE_HELLO_SEQ : 0, payload: encodeHello(hello) };
  }

  #helloRetry(state: State & { at: 'challenge' }, frame: Frame): HandshakeStep {
    const cookie = decodeHelloRetry(frame.payload);
    if (state.cookieSent) {
      throw new HandshakeError('the gateway asked for a cookie twice', { code: 'USMP_SECOND_HELLO_RETRY' });
    }
    this.#state = { ...state, cookieSent: true };
    return { reply: this.#hello(state.pair, cookie) };
  }

  #challenge({ pair }: State & { at: 'challenge' }, frame: Frame): HandshakeStep {
    const { nonce, serverPublic } = decodeChallenge(frame.payload);
    const proofInput = { nonce, clientPublic: pair.publicKey, serverPublic };
    const keys = deriveSessionKeys(pair.agree(serverPublic), nonce, pair.publicKey, serverPublic);
    this.#state = { at: 'sessionOk', proofInput, keys };
    const payload = helloAckProof(this.#psk, proofInput, this.#deviceId);
    return { reply: { type: FrameType.HELLO_ACK, seq: HELLO_ACK_SEQ, payload } };
  }

  #sessionOk({ proofInput, keys }: State & { at: 'sessionOk' }, frame: Frame): HandshakeStep {
    const { sessionId, proof } = decodeSessionOk(frame.payload);
    if (!equalProofs(proof, sessionOkProof(this.#psk, proofInput, sessionId))) {
      throw new AuthError(
        'the gateway could not prove that it knows the PSK: it has another key, or it is not your gateway',
        { code: 'USMP_GATEWAY_PROOF' },
      );
    }
    this.#state = { at: 'over' };
    return {
      established: {
        sessionId,
        deviceId: this.#deviceId,
        txKey: keys.clientToServer,
        rxKey: keys.serverToClient,
      },
    };
  }
}

/** A gateway refuses by a TCP close or by UDP silence (protocol §5.1, §5.4); a slow one or a slow network is silent, too. */
function isRefusal(ending: Ending): boolean {
  if (ending.by === 'close') return true;
  const { over, since } = ending;
  return over === 'datagram' && since !== undefined && since.sends >= REFUSAL_SENDS && since.ms >= REFUSAL_MS;
}

function late(): HandshakeError {
  return new HandshakeError(
    'the gateway answered HELLO, but the time for the handshake was over before it went on: it or the network is slow',
    { code: 'USMP_TIMEOUT' },
  );
}

function rejected(): HandshakeError {
  return new HandshakeError(
    "PSK rejected: the gateway turned this device's proof down. Check that the PSK (and its format) and the device " +
      'id are the ones that the gateway knows',
    { code: 'USMP_PSK_REJECTED' },
  );
}

function withoutSessionOk(): HandshakeError {
  return new HandshakeError(
    'the gateway did not answer HELLO_ACK in time: it or the network is slow, or, over UDP, it may have turned the ' +
      'PSK down',
    { code: 'USMP_NO_SESSION_OK' },
  );
}
