/** An established session at work: what its frames mean, its sign of life, and its sending half (protocol §3). */
import { ConnectionClosedError, USMPError, USMPTimeoutError } from '../errors.js';
import type { Link } from '../link/link.js';
import type { Session } from '../session/session.js';
import { FrameType, isSealed } from '../wire/constants.js';
import { unexpected } from '../handshake/handshake.js';
import type { Frame } from '../wire/frame.js';
import { Liveness, type LivenessTimes } from './liveness.js';
import { Sender, type SenderReport } from './sender.js';

export type RunningReport =
  | SenderReport
  /** The first authenticated frame of the other side: only now is the session known to live (protocol §5.2). */
  | { readonly type: 'proven' }
  | { readonly type: 'message'; readonly data: Uint8Array };

export interface RunningOptions {
  readonly session: Session;
  readonly times: LivenessTimes;
  readonly link: Link;
  /** What to call the other side in words for people. */
  readonly other: string;
  readonly report: (report: RunningReport) => void;
}

export class Running {
  readonly session: Session;
  readonly sender: Sender;
  readonly #options: RunningOptions;
  readonly #liveness: Liveness;
  #proven = false;
  /** A message has come since the last PING. */
  #hasMessage = false;
  #heard = 0;

  constructor(options: RunningOptions, now: number) {
    this.#options = options;
    this.session = options.session;
    this.#liveness = new Liveness(options.times, now);
    this.sender = new Sender({ ...options, liveness: this.#liveness });
  }

  get deadline(): number {
    return Math.min(this.#liveness.deadline, this.sender.deadline);
  }

  /** Frames of the other side that authenticated and were no repeats. */
  get heard(): number {
    return this.#heard;
  }

  /** Whether what the other side sends is taken; while it is not, its silence means nothing. */
  setListening(listening: boolean, now: number): void {
    this.#liveness.setListening(listening, now);
    this.sender.setListening(listening, now);
  }

  /** @throws USMPError for a frame that is at fault. */
  receive(frame: Frame, now: number): void {
    const { link, report } = this.#options;
    if (!isSealed(frame.type)) throw unexpected(frame, 'a session frame');
    const { content, utackMacs } = this.session.open(frame);
    link.acknowledge(frame, utackMacs);
    // A repeat may have been recorded and played back: it is no sign of life.
    if (content.kind !== 'repeat') {
      this.#heard += 1;
      this.#liveness.received(now);
    }
    if (!this.#proven) {
      this.#proven = true;
      report({ type: 'proven' });
    }
    // A sealed frame shows that the client has SESSION_OK, whether or not its UTACK arrived.
    if (link.answered(FrameType.SESSION_OK)) this.sender.pump(now);
    switch (content.kind) {
      case 'message':
        this.#hasMessage = true;
        report({ type: 'message', data: content.data });
        break;
      case 'ping':
        this.#ping(now);
        break;
      case 'pong':
        this.sender.pong(now);
        break;
      case 'bye':
        this.#end(
          new ConnectionClosedError(`the ${this.#options.other} ended the session (BYE)`, {
            code: 'USMP_BYE',
            fault: 'peer',
          }),
        );
        break;
      case 'rekey':
        report({ type: 'rekeyed', by: 'peer' });
        this.sender.peerRekeyed(now);
        break;
      case 'fatal':
        this.#end(content.error);
        break;
      case 'violation':
        throw content.error;
      case 'fragment':
      case 'repeat':
    }
  }

  tick(now: number): void {
    switch (this.#liveness.due(now)) {
      case 'unanswered':
        this.#dead('it did not answer a PING in time', this.#options.times.pongTimeoutMs);
        return;
      case 'silent':
        this.#dead('nothing came from it in time', this.#options.times.sessionTimeoutMs);
        return;
      case 'ping':
        this.#liveness.pinged(now);
        this.sender.queue.addUrgentPing();
        break;
      case undefined:
    }
    this.sender.tick(now);
  }

  #ping(now: number): void {
    const isReceipt = this.#hasMessage;
    this.#hasMessage = false;
    if (!this.sender.queue.addPong(isReceipt)) {
      const text = `the ${this.#options.other} sends PINGs without end`;
      this.#end(new USMPError(text, { code: 'USMP_PING_FLOOD' }));
      return;
    }
    this.sender.pump(now);
  }

  #dead(why: string, silentMs: number): void {
    const text = `the ${this.#options.other} is silent: ${why}`;
    this.#end(new USMPTimeoutError(text, { code: 'USMP_DEAD', values: { silentMs } }));
  }

  #end(error: USMPError): void {
    this.#options.report({ type: 'ended', error });
  }
}
