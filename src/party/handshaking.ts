/**
 * A handshake at work on a link (protocol §2, §4.3): sends its frames, and keeps what explains it when it comes to
 * nothing. Where what is at fault may be forged, it is passed over, and the true one may still come.
 */
import { AuthError, VersionError, type USMPError } from '../errors.js';
import type { Established, Handshake, HandshakeStep } from '../handshake/handshake.js';
import { ServerHandshake, wipePsks, type Psks } from '../handshake/server.js';
import type { Link, Silence } from '../link/link.js';
import { FrameType } from '../wire/constants.js';
import { encodeFrame, type Frame } from '../wire/frame.js';
import type { Utack } from '../wire/utack.js';

export type HandshakeReport =
  /** Server: answer with `providePsk` or `failPsk`. */
  | { readonly type: 'pskWanted'; readonly deviceId: Uint8Array }
  | { readonly type: 'done'; readonly established: Established; readonly now: number }
  | { readonly type: 'failed'; readonly error: USMPError };

export interface HandshakingOptions {
  readonly handshake: Handshake;
  readonly link: Link;
  readonly report: (report: HandshakeReport) => void;
}

/** A wrong proof that was passed over may be forged, so the true one may still come: for this long, and among so many. */
const AFTER_WRONG_PROOF_MS = 2_000;
const MAX_WRONG_PROOFS = 5;

export class Handshaking {
  readonly #options: HandshakingOptions;
  #deadline: number;
  #wrongProofs = 0;
  /** What was wrong with a frame that was passed over, where it explains a timeout. */
  #suspicion: USMPError | undefined;

  /** @param deadline for the whole handshake, in the caller's milliseconds. */
  constructor(options: HandshakingOptions, deadline: number) {
    this.#options = options;
    this.#deadline = deadline;
  }

  get deadline(): number {
    return this.#deadline;
  }

  /** A client sends HELLO, a server waits for it. */
  start(now: number): void {
    const hello = this.#options.handshake.start();
    if (hello) this.#send(hello, now);
  }

  /** @throws USMPError for a frame that is at fault. */
  receive(frame: Frame, now: number): void {
    const { handshake, link } = this.#options;
    try {
      const step = handshake.receive(frame);
      link.handled(frame);
      this.#step(step, now);
    } catch (error) {
      // A device repeats its proof until that is acknowledged, right or wrong (protocol §4.3).
      if (error instanceof AuthError && handshake.role === 'server') link.handled(frame);
      throw error;
    }
  }

  /** A frame was passed over, for this reason. */
  suspect(error: USMPError, now: number): void {
    if (error instanceof VersionError || error instanceof AuthError) this.#suspicion = error;
    if (!(error instanceof AuthError) || this.#options.handshake.role === 'client') return;
    this.#wrongProofs += 1;
    if (this.#wrongProofs >= MAX_WRONG_PROOFS) this.#options.report({ type: 'failed', error });
    this.#deadline = Math.min(this.#deadline, now + AFTER_WRONG_PROOF_MS);
  }

  /** Server: the answer to `pskWanted`, which is wiped here; undefined for an unknown device. @throws USMPError */
  providePsk(psk: Psks, now: number): void {
    const { handshake } = this.#options;
    if (handshake instanceof ServerHandshake) this.#step(handshake.providePsk(psk), now);
    else wipePsks(psk);
  }

  /** Server: the look-up that `pskWanted` asked for failed. */
  failPsk(cause: unknown): void {
    const { handshake, report } = this.#options;
    if (handshake instanceof ServerHandshake)
      report({ type: 'failed', error: handshake.lookupFailure('failed', cause) });
  }

  tick(now: number): void {
    if (now >= this.#deadline) this.lost(this.#options.link.silence(now));
  }

  /** Nothing came in time. @param since what the last frame has met with, where that is known. */
  lost(since: Silence | undefined): void {
    const { handshake, link, report } = this.#options;
    const error = this.#suspicion ?? handshake.failure({ by: 'silence', over: link.kind, since });
    report({ type: 'failed', error });
  }

  #step({ established, reply, pskWanted }: HandshakeStep, now: number): void {
    const { link, report } = this.#options;
    if (established) report({ type: 'done', established, now });
    if (reply) this.#send(reply, now);
    else link.answered(FrameType.HELLO_ACK);
    if (pskWanted) report({ type: 'pskWanted', deviceId: pskWanted });
  }

  #send(frame: Frame, now: number): void {
    const { handshake, link } = this.#options;
    // A client repeats until the answer comes, whatever was acknowledged (protocol §4.3); a server until the UTACK.
    const byUtack = handshake.role === 'server';
    const acknowledgedBy = ({ mac }: Utack): boolean => byUtack && mac === undefined;
    link.send([{ ...frame, bytes: encodeFrame(frame), acknowledgedBy }], now);
  }
}
