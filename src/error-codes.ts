/**
 * Every code that an error of the engine can carry (protocol §6.3), in one table: of which class it is, who can mend
 * it, and, where a client can meet it, how far the attempt had come and what advice there is. The types that keep
 * call sites to it are derived from it. A browser runs this file as well.
 */

/** Who can mend it: the caller's own settings or calls, the peer, or the network between. */
export type Fault = 'local' | 'peer' | 'network';

/** How far an attempt to connect got: the host's name, the connection, HELLO, the proofs, the session. */
export type ErrorStep = 'name' | 'connect' | 'hello' | 'psk' | 'session';

export type ErrorClass =
  | 'USMPError'
  | 'ArgumentError'
  | 'FrameError'
  | 'CRCError'
  | 'MagicError'
  | 'VersionError'
  | 'PayloadError'
  | 'HandshakeError'
  | 'AuthError'
  | 'CryptoError'
  | 'SequenceError'
  | 'USMPTimeoutError'
  | 'ConnectionClosedError'
  | 'NotConnectedError';

/** What a client, and with it a flow, is told of a code. */
export interface Told {
  /** Where the attempt ended, as long as there was no session; with one, every error is the session's. */
  readonly step: ErrorStep;
  /** The advice that a catalogue has for it below `advice.`; null when the step's own advice says all there is. */
  readonly advice: string | null;
}

export interface ErrorRow {
  readonly class: ErrorClass;
  /** The other class whose errors carry it, too. */
  readonly alsoClass?: ErrorClass;
  readonly fault: Fault;
  /** The other one who may have to mend it, where the call site knows better. */
  readonly alsoFault?: Fault;
  /** False when only servers come upon it; otherwise it needs words in every catalogue. */
  readonly client: false | Told;
}

export const ERROR_CODES = {
  USMP_ARGUMENT: { class: 'ArgumentError', fault: 'local', client: { step: 'hello', advice: null } },
  USMP_AUTH: { class: 'AuthError', fault: 'peer', client: { step: 'psk', advice: 'psk' } },
  USMP_BAD_PUBLIC_KEY: { class: 'CryptoError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_BYE: { class: 'ConnectionClosedError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_CLOSED: {
    class: 'ConnectionClosedError',
    fault: 'network',
    alsoFault: 'local',
    client: { step: 'hello', advice: null },
  },
  USMP_CLOSED_BEFORE_CHALLENGE: {
    class: 'HandshakeError',
    fault: 'peer',
    client: { step: 'hello', advice: 'USMP_CLOSED_BEFORE_CHALLENGE' },
  },
  USMP_CONNECTION_REFUSED: {
    class: 'ConnectionClosedError',
    fault: 'network',
    client: { step: 'connect', advice: 'USMP_CONNECTION_REFUSED' },
  },
  USMP_CONNECT_FAILED: {
    class: 'ConnectionClosedError',
    fault: 'network',
    client: { step: 'connect', advice: 'connect' },
  },
  USMP_CONNECT_TIMEOUT: {
    class: 'USMPTimeoutError',
    fault: 'network',
    client: { step: 'connect', advice: 'connect' },
  },
  USMP_CONTROL_IN_MESSAGE: {
    class: 'SequenceError',
    fault: 'peer',
    client: { step: 'session', advice: null },
  },
  USMP_CRC: { class: 'CRCError', fault: 'network', client: { step: 'hello', advice: null } },
  USMP_CRYPTO: {
    class: 'CryptoError',
    fault: 'peer',
    alsoFault: 'local',
    client: { step: 'hello', advice: null },
  },
  USMP_DEAD: { class: 'USMPTimeoutError', fault: 'network', client: { step: 'session', advice: null } },
  USMP_DEVICE_PROOF: { class: 'AuthError', fault: 'peer', client: false },
  USMP_DISCONNECTED: { class: 'ConnectionClosedError', fault: 'local', client: false },
  USMP_ERROR: { class: 'USMPError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_EXPIRED: { class: 'USMPError', fault: 'network', client: { step: 'session', advice: 'USMP_EXPIRED' } },
  USMP_FRAME: { class: 'FrameError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_FRAME_TYPE: { class: 'FrameError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_GATEWAY_PROOF: {
    class: 'AuthError',
    fault: 'peer',
    client: { step: 'psk', advice: 'USMP_GATEWAY_PROOF' },
  },
  USMP_HANDSHAKE: {
    class: 'HandshakeError',
    fault: 'peer',
    alsoFault: 'local',
    client: { step: 'hello', advice: null },
  },
  USMP_HANDSHAKE_CLOSED: { class: 'HandshakeError', fault: 'peer', client: false },
  USMP_HOST_NOT_FOUND: {
    class: 'ConnectionClosedError',
    fault: 'network',
    client: { step: 'name', advice: 'name' },
  },
  USMP_KEY_CHANGED: { class: 'ConnectionClosedError', fault: 'local', client: false },
  USMP_LISTEN: { class: 'USMPError', fault: 'local', client: false },
  USMP_LOST: { class: 'ConnectionClosedError', fault: 'network', client: { step: 'hello', advice: null } },
  USMP_MAGIC: { class: 'MagicError', fault: 'peer', client: { step: 'hello', advice: 'USMP_MAGIC' } },
  USMP_MESSAGE_TOO_LONG: { class: 'PayloadError', fault: 'local', client: { step: 'session', advice: null } },
  USMP_NAME_TIMEOUT: {
    class: 'USMPTimeoutError',
    fault: 'network',
    client: { step: 'name', advice: 'name' },
  },
  USMP_NEVER_PROVEN: {
    class: 'ConnectionClosedError',
    fault: 'peer',
    client: { step: 'session', advice: 'USMP_NEVER_PROVEN' },
  },
  USMP_NONCE: { class: 'CryptoError', fault: 'peer', client: { step: 'session', advice: null } },
  USMP_NOT_ADMITTED: {
    class: 'HandshakeError',
    alsoClass: 'USMPError',
    fault: 'peer',
    alsoFault: 'local',
    client: false,
  },
  USMP_NOT_CONNECTED: { class: 'NotConnectedError', fault: 'local', client: { step: 'hello', advice: null } },
  USMP_NO_ACK: { class: 'USMPTimeoutError', fault: 'network', client: { step: 'hello', advice: null } },
  USMP_NO_ANSWER: {
    class: 'HandshakeError',
    fault: 'network',
    client: { step: 'hello', advice: 'USMP_NO_ANSWER' },
  },
  USMP_NO_CHALLENGE: {
    class: 'HandshakeError',
    fault: 'network',
    client: { step: 'hello', advice: 'USMP_CLOSED_BEFORE_CHALLENGE' },
  },
  USMP_NO_PONG: { class: 'USMPTimeoutError', fault: 'network', client: { step: 'session', advice: null } },
  USMP_NO_SESSION_OK: {
    class: 'HandshakeError',
    fault: 'network',
    client: { step: 'psk', advice: 'USMP_NO_SESSION_OK' },
  },
  USMP_OUTBOX_CLOSED: {
    class: 'USMPError',
    fault: 'local',
    client: { step: 'session', advice: 'USMP_OUTBOX_CLOSED' },
  },
  USMP_OUTBOX_FULL: {
    class: 'USMPError',
    fault: 'local',
    client: { step: 'session', advice: 'USMP_OUTBOX_FULL' },
  },
  USMP_PAYLOAD: {
    class: 'PayloadError',
    fault: 'peer',
    alsoFault: 'local',
    client: { step: 'hello', advice: null },
  },
  USMP_PING_FLOOD: { class: 'USMPError', fault: 'peer', client: { step: 'session', advice: null } },
  USMP_PORT_FORBIDDEN: { class: 'USMPError', fault: 'local', client: false },
  USMP_PORT_IN_USE: { class: 'USMPError', fault: 'local', client: false },
  USMP_PSK_LOOKUP: { class: 'HandshakeError', fault: 'local', client: false },
  USMP_PSK_REJECTED: { class: 'HandshakeError', fault: 'local', client: { step: 'psk', advice: 'psk' } },
  USMP_QUEUE_FULL: { class: 'USMPError', fault: 'local', client: { step: 'session', advice: null } },
  USMP_RECV_TIMEOUT: {
    class: 'USMPTimeoutError',
    fault: 'network',
    client: { step: 'session', advice: null },
  },
  USMP_REKEY_CROSSED: { class: 'USMPError', fault: 'network', client: { step: 'session', advice: null } },
  USMP_REKEY_PENDING: { class: 'USMPError', fault: 'local', client: { step: 'session', advice: null } },
  USMP_REKEY_TOO_LATE: {
    class: 'USMPError',
    fault: 'local',
    client: { step: 'session', advice: 'USMP_REKEY_TOO_LATE' },
  },
  USMP_REKEY_UNANSWERED: {
    class: 'USMPTimeoutError',
    fault: 'peer',
    client: { step: 'session', advice: null },
  },
  USMP_REPLACED: { class: 'ConnectionClosedError', fault: 'network', client: false },
  USMP_SECOND_HELLO_RETRY: {
    class: 'HandshakeError',
    fault: 'peer',
    client: { step: 'hello', advice: null },
  },
  USMP_SEQUENCE: {
    class: 'SequenceError',
    fault: 'peer',
    alsoFault: 'local',
    client: { step: 'hello', advice: null },
  },
  USMP_SETTINGS_CHANGED: { class: 'USMPError', fault: 'local', client: false },
  USMP_SHORT_SESSIONS: {
    class: 'ConnectionClosedError',
    fault: 'peer',
    client: { step: 'session', advice: 'USMP_SHORT_SESSIONS' },
  },
  USMP_TAG: { class: 'CryptoError', fault: 'peer', client: { step: 'hello', advice: 'session' } },
  USMP_TIMEOUT: {
    class: 'USMPTimeoutError',
    alsoClass: 'HandshakeError',
    fault: 'network',
    client: { step: 'hello', advice: null },
  },
  USMP_UNEXPECTED_FRAME: { class: 'HandshakeError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_UNKNOWN_DEVICE: { class: 'AuthError', fault: 'peer', client: false },
  USMP_UNREACHABLE: {
    class: 'ConnectionClosedError',
    fault: 'network',
    client: { step: 'connect', advice: 'connect' },
  },
  USMP_VERSION: { class: 'VersionError', fault: 'peer', client: { step: 'hello', advice: null } },
  USMP_WIRE_VERSION_1: {
    class: 'VersionError',
    fault: 'peer',
    client: { step: 'hello', advice: 'USMP_WIRE_VERSION_1' },
  },
  USMP_WITHDRAWN: { class: 'USMPError', fault: 'local', client: { step: 'session', advice: null } },
} as const satisfies Readonly<Record<string, ErrorRow>>;

type Table = typeof ERROR_CODES;
type Also<Row, Key extends string> = Row extends Readonly<Record<Key, infer Value>> ? Value : never;

/** Stable, for programs: `USMP_…`. */
export type ErrorCode = keyof Table;

/** The codes that an error of this class may carry. */
export type CodeOf<Class extends ErrorClass> = {
  [Code in ErrorCode]: Class extends Table[Code]['class'] | Also<Table[Code], 'alsoClass'> ? Code : never;
}[ErrorCode];

/** Who can mend what has this code. */
export type FaultOf<Code extends ErrorCode> = Code extends ErrorCode
  ? Table[Code]['fault'] | Also<Table[Code], 'alsoFault'>
  : never;

/** Whether it is a code of the engine; the nodes have some of their own. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);
