/** The acknowledgement of a datagram (protocol §4.1). The mac is computed elsewhere: this room knows no keys. */
import { concat, copyOf, viewOf } from './bytes.js';
import { UTACK_BYTES, UTACK_MAC_BYTES } from './constants.js';

export interface Utack {
  /** Type and sequence number of the frame that it acknowledges. */
  readonly type: number;
  readonly seq: number;
  /** Eight bytes for a session frame, none for a handshake frame. */
  readonly mac?: Uint8Array;
}

const MARK = 0xac;

/** Whether it can be nothing else: a frame never begins so. */
export const isMarkedUtack = (datagram: Uint8Array): boolean => datagram[0] === MARK;

/** The seven bytes that the mac covers. */
export function encodeUtackHead(type: number, seq: number): Uint8Array {
  const head = new Uint8Array(UTACK_BYTES);
  head[0] = MARK;
  head[1] = MARK;
  head[2] = type;
  viewOf(head).setUint32(3, seq, true);
  return head;
}

export function encodeUtack({ type, seq, mac }: Utack): Uint8Array {
  const head = encodeUtackHead(type, seq);
  return mac ? concat(head, mac) : head;
}

/** @returns undefined when the datagram is no UTACK (a frame never begins with AC). */
export function decodeUtack(datagram: Uint8Array): Utack | undefined {
  if (datagram[0] !== MARK || datagram[1] !== MARK) return undefined;
  if (datagram.length !== UTACK_BYTES && datagram.length !== UTACK_BYTES + UTACK_MAC_BYTES) return undefined;
  const view = viewOf(datagram);
  const head = { type: view.getUint8(2), seq: view.getUint32(3, true) };
  return datagram.length === UTACK_BYTES ? head : { ...head, mac: copyOf(datagram, UTACK_BYTES) };
}
