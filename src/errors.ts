/**
 * The errors of USMP (protocol §6.3). Every error that leaves the engine is one of these, so that a caller can
 * tell by class what kind of thing went wrong, by `code` exactly what, and by `fault` who can mend it.
 * No message, property or cause ever holds key material.
 */

import {
  ERROR_CODES,
  isErrorCode,
  type CodeOf,
  type ErrorClass,
  type ErrorCode,
  type Fault,
  type FaultOf,
} from './error-codes.js';

export type { ErrorCode, Fault } from './error-codes.js';

/** What an error of a class says of itself: without a code, the one of the class; without a fault, that of the table. */
export type ErrorDetail<Class extends ErrorClass = ErrorClass, Standard extends ErrorCode = ErrorCode> =
  Detail<Standard, undefined> | { [Code in CodeOf<Class>]: Detail<Code, Code> }[CodeOf<Class>];

interface Detail<Code extends ErrorCode, Given extends Code | undefined> {
  /** Stable, for programs: `USMP_…`. */
  readonly code?: Given;
  readonly fault?: FaultOf<Code>;
  readonly cause?: unknown;
  /** What the message says besides, for a caller that has words of its own for it. Never a secret. */
  readonly values?: Readonly<Record<string, string | number>>;
}

export class USMPError extends Error {
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly values: Readonly<Record<string, string | number>>;

  constructor(message: string, detail: ErrorDetail<'USMPError', 'USMP_ERROR'> = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = new.target.name;
    this.code = detail.code ?? 'USMP_ERROR';
    this.fault = detail.fault ?? faultOf(this.code);
    this.values = detail.values ?? {};
  }
}

/** A program without types may throw one of ours with a code of its own. */
const faultOf = (code: ErrorCode): Fault => (isErrorCode(code) ? ERROR_CODES[code].fault : 'peer');

/**
 * What a class hands to the one above, whose constructor shows its callers only codes of its own.
 * @param standard the code where none is given.
 */
const upwards = (standard: ErrorCode, detail: object = {}): never => ({ code: standard, ...detail }) as never;

/** What is wrong with an argument, for a caller that has words of its own for it, in another language say. */
export interface Problem {
  /** Stable, for programs. */
  readonly kind: string;
  /** What the message says besides: limits, counts, choices. Never the argument itself. */
  readonly values?: Readonly<Record<string, string | number>>;
}

/** An option or argument is not usable; `field` names it. Nothing was sent. */
export class ArgumentError extends USMPError {
  constructor(
    readonly field: string,
    message: string,
    readonly problem: Problem = { kind: 'unusable' },
  ) {
    super(`${field}: ${message}`, upwards('USMP_ARGUMENT'));
  }
}

/** Bytes that are not a USMP frame. */
export class FrameError extends USMPError {
  constructor(message: string, detail?: ErrorDetail<'FrameError', 'USMP_FRAME'>) {
    super(message, upwards('USMP_FRAME', detail));
  }
}

/** The frame's CRC-16 does not match: the bytes were damaged on their way. */
export class CRCError extends FrameError {
  constructor(message: string) {
    super(message, upwards('USMP_CRC'));
  }
}

/** The bytes do not begin with CD AB: the peer does not speak USMP. */
export class MagicError extends FrameError {
  constructor(message: string) {
    super(message, upwards('USMP_MAGIC'));
  }
}

/** A USMP frame of another wire version than 2. */
export class VersionError extends FrameError {
  readonly version: number;

  constructor(version: number) {
    super(
      version === 1
        ? 'the peer speaks USMP wire version 1 (SDK 0.4 or older), which is insecure and not supported: update its USMP software'
        : `the peer speaks USMP wire version ${version}; this implementation speaks version 2`,
      upwards(version === 1 ? 'USMP_WIRE_VERSION_1' : 'USMP_VERSION'),
    );
    this.version = version;
  }
}

/** A payload of the wrong size, or a message that is too long. */
export class PayloadError extends FrameError {
  constructor(message: string, detail?: ErrorDetail<'PayloadError', 'USMP_PAYLOAD'>) {
    super(message, upwards('USMP_PAYLOAD', detail));
  }
}

/** The session could not be opened. */
export class HandshakeError extends USMPError {
  constructor(message: string, detail?: ErrorDetail<'HandshakeError', 'USMP_HANDSHAKE'>) {
    super(message, upwards('USMP_HANDSHAKE', detail));
  }
}

/** One side could not prove that it knows the pre-shared key. */
export class AuthError extends HandshakeError {
  constructor(message: string, detail?: ErrorDetail<'AuthError', 'USMP_AUTH'>) {
    super(message, upwards('USMP_AUTH', detail));
  }
}

/** Whether the two sides do not have the same PSK, as far as this side can tell. */
export function isAuthFailure(error: USMPError): boolean {
  return error instanceof AuthError || error.code === 'USMP_PSK_REJECTED';
}

/** A frame or a key that does not stand up to the cryptography. */
export class CryptoError extends USMPError {
  constructor(message: string, detail?: ErrorDetail<'CryptoError', 'USMP_CRYPTO'>) {
    super(message, upwards('USMP_CRYPTO', detail));
  }
}

/** A frame out of order, or a counter at its end. */
export class SequenceError extends USMPError {
  constructor(message: string, detail?: ErrorDetail<'SequenceError', 'USMP_SEQUENCE'>) {
    super(message, upwards('USMP_SEQUENCE', detail));
  }
}

/** The peer did not answer within the time it has. */
export class USMPTimeoutError extends USMPError {
  constructor(message: string, detail?: ErrorDetail<'USMPTimeoutError', 'USMP_TIMEOUT'>) {
    super(message, upwards('USMP_TIMEOUT', detail));
  }
}

/** The session ended, or the connection under it did. */
export class ConnectionClosedError extends USMPError {
  constructor(message: string, detail?: ErrorDetail<'ConnectionClosedError', 'USMP_CLOSED'>) {
    super(message, upwards('USMP_CLOSED', detail));
  }
}

/** There is no session to use. */
export class NotConnectedError extends USMPError {
  constructor(message = 'not connected: call connect() first') {
    super(message, upwards('USMP_NOT_CONNECTED'));
  }
}
