/**
 * How the frames of one session travel (protocol §1, §4), without socket and clock: the one interface for a stream of
 * bytes, which keeps what it is given in order, and for datagrams, which may get lost, come twice or be forged. Where
 * the two differ, it is named here.
 */
import type { FrameType, LinkKind } from '../wire/constants.js';
import type { Frame } from '../wire/frame.js';
import type { Utack } from '../wire/utack.js';

export interface Outgoing {
  readonly bytes: Uint8Array;
  readonly type: FrameType;
  readonly seq: number;
  /** Whether this UTACK, which names type and seq, ends the repeats. */
  acknowledgedBy(utack: Utack): boolean;
}

/** How long a frame has gone without an answer, as far as it was tried. */
export interface Silence {
  readonly sends: number;
  readonly ms: number;
}

export type Arrival =
  | { readonly kind: 'frame'; readonly frame: Frame }
  /** The frame under way was acknowledged. */
  | { readonly kind: 'delivered' };

export interface Link {
  readonly kind: LinkKind;
  /** What is at fault ends the session; otherwise it may be forged, and is passed over. */
  readonly isFaultFatal: boolean;
  /** More may be left behind what `next` gave, so whoever reads can stop between two. */
  readonly holdsMore: boolean;
  /** The reference may lose what follows a late REKEY, so new keys have to prove themselves (protocol §3.9). */
  readonly isRekeyRisky: boolean;

  /** Takes out what is to be handed to the transport, write by write, or a datagram each. */
  take(): Uint8Array[];

  // Sending

  /** Whether the next frame may be sent. */
  readonly isFree: boolean;
  /** Whether the transport takes more bytes. */
  setWritable(writable: boolean): void;
  /**
   * Sends what can be sent of these frames, of which nothing may come between.
   * @returns how many of them are done with, from the first on; of the others `delivered` tells one by one.
   */
  send(frames: readonly Outgoing[], now: number): number;
  /** Sends a last frame past those that wait, where the transport takes it. */
  sendLast(bytes: Uint8Array): void;
  /** The answer to a frame of this type came. @returns whether it was under way, and is done with now. */
  answered(type: number): boolean;
  /** The frame under way is of no use any more. */
  drop(): void;
  /** What the frame under way has met with so far, where that is known. */
  silence(now: number): Silence | undefined;
  /** The other side is elsewhere now: what is under way was sent to where it is no longer, and is sent again. */
  moved(now: number): void;
  /** Frames that were sent again so far. */
  readonly repeats: number;
  /** When `tick` is due, in the caller's milliseconds. */
  readonly deadline: number | undefined;
  /** @returns what the frame under way has met with when it counts as lost by now. */
  tick(now: number): Silence | undefined;

  // Receiving

  /** Whether the messages of the other side are taken; where they come again, they are passed over meanwhile. */
  isTaking: boolean;
  /** Bytes from the transport: any part of a stream, or one datagram. */
  add(bytes: Uint8Array): void;
  /** @throws FrameError or a subclass at bytes that are no frame. */
  next(now: number): Arrival | undefined;
  /** A frame of the handshake was dealt with. */
  handled(frame: Frame): void;
  /** A frame of the session was authenticated. @param macs makes those of its UTACKs (protocol §4.1). */
  acknowledge(frame: Frame, macs: () => readonly Uint8Array[]): void;
}
