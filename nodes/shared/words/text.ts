/** Words for people, from the message catalogue of the set usmp-client. */
import type { NodeAPI } from 'node-red';

const CATALOGUE = 'node-red-contrib-usmp/usmp-client:usmp';

type Values = Readonly<Record<string, string | number>>;

/** Looks up `usmp.<key>`. */
export type Translate = (key: string, values?: Values) => string;

/** A text that is not looked up yet, so that whoever shows it can do that in the language of its reader. */
export interface Words {
  readonly key: string;
  readonly values?: Values;
  /** The setting whose name stands for `__label__`. */
  readonly label?: string;
}

/** @returns what looks up texts in the language of this Node-RED. */
export function translator(RED: NodeAPI): Translate {
  return (key, values) => RED._(`${CATALOGUE}.${key}`, values);
}

export function say(t: Translate, { key, values, label }: Words): string {
  return t(key, { ...values, ...(label !== undefined && { label: t(`label.${label}`) }) });
}
