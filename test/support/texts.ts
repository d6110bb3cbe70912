/** The texts of the catalogues, for tests that read what a person would. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const locales = path.resolve(__dirname, '../../nodes/locales');

export type Language = 'en-US' | 'de' | 'ja' | 'zh-CN';
export type Lookup = (key: string, values?: Readonly<Record<string, string | number>>) => string;

/**
 * Looks up texts of the set usmp-client, where those of the runtime are, as Node-RED does.
 * @returns what gives a text with its placeholders filled in; the key when there is no such text.
 */
export function textsOf(language: Language): Lookup {
  const texts: unknown = JSON.parse(readFileSync(path.join(locales, language, 'usmp-client.json'), 'utf8'));
  return (key, values = {}) => {
    const text = key
      .split('.')
      .reduce<unknown>((inner, part) => (inner as Record<string, unknown> | undefined)?.[part], texts);
    if (typeof text !== 'string') return key;
    return text.replace(/__(\w+?)__/g, (placeholder, name: string) => String(values[name] ?? placeholder));
  };
}
