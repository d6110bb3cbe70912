/** What both sides of a handshake have in common (protocol §2). */
import type { Secret } from '../crypto/secret.js';
import type { USMPError } from '../errors.js';
import { HandshakeError } from '../errors.js';
import { typeName, type LinkKind } from '../wire/constants.js';
import type { Frame } from '../wire/frame.js';

/** What a finished handshake hands to the session; the receiver of this owns the keys. */
export interface Established {
  readonly sessionId: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly txKey: Secret;
  readonly rxKey: Secret;
  /** Server. */
  readonly key?: KeyUsed;
}

/** Which of a device's keys it has proven to know. */
export interface KeyUsed {
  /** Its place among those that the look-up gave; 0 for the first or only one. */
  readonly index: number;
  /** By which it is known again (`keyMark`). */
  readonly mark: string;
}

export interface HandshakeStep {
  /** A frame to send now. */
  readonly reply?: Frame;
  /** Set by the message that completes the handshake; a `reply` is sent before any session frame. */
  readonly established?: Established;
  /** Server: goes on once `providePsk` is called with this device's key. */
  readonly pskWanted?: Uint8Array;
}

/** How a handshake ended that came to nothing, as far as it was measured. */
export type Ending =
  /** The other side closed the connection. */
  | { readonly by: 'close' }
  /** The time was over. Datagrams: how often, and how long ago at first, the last frame was sent that got no answer. */
  | {
      readonly by: 'silence';
      readonly over: LinkKind;
      readonly since?: { readonly sends: number; readonly ms: number } | undefined;
    };

export interface Handshake {
  readonly role: 'client' | 'server';
  /** The client's HELLO; nothing for a server. */
  start(): Frame | undefined;
  /**
   * @throws USMPError when the frame is not what this state awaits or does not stand up. The state is then
   * unchanged, so that a forged datagram can be dropped and the handshake lives on.
   */
  receive(frame: Frame): HandshakeStep;
  /** Why it came to nothing, inferred from the step it was at and what was measured there (protocol §1: there is no error frame). */
  failure(ending: Ending): USMPError;
  /** Wipes what is left of the keys; to be called when the handshake is given up. */
  wipe(): void;
}

export function unexpected(frame: Frame, awaited: string): HandshakeError {
  return new HandshakeError(`the peer sent ${typeName(frame.type)} where ${awaited} was due`, {
    code: 'USMP_UNEXPECTED_FRAME',
  });
}
