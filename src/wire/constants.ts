/** The numbers of wire version 2 (protocol §1 to §3). */

/** Bytes CD AB at the start of every frame, as a little-endian u16. */
export const MAGIC = 0xabcd;
export const VERSION = 2;
/** magic(2) ‖ version(1) ‖ type(1) ‖ seq(4) ‖ length(2); also the AAD of a sealed frame. */
export const AAD_BYTES = 10;
/** The AAD and the CRC-16. */
export const HEADER_BYTES = 12;
export const MAX_PAYLOAD_BYTES = 480;
export const MAX_FRAME_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES;

export const FrameType = {
  HELLO: 0x01,
  CHALLENGE: 0x02,
  HELLO_ACK: 0x03,
  SESSION_OK: 0x04,
  DATA: 0x05,
  PING: 0x06,
  PONG: 0x07,
  BYE: 0x08,
  DATA_FRAG: 0x09,
  HELLO_RETRY: 0x0a,
  REKEY: 0x0b,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

const names = new Map<number, string>(Object.entries(FrameType).map(([name, type]) => [type, name]));

export function isFrameType(type: number): type is FrameType {
  return names.has(type);
}

/** The name of a frame type, for messages. */
export function typeName(type: number): string {
  return names.get(type) ?? `type 0x${type.toString(16).padStart(2, '0')}`;
}

/** Session frames are sealed; all others are the handshake's and travel in the clear (protocol §1). */
export function isSealed(type: FrameType): boolean {
  return type >= FrameType.DATA && type !== FrameType.HELLO_RETRY;
}

export const DEVICE_ID_BYTES = 6;
export const PUBLIC_KEY_BYTES = 32;
export const COOKIE_BYTES = 16;
export const NONCE_BYTES = 32;
export const PROOF_BYTES = 32;
export const SESSION_ID_BYTES = 16;
export const REKEY_SALT_BYTES = 32;

/** AEAD nonce(12) before and tag(16) after the ciphertext (protocol §3.1). */
export const AEAD_NONCE_BYTES = 12;
export const AEAD_TAG_BYTES = 16;
export const SEAL_BYTES = AEAD_NONCE_BYTES + AEAD_TAG_BYTES;

/** Plaintext of one frame (protocol §3.1), and of one message of at most four frames (protocol §3.4). */
export const MAX_FRAGMENT_BYTES = MAX_PAYLOAD_BYTES - SEAL_BYTES;
export const MAX_FRAGMENTS = 4;
export const MAX_MESSAGE_BYTES = MAX_FRAGMENT_BYTES * MAX_FRAGMENTS;

/** Never sent; received and authenticated, it ends the session (protocol §3.3). */
export const SEQ_END = 0xffffffff;

/** Sequence numbers of the handshake's frames (protocol §2). */
export const HELLO_ACK_SEQ = 2;
export const COOKIE_HELLO_SEQ = 1;

/** The UDP acknowledgement: AC AC ‖ type ‖ seq [‖ mac(8)] (protocol §4.1). */
export const UTACK_BYTES = 7;
export const UTACK_MAC_BYTES = 8;

/** What carries the frames: a stream of bytes in order, or datagrams that may get lost. */
export type LinkKind = 'stream' | 'datagram';
