/** What an error of the engine means to the person at the editor: what happened, and what to do about it. */
import { ArgumentError, USMPError, type Protocol } from '../../../src/index.js';
import { say, type Translate, type Words } from './text.js';

/** The errors that somebody can do something about, and the advice for them below `advice.`. */
const ADVICE: Readonly<Record<string, string>> = {
  USMP_AUTH: 'psk',
  USMP_CLOSED_BEFORE_CHALLENGE: 'USMP_CLOSED_BEFORE_CHALLENGE',
  USMP_CONNECTION_REFUSED: 'USMP_CONNECTION_REFUSED',
  USMP_CONNECT_FAILED: 'connect',
  USMP_CONNECT_TIMEOUT: 'connect',
  USMP_EXPIRED: 'USMP_EXPIRED',
  USMP_GATEWAY_PROOF: 'USMP_GATEWAY_PROOF',
  USMP_HOST_NOT_FOUND: 'name',
  USMP_MAGIC: 'USMP_MAGIC',
  USMP_NAME_TIMEOUT: 'name',
  USMP_NEVER_PROVEN: 'USMP_NEVER_PROVEN',
  USMP_NO_ANSWER: 'USMP_NO_ANSWER',
  USMP_NO_CHALLENGE: 'USMP_CLOSED_BEFORE_CHALLENGE',
  USMP_NO_SESSION_OK: 'USMP_NO_SESSION_OK',
  USMP_OUTBOX_CLOSED: 'USMP_OUTBOX_CLOSED',
  USMP_OUTBOX_FULL: 'USMP_OUTBOX_FULL',
  USMP_PSK_REJECTED: 'psk',
  USMP_REKEY_TOO_LATE: 'USMP_REKEY_TOO_LATE',
  USMP_SHORT_SESSIONS: 'USMP_SHORT_SESSIONS',
  USMP_STORE_MEMORY: 'USMP_STORE_MEMORY',
  USMP_STORE_UNKNOWN: 'USMP_STORE_UNKNOWN',
  USMP_TAG: 'session',
  USMP_UNREACHABLE: 'connect',
  USMP_WIRE_VERSION_1: 'USMP_WIRE_VERSION_1',
};

/** Why, in a few words that fit under a node; of a setting, which one and what it has to be. */
export function reasonFor(error: USMPError): Words {
  if (error instanceof ArgumentError && error.problem.kind !== 'unusable') return settingWords(error);
  return { key: `reason.${error.code}`, values: { ...error.values, cause: causeOf(error) } };
}

/** What to do about it; undefined when nobody can do anything. */
export function adviceFor(error: USMPError, protocol: Protocol | undefined): Words | undefined {
  // Over UDP there is no connection that could fail: HELLO is the first that gets lost.
  if (error.code === 'USMP_NO_ANSWER' && protocol === 'udp') return { key: 'advice.udpNoAnswer' };
  const advice = ADVICE[error.code];
  return advice === undefined ? undefined : { key: `advice.${advice}`, ...valuesOf(error) };
}

/** Both in one. */
export function explain(t: Translate, error: USMPError, protocol: Protocol | undefined): string {
  const reason = say(t, reasonFor(error));
  const advice = adviceFor(error, protocol);
  return advice ? t('error.advised', { reason, advice: say(t, advice) }) : reason;
}

/** What came instead is left out: it may come from the environment, where it is for the server's eyes only. */
const settingWords = ({ field, problem: { kind, values = {} } }: ArgumentError): Words => ({
  key: `invalid.${kind}`,
  values,
  label: field,
});

const valuesOf = ({ values }: USMPError): Pick<Words, 'values'> =>
  Object.keys(values).length > 0 ? { values } : {};

/** What the system called it, such as EACCES. */
const causeOf = ({ cause }: USMPError): string => (cause as NodeJS.ErrnoException | undefined)?.code ?? '';

/** An error as a flow gets it: in words for people, and with the engine's code for programs. */
export class FlowError extends Error {
  /** How a Catch node and the log begin the message. */
  override readonly name = 'USMP';

  constructor(
    message: string,
    readonly code: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** The outbox is to be kept over a restart, but nothing is kept in this context store. */
export class StoreError extends USMPError {
  constructor(code: 'USMP_STORE_MEMORY' | 'USMP_STORE_UNKNOWN', store: string) {
    super(store, { code, fault: 'local', values: { store } });
  }
}
