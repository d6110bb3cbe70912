/** Puts the fragments of a message together again (protocol §3.4). */
import { PayloadError, SequenceError, type USMPError } from '../errors.js';
import { concat } from '../wire/bytes.js';
import { MAX_FRAGMENTS } from '../wire/constants.js';

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'collecting'; readonly pieces: readonly Uint8Array[]; readonly nextSeq: number }
  /** A message was broken: what belongs to it is passed over up to its last frame. */
  | { readonly at: 'skipping' };

export type Reassembled =
  | { readonly kind: 'message'; readonly data: Uint8Array }
  | { readonly kind: 'fragment' }
  | { readonly kind: 'broken'; readonly error: USMPError };

const IDLE = { at: 'idle' } as const;

export class Reassembly {
  #state: State = IDLE;

  /** @param last whether the piece came in DATA (true) or DATA_FRAG. */
  add(piece: Uint8Array, seq: number, last: boolean): Reassembled {
    const state = this.#state;
    if (state.at === 'skipping') {
      if (last) this.#state = IDLE;
      return { kind: 'fragment' };
    }
    if (state.at === 'collecting' && seq !== state.nextSeq) {
      return this.#broken(last, new SequenceError('a fragment of a message is missing'));
    }
    const pieces = state.at === 'collecting' ? [...state.pieces, piece] : [piece];
    if (!last && pieces.length === MAX_FRAGMENTS) {
      return this.#broken(last, new PayloadError(`a message of more than ${MAX_FRAGMENTS} frames`));
    }
    this.#state = last ? IDLE : { at: 'collecting', pieces, nextSeq: seq + 1 };
    return last ? { kind: 'message', data: concat(...pieces) } : { kind: 'fragment' };
  }

  /** Forgets what was begun. */
  reset(): void {
    this.#state = IDLE;
  }

  /** A control frame came. @returns the error when it stands between the fragments of a message. */
  interrupt(): USMPError | undefined {
    if (this.#state.at !== 'collecting') return undefined;
    this.#state = { at: 'skipping' };
    return new SequenceError('a control frame between the fragments of a message', {
      code: 'USMP_CONTROL_IN_MESSAGE',
    });
  }

  #broken(last: boolean, error: USMPError): Reassembled {
    this.#state = last ? IDLE : { at: 'skipping' };
    return { kind: 'broken', error };
  }
}
