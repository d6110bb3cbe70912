/** Texts of the catalogue usmp-client, in the language of the browser. */

import type { Text, Values } from './fields.js';

export const text = (key: string, values?: Values): string =>
  RED._(`node-red-contrib-usmp/usmp-client:${key}`, values);

export const say = ({ key, values, label }: Text): string =>
  text(key, label === undefined ? values : { ...values, label: text(`usmp.label.${label}`) });

/** A text that the runtime has chosen; it leaves out `usmp.`. */
export const sayWords = (words: Text): string => say({ ...words, key: `usmp.${words.key}` });
