/** Words for people, from the message catalogue of the set usmp-client. */
import type { NodeAPI } from 'node-red';
import type { USMPError } from '../../src/index.js';

const CATALOGUE = 'node-red-contrib-usmp/usmp-client:usmp';

export type Translate = (key: string, values?: Record<string, string | number>) => string;

/** @returns a function that looks up `usmp.<key>` in the language of this Node-RED. */
export function translator(RED: NodeAPI): Translate {
  return (key, values) => RED._(`${CATALOGUE}.${key}`, values);
}

/** A few words that say why, fit for the status under a node. */
export function reasonText(t: Translate, error: USMPError): string {
  const key = `reason.${error.code}`;
  const text = t(key);
  return text.endsWith(key) && !text.includes(' ') ? `${t('reason.other')} (${error.code})` : text;
}
