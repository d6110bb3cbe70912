/** What an error of the engine means to the person at the editor: what happened, and what to do about it. */
import { ArgumentError, type ErrorCode, type Protocol, type USMPError } from '../../../src/index.js';
import { toldOf, type NodeCode } from './codes.js';
import { say, type Translate, type Words } from './text.js';

/** Why, in a few words that fit under a node; of a setting, which one and what it has to be. */
export function reasonFor(error: USMPError | StoreError): Words {
  if (error instanceof ArgumentError && error.problem.kind !== 'unusable') return settingWords(error);
  return { key: `reason.${error.code}`, values: { ...error.values, cause: causeOf(error) } };
}

/** What to do about it; undefined when nobody can do anything. */
export function adviceFor(error: USMPError | StoreError, protocol: Protocol | undefined): Words | undefined {
  // Over UDP there is no connection that could fail: HELLO is the first that gets lost.
  if (error.code === 'USMP_NO_ANSWER' && protocol === 'udp') return { key: 'advice.udpNoAnswer' };
  const advice = toldOf(error.code)?.advice ?? null;
  return advice === null ? undefined : { key: `advice.${advice}`, ...valuesOf(error) };
}

/** Both in one. */
export function explain(t: Translate, error: USMPError | StoreError, protocol: Protocol | undefined): string {
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

const valuesOf = ({ values }: USMPError | StoreError): Pick<Words, 'values'> =>
  Object.keys(values).length > 0 ? { values } : {};

/** What the system called it, such as EACCES. */
const causeOf = ({ cause }: USMPError | StoreError): string =>
  (cause as NodeJS.ErrnoException | undefined)?.code ?? '';

/** An error as a flow gets it: in words for people, and with the engine's code for programs. */
export class FlowError extends Error {
  /** How a Catch node and the log begin the message. */
  override readonly name = 'USMP';

  constructor(
    message: string,
    readonly code: ErrorCode | NodeCode,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** The outbox is to be kept over a restart, but nothing is kept in this context store. */
export class StoreError extends Error {
  readonly values: Readonly<Record<string, string>>;

  constructor(
    readonly code: 'USMP_STORE_MEMORY' | 'USMP_STORE_UNKNOWN',
    store: string,
  ) {
    super(store);
    this.values = { store };
  }
}
