/** The server's side of the handshake (protocol §2), from HELLO on; cookies are settled before (see cookie.ts). */
import { keyMark } from '../crypto/key-mark.js';
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

/** A device may have so many keys at once; so many proofs are computed for each device, known or not. */
export const MAX_PSKS = 4;

/** The keys of a device, which are wiped by whoever takes them; nothing for an unknown device. */
export type Psks = Secret | readonly Secret[] | undefined;

const toList = (psks: Psks): readonly Secret[] =>
  psks === undefined ? [] : psks instanceof Secret ? [psks] : psks;

export function wipePsks(psks: Psks): void {
  for (const psk of toList(psks)) psk.wipe();
}

interface Agreed {
  readonly deviceId: Uint8Array;
  readonly proofInput: ProofInput;
  readonly keys: SessionKeys;
}

type State =
  | { readonly at: 'hello' }
  /**
   * The device's key is being looked up, and CHALLENGE waits for it: a look-up that fails must not look like a rejected
   * PSK to the device.
   */
  | ({ readonly at: 'psk' } & Agreed)
  | ({ readonly at: 'helloAck'; readonly psks: readonly Secret[]; readonly isKnown: boolean } & Agreed)
  | { readonly at: 'over' };

export interface ServerHandshakeOptions {
  readonly random: Random;
  /** The device has proven itself, and is told so after this. @throws USMPError when it is not to come in. */
  readonly onProof?: (deviceId: Uint8Array) => void;
  readonly onWrongProof?: (deviceId: Uint8Array) => void;
  /** Whether a session may get this id. */
  readonly isFree?: (sessionId: Uint8Array) => boolean;
}

export class ServerHandshake implements Handshake {
  readonly role = 'server';
  readonly #options: ServerHandshakeOptions;
  readonly #random: Random;
  #state: State = { at: 'hello' };

  constructor(options: ServerHandshakeOptions) {
    this.#options = options;
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
        if (frame.type === FrameType.HELLO_ACK) return this.#helloAck(state, frame);
        throw unexpected(frame, 'HELLO_ACK');
      default:
        throw unexpected(frame, 'nothing');
    }
  }

  /**
   * Goes on with CHALLENGE.
   * @param psks the device's keys, at most four, which are wiped here in the end, or nothing when the device is unknown:
   * the same work is done whatever they are, so that neither answers nor time tell which device ids exist, how many
   * keys they have, or which one fits.
   */
  providePsk(psks: Psks): HandshakeStep {
    const state = this.#state;
    if (state.at !== 'psk') throw new HandshakeError('no HELLO awaits a key', { fault: 'local' });
    const standIn = new Secret(this.#random(KEY_BYTES));
    const given = toList(psks).slice(0, MAX_PSKS);
    const filled = [...given, ...Array<Secret>(MAX_PSKS - given.length).fill(standIn)];
    this.#state = { ...state, at: 'helloAck', psks: filled, isKnown: given.length > 0 };
    const { nonce, serverPublic } = state.proofInput;
    return {
      reply: { type: FrameType.CHALLENGE, seq: 0, payload: encodeChallenge({ nonce, serverPublic }) },
    };
  }

  failure(ending: Ending): USMPError {
    if (this.#state.at === 'psk') {
      const how = ending.by === 'close' ? 'was not over when the device gave up' : 'took too long';
      return this.lookupFailure(how);
    }
    const awaited = this.#state.at === 'hello' ? 'HELLO' : 'HELLO_ACK';
    return ending.by === 'close'
      ? new HandshakeError(`the device closed the connection before ${awaited}`, {
          code: 'USMP_HANDSHAKE_CLOSED',
        })
      : new HandshakeError(`the device did not send ${awaited} in time`, {
          code: 'USMP_NO_ANSWER',
        });
  }

  /** The look-up that `pskWanted` asked for came to nothing, which is no fault of the device. */
  lookupFailure(how: string, cause?: unknown): HandshakeError {
    const device = this.#state.at === 'psk' ? ` of device ${formatDeviceId(this.#state.deviceId)}` : '';
    const text = `the look-up of the key${device} ${how}`;
    return new HandshakeError(text, { code: 'USMP_PSK_LOOKUP', cause });
  }

  wipe(): void {
    const state = this.#state;
    if (state.at === 'psk' || state.at === 'helloAck') {
      state.keys.clientToServer.wipe();
      state.keys.serverToClient.wipe();
    }
    if (state.at === 'helloAck') wipePsks(state.psks);
    this.#state = { at: 'over' };
  }

  #hello(frame: Frame): HandshakeStep {
    const { deviceId, clientPublic } = decodeHello(frame.payload);
    const pair = generateKeyPair(this.#random);
    const nonce = this.#random(NONCE_BYTES);
    const keys = deriveSessionKeys(pair.agree(clientPublic), nonce, clientPublic, pair.publicKey);
    const proofInput = { nonce, clientPublic, serverPublic: pair.publicKey };
    this.#state = { at: 'psk', deviceId, proofInput, keys };
    return { pskWanted: deviceId };
  }

  /** @throws AuthError when the device is unknown or its proof is wrong; over datagrams it may be forged, and the true one still come. */
  #helloAck(
    { deviceId, proofInput, keys, psks, isKnown }: State & { at: 'helloAck' },
    frame: Frame,
  ): HandshakeStep {
    const given = decodeHelloAck(frame.payload);
    // All of them, whether or not one has fitted already.
    const fits = psks.map((each) => equalProofs(given, helloAckProof(each, proofInput, deviceId)));
    const index = fits.indexOf(true);
    const psk = psks[index];
    if (!isKnown || !psk) {
      const id = formatDeviceId(deviceId);
      this.#options.onWrongProof?.(deviceId);
      throw isKnown
        ? new AuthError(`device ${id} has another PSK than this server has for it`, {
            code: 'USMP_DEVICE_PROOF',
            values: { deviceId: id },
          })
        : new AuthError(`device ${id} is not known to this server`, {
            code: 'USMP_UNKNOWN_DEVICE',
            values: { deviceId: id },
          });
    }
    this.#options.onProof?.(deviceId);
    const sessionId = this.#newSessionId();
    const payload = encodeSessionOk({ sessionId, proof: sessionOkProof(psk, proofInput, sessionId) });
    const key = { index, mark: keyMark(psk) };
    wipePsks(psks);
    this.#state = { at: 'over' };
    return {
      reply: { type: FrameType.SESSION_OK, seq: 0, payload },
      established: { sessionId, deviceId, txKey: keys.serverToClient, rxKey: keys.clientToServer, key },
    };
  }

  #newSessionId(): Uint8Array {
    for (;;) {
      const sessionId = this.#random(SESSION_ID_BYTES);
      if (this.#options.isFree?.(sessionId) ?? true) return sessionId;
    }
  }
}
