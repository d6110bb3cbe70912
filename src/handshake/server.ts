/** The server's side of the handshake (protocol §2), from HELLO on; cookies are settled before (see cookie.ts). */
import { equalProofs, helloAckProof, sessionOkProof, type ProofInput } from '../crypto/proofs.js';
import type { Random } from '../crypto/random.js';
import { deriveSessionKeys, KEY_BYTES, type SessionKeys } from '../crypto/schedule.js';
import { Secret } from '../crypto/secret.js';
import { generateKeyPair } from '../crypto/x25519.js';
import { AuthError, HandshakeError, type USMPError } from '../errors.js';
import { FrameType, NONCE_BYTES, SESSION_ID_BYTES } from '../wire/constants.js';
import { formatDeviceId } from '../wire/device-id.js';
import type { Frame } from '../wire/frame.js';
import { decodeHello, decodeHelloAck, encodeChallenge, encodeSessionOk } from '../wire/payloads.js';
import { unexpected, type Ending, type Handshake, type HandshakeStep } from './handshake.js';

interface Agreed {
  readonly deviceId: Uint8Array;
  readonly proofInput: ProofInput;
  readonly keys: SessionKeys;
}

type State =
  | { readonly at: 'hello' }
  | ({ readonly at: 'helloAck' } & Agreed)
  | ({ readonly at: 'psk'; readonly proof: Uint8Array } & Agreed)
  | { readonly at: 'over' };

export class ServerHandshake implements Handshake {
  readonly role = 'server';
  readonly #random: Random;
  #state: State = { at: 'hello' };

  constructor(options: { random: Random }) {
    this.#random = options.random;
  }

  start(): undefined {
    return undefined;
  }

  receive(frame: Frame): HandshakeStep {
    const state = this.#state;
    switch (state.at) {
      case 'hello':
        if (frame.type === FrameType.HELLO) return this.#hello(frame);
        throw unexpected(frame, 'HELLO');
      case 'helloAck':
        if (frame.type !== FrameType.HELLO_ACK) throw unexpected(frame, 'HELLO_ACK');
        this.#state = { ...state, at: 'psk', proof: decodeHelloAck(frame.payload) };
        return { pskWanted: state.deviceId };
      default:
        throw unexpected(frame, 'nothing');
    }
  }

  /**
   * Checks the client's proof.
   * @param psk the device's key, or undefined when the device is unknown: the same work is done then, so that
   * the time taken does not tell which device ids exist.
   * @throws AuthError when the device is unknown or its proof is wrong.
   */
  providePsk(psk: Secret | undefined): HandshakeStep {
    const state = this.#state;
    if (state.at !== 'psk') throw new HandshakeError('no HELLO_ACK awaits a key', { fault: 'local' });
    const key = psk ?? new Secret(this.#random(KEY_BYTES));
    const { deviceId, proofInput, keys } = state;
    const proven = equalProofs(state.proof, helloAckProof(key, proofInput, deviceId));
    if (!psk || !proven) {
      // Over UDP the datagram may have been forged, and the true HELLO_ACK may still come.
      this.#state = { at: 'helloAck', deviceId, proofInput, keys };
      const id = formatDeviceId(deviceId);
      throw new AuthError(
        psk
          ? `device ${id} has another PSK than this server has for it`
          : `device ${id} is not known to this server`,
        { code: psk ? 'USMP_DEVICE_PROOF' : 'USMP_UNKNOWN_DEVICE' },
      );
    }
    const sessionId = this.#random(SESSION_ID_BYTES);
    const payload = encodeSessionOk({ sessionId, proof: sessionOkProof(key, proofInput, sessionId) });
    this.#state = { at: 'over' };
    return {
      reply: { type: FrameType.SESSION_OK, seq: 0, payload },
      established: { sessionId, deviceId, txKey: keys.serverToClient, rxKey: keys.clientToServer },
    };
  }

  failure(ending: Ending): USMPError {
    if (this.#state.at === 'psk' && ending === 'timeout') {
      const text = "the look-up of the device's key took too long";
      return new HandshakeError(text, { code: 'USMP_PSK_LOOKUP', fault: 'local' });
    }
    const awaited = this.#state.at === 'hello' ? 'HELLO' : 'HELLO_ACK';
    return ending === 'closed'
      ? new HandshakeError(`the device closed the connection before ${awaited}`, {
          code: 'USMP_HANDSHAKE_CLOSED',
        })
      : new HandshakeError(`the device did not send ${awaited} in time`, {
          code: 'USMP_NO_ANSWER',
          fault: 'network',
        });
  }

  wipe(): void {
    if (this.#state.at === 'helloAck' || this.#state.at === 'psk') {
      this.#state.keys.clientToServer.wipe();
      this.#state.keys.serverToClient.wipe();
    }
    this.#state = { at: 'over' };
  }

  #hello(frame: Frame): HandshakeStep {
    const { deviceId, clientPublic } = decodeHello(frame.payload);
    const pair = generateKeyPair(this.#random);
    const nonce = this.#random(NONCE_BYTES);
    const keys = deriveSessionKeys(pair.agree(clientPublic), nonce, clientPublic, pair.publicKey);
    const proofInput = { nonce, clientPublic, serverPublic: pair.publicKey };
    this.#state = { at: 'helloAck', deviceId, proofInput, keys };
    const payload = encodeChallenge({ nonce, serverPublic: pair.publicKey });
    return { reply: { type: FrameType.CHALLENGE, seq: 0, payload } };
  }
}
