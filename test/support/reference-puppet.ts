/** The other end of the stand-in for the reference, moved by hand: it sends and acknowledges what the test says. */
import assert from 'node:assert/strict';
import { utackMac } from '../../src/crypto/proofs.js';
import { systemRandom } from '../../src/crypto/random.js';
import { deriveRekeyedKeys } from '../../src/crypto/schedule.js';
import { Secret } from '../../src/crypto/secret.js';
import { ClientHandshake } from '../../src/handshake/client.js';
import type { Established } from '../../src/handshake/handshake.js';
import { ServerHandshake } from '../../src/handshake/server.js';
import { FrameType, REKEY_SALT_BYTES } from '../../src/wire/constants.js';
import { decodeFrame, encodeFrame } from '../../src/wire/frame.js';
import { decodeUtack, encodeUtack } from '../../src/wire/utack.js';
import { ascii } from './hex.js';
import { nameOf } from './path.js';
import { DEVICE_ID, PSK, Reference, type ReferenceOptions } from './reference.js';
import { sealByHand } from './sessions.js';

/** What the stand-in sent; names are as in `DATA 3`, `UTACK of DATA 3`. */
export interface Heard {
  readonly at: number;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Under the first this end sends, under the second the stand-in. */
export interface Keys {
  readonly tx: Secret;
  readonly rx: Secret;
}

export class Puppet {
  readonly reference: Reference;
  now = 0;
  keys: Keys;
  nextSeq = 0;
  readonly #sessionId: Uint8Array;
  readonly #udp: boolean;
  #heard: Heard[] = [];
  #lastRandom: Uint8Array = new Uint8Array();

  /** After a handshake; over UDP and with a gateway unless the options say otherwise. */
  constructor(options: Partial<ReferenceOptions> = {}, roundTripMs = 50) {
    this.reference = new Reference({
      ...{ role: 'server', transport: 'udp' },
      ...options,
      random: (length) => (this.#lastRandom = systemRandom(length)).slice(),
    });
    this.#udp = options.transport !== 'tcp';
    const established = this.#shakeHands(options.role ?? 'server', roundTripMs);
    this.keys = { tx: established.txKey, rx: established.rxKey };
    this.#sessionId = established.sessionId;
  }

  /** Takes out what the stand-in has sent since the last call. */
  heard(): Heard[] {
    return this.#heard.splice(0);
  }

  names(): string[] {
    return this.heard().map(({ name }) => name);
  }

  put(bytes: Uint8Array): void {
    this.#do(() => this.reference.receive(bytes, this.now));
  }

  /** Has the stand-in do something. */
  let(action: (reference: Reference, now: number) => void): void {
    this.#do(() => action(this.reference, this.now));
  }

  wait(ms: number): void {
    const end = this.now + ms;
    for (let at = this.reference.deadline; at !== undefined && at <= end; at = this.reference.deadline) {
      this.now = Math.max(this.now, at);
      this.#do(() => this.reference.tick(this.now));
    }
    this.now = end;
  }

  /** A frame with the next number, unless another one is given. */
  seal(type: FrameType, text = '', { keys = this.keys, seq = this.nextSeq++ } = {}): Uint8Array {
    const frame = { type, seq, sessionId: this.#sessionId };
    return encodeFrame(sealByHand({ ...frame, key: keys.tx.bytes, plaintext: ascii(text) }));
  }

  send(...frame: Parameters<Puppet['seal']>): void {
    this.put(this.seal(...frame));
  }

  /** Acknowledges a frame of the stand-in. */
  acknowledge({ bytes }: Heard, { rx } = this.keys): void {
    const { type, seq } = decodeFrame(bytes);
    this.put(encodeUtack({ type, seq, mac: utackMac(rx, type, seq) }));
  }

  /** Changes the keys. @returns those from before. */
  rekey(): Keys {
    const salt = 's'.repeat(REKEY_SALT_BYTES);
    this.send(FrameType.REKEY, salt);
    return this.#changeKeys(ascii(salt), 'initiator');
  }

  /** Has the stand-in change the keys, and acknowledges that. @returns those from before. */
  letRekey(): Keys {
    this.let((reference, now) => reference.rekey(now));
    this.acknowledge(this.heard().find(({ name }) => name.startsWith('REKEY'))!);
    return this.#changeKeys(this.#lastRandom, 'responder');
  }

  #changeKeys(salt: Uint8Array, as: 'initiator' | 'responder'): Keys {
    const old = this.keys;
    const [from, to] = as === 'initiator' ? [old.tx, old.rx] : [old.rx, old.tx];
    const { initiatorTx, initiatorRx } = deriveRekeyedKeys(from, to, salt, this.#sessionId);
    this.keys =
      as === 'initiator' ? { tx: initiatorTx, rx: initiatorRx } : { tx: initiatorRx, rx: initiatorTx };
    this.nextSeq = 0;
    return old;
  }

  #do(action: () => void): void {
    action();
    for (const bytes of this.reference.take()) this.#heard.push({ at: this.now, name: nameOf(bytes), bytes });
  }

  #shakeHands(role: 'client' | 'server', roundTripMs: number): Established {
    const handshake =
      role === 'server'
        ? new ClientHandshake({ psk: new Secret(PSK), deviceId: DEVICE_ID, random: systemRandom })
        : new ServerHandshake({ random: systemRandom });
    const hello = handshake.start();
    if (hello) this.put(encodeFrame(hello));
    else this.let((reference, now) => reference.start(now));
    let established: Established | undefined;
    for (let round = 0; round < 4; round++) {
      for (const frame of this.heard().flatMap(({ bytes }) =>
        decodeUtack(bytes) ? [] : [decodeFrame(bytes)],
      )) {
        this.now += roundTripMs;
        if (this.#udp) this.put(encodeUtack(frame));
        let step = handshake.receive(frame);
        if (step.pskWanted) step = (handshake as ServerHandshake).providePsk(new Secret(PSK));
        established ??= step.established;
        if (step.reply) this.put(encodeFrame(step.reply));
      }
    }
    assert.ok(established, 'there is no session');
    this.heard();
    return established;
  }
}

/** With which of these keys the stand-in made the UTACK. */
export function macOf<K extends string>({ bytes }: Heard, keys: Readonly<Record<K, Keys>>): K | undefined {
  const { type, seq, mac } = decodeUtack(bytes)!;
  const names = Object.keys(keys) as K[];
  return names.find((name) => mac && Buffer.compare(mac, utackMac(keys[name].tx, type, seq)) === 0);
}
