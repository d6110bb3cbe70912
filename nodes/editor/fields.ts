/** What the dialogs find wrong with what stands in a field: what the runtime would refuse. */
import { ArgumentError } from '../../src/errors.js';
import {
  checkRetryOrder,
  CHOICES,
  environmentName,
  NUMBERS,
  readChoice,
  readDeviceId,
  readHost,
  readNumber,
  textOf,
  type NumberField,
  type Typed,
} from '../shared/dialog/rules.js';

export type Values = Readonly<Record<string, string | number>>;

/** A text that is not looked up yet. */
export interface Text {
  /** Below `usmp.` it is one that the runtime has as well. */
  readonly key: string;
  readonly values?: Values;
  /** The setting whose name stands for `__label__`. */
  readonly label?: string;
}

/** The fields of the config node that hold a number. */
export const NUMBER_FIELDS = Object.keys(NUMBERS).filter((name) => name !== 'interval') as NumberField[];

export type CheckedField = NumberField | keyof typeof CHOICES | 'host' | 'deviceId';

const isNumber = (field: CheckedField): field is NumberField => field in NUMBERS;
const isChoice = (field: CheckedField): field is keyof typeof CHOICES => field in CHOICES;

function read(field: CheckedField, typed: string): void {
  if (isNumber(field)) readNumber(field, typed);
  else if (field === 'host') readHost(typed);
  else if (isChoice(field)) readChoice(field, typed);
  else readDeviceId(typed);
}

/** What a reader of the rules objects to; undefined when it does not. */
export function objection(read: () => void): Text | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const { field, problem } = error;
    return {
      key: `usmp.invalid.${problem.kind}`,
      label: field,
      ...(problem.values && { values: problem.values }),
    };
  }
}

/** A value from the environment is for the runtime to judge. */
export function problemWith(field: CheckedField, typed: Typed): Text | undefined {
  const value = textOf(typed);
  return environmentName(value) === undefined ? objection(() => read(field, value)) : undefined;
}

/** The longest wait, which must not be shorter than the first where both are known. */
export function problemWithLongestWait(retryMin: Typed, retryMax: Typed): Text | undefined {
  const number = (field: 'retryMin' | 'retryMax', typed: Typed): number | undefined =>
    environmentName(textOf(typed)) === undefined ? readNumber(field, textOf(typed)) : undefined;
  const problem = objection(() =>
    checkRetryOrder(number('retryMin', retryMin), number('retryMax', retryMax)),
  );
  return problem?.label === 'retryMax' ? problem : problemWith('retryMax', retryMax);
}
