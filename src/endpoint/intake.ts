/**
 * What has arrived from the transport and was not worked off yet: taken in order, a few milliseconds a turn of the event
 * loop, and over a stream only while there is room for messages. While something is left the transport is not read.
 */
import type { CancelTimer } from '../clock.js';
import type { Turn } from './turn.js';

export interface IntakeOptions {
  readonly turn: Turn;
  /** Datagrams are put in whatever the room, as they also carry acknowledgements; too many of them get lost. */
  readonly isDatagram: boolean;
  /**
   * Whether it is a session by now, which a crowd of handshakes is not to hold up, or a client, which is no crowd; it is
   * by default.
   */
  readonly isSession?: () => boolean;
  /** Works off these bytes, or what is left of those before. @returns false when `mayGoOn` had said so. */
  readonly work: (bytes: Uint8Array | undefined, mayGoOn: () => boolean) => boolean;
  /** Whether messages are taken. */
  readonly onListening: (listening: boolean) => void;
  /** Whether the transport is to be read. */
  readonly onReading: (reading: boolean) => void;
}

/** As many datagrams wait. */
const MAX_DATAGRAMS = 64;

export class Intake {
  readonly #options: IntakeOptions;
  readonly #waiting: Uint8Array[] = [];
  /** Nothing to do; at work; going on in a later turn; waiting for room. */
  #state: 'idle' | 'working' | 'later' | 'blocked' = 'idle';
  /** The last bytes were not worked off to their end. */
  #unfinished = false;
  #room = true;
  #wanted = true;
  #listening = true;
  #reading = true;
  #count = 0;
  /** To be told when all is worked off: the transport has ended. */
  #onEnd: (() => void) | undefined;
  #cancel: CancelTimer = () => undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Chunks and datagrams that came so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether there is more to do than this turn had time for. */
  get isBehind(): boolean {
    return this.#state === 'later';
  }

  add(bytes: Uint8Array): void {
    const { isDatagram, turn, isSession = () => true } = this.#options;
    this.#count += 1;
    if (isDatagram && this.#waiting.length >= MAX_DATAGRAMS) return;
    this.#waiting.push(bytes);
    if (this.#state !== 'idle') return;
    if (turn.isSpent || !isSession()) this.#later();
    else this.#work();
  }

  /** There is room for messages, or none. */
  setRoom(room: boolean): void {
    this.#room = room;
    this.#look();
  }

  /** Somebody takes messages, or nobody does. */
  setWanted(wanted: boolean): void {
    this.#wanted = wanted;
    this.#look();
  }

  /** Nothing more will come. @param onEnd called when all that had come is worked off. */
  end(onEnd: () => void): void {
    this.#onEnd = onEnd;
    if (this.#state !== 'working') this.#work();
  }

  /** Nobody is interested any more. */
  stop(): void {
    this.#cancel();
    this.#waiting.length = 0;
    if (this.#state !== 'working') this.#state = 'idle';
  }

  /** What had come before the end is owed to the application. */
  get #mayWork(): boolean {
    return (this.#room && this.#wanted) || this.#options.isDatagram || this.#onEnd !== undefined;
  }

  #work(): void {
    const { work, turn } = this.#options;
    this.#cancel();
    this.#state = 'working';
    const mayGoOn = (): boolean => this.#mayWork && !turn.isSpent;
    let goesOn = !this.#unfinished || work(undefined, mayGoOn);
    this.#unfinished = !goesOn;
    for (let bytes; goesOn && (bytes = this.#waiting.shift());) {
      goesOn = work(bytes, mayGoOn);
      this.#unfinished = !goesOn;
      goesOn &&= this.#waiting.length === 0 || mayGoOn();
    }
    this.#state = goesOn ? 'idle' : 'blocked';
    this.#look();
    const onEnd = this.#onEnd;
    if (!goesOn || !onEnd) return;
    this.#onEnd = undefined;
    onEnd();
  }

  #later(): void {
    this.#state = 'later';
    const { turn, isSession = () => true } = this.#options;
    this.#cancel = turn.later(() => this.#work(), isSession());
    this.#look();
  }

  /** Brings all that follows from what has changed in line with it. */
  #look(): void {
    if (this.#state === 'blocked' && this.#mayWork) {
      this.#later();
      return;
    }
    const { onListening, onReading } = this.#options;
    const listening = this.#room && this.#wanted;
    if (listening !== this.#listening) onListening((this.#listening = listening));
    const reading = listening && this.#state !== 'later';
    if (reading !== this.#reading) onReading((this.#reading = reading));
  }
}
