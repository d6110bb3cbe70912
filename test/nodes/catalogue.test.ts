/**
 * The editor side of the nodes, read as files: every text comes from a catalogue, and every catalogue is complete in
 * every language.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { NODE_CODES } from '../../nodes/shared/words/codes.js';
import { ERROR_CODES } from '../../src/error-codes.js';
import { importsOf } from '../support/imports.js';

const root = path.resolve(__dirname, '../..');
const locales = path.join(root, 'nodes/locales');
const MODULE = 'node-red-contrib-usmp';
const REFERENCE = 'en-US';
const CORE_MESSAGES = '@node-red/nodes/locales/en-US/messages.json';
const LANGUAGES = ['en-US', 'de', 'ja', 'zh-CN'];

/** Each node set and the node type that it registers. */
const TYPES: Record<string, string> = {
  'usmp-client': 'usmp-client',
  'usmp-in': 'usmp in',
  'usmp-out': 'usmp out',
  'usmp-ping': 'usmp ping',
};
const SETS = Object.keys(TYPES);

/** Buttons whose names depend on what is in the fields. */
const NAMED_BY_SCRIPT = ['usmp-client-psk-show', 'usmp-client-psk-generate', 'usmp-client-psk-format'];

type Catalogue = Map<string, string>;

const read = (...parts: string[]): string => readFileSync(path.join(root, ...parts), 'utf8');

/** A catalogue's texts by their dotted keys. */
function flatten(value: unknown, prefix = ''): [string, string][] {
  if (typeof value === 'string') return [[prefix, value]];
  return Object.entries(value as Record<string, unknown>).flatMap(([key, inner]) =>
    flatten(inner, prefix === '' ? key : `${prefix}.${key}`),
  );
}

const catalogue = (language: string, set: string): Catalogue =>
  new Map(flatten(JSON.parse(read('nodes/locales', language, `${set}.json`))));

/** The editor file of a node set, with the pieces that the build puts into it. */
const html = (set: string): string =>
  read('nodes', `${set}.html`).replace(/<!-- include (\S+) -->\n/g, (_mark, piece: string) =>
    read('nodes', piece),
  );
const template = (set: string): string =>
  /<script type="text\/html"[^>]*>([^]*?)<\/script>/.exec(html(set))?.[1] ?? '';

/** The code of a dialog: the file that its HTML names. */
const entry = (set: string): string =>
  /<script type="text\/javascript" src="editor\/([^"]+)"><\/script>/.exec(html(set))?.[1] ?? '';

/** The same, and all files beside it that it imports. */
function script(set: string): string {
  const found = new Map<string, string>();
  const visit = (file: string): void => {
    if (found.has(file)) return;
    const source = read('nodes/editor', file);
    found.set(file, source);
    const imported = importsOf(file, source).filter(({ specifier }) => specifier.startsWith('./'));
    for (const { specifier } of imported) visit(specifier.slice(2).replace(/\.js$/, '.ts'));
  };
  visit(entry(set));
  return [...found.values()].join('\n');
}

const matches = (text: string, pattern: RegExp): string[] =>
  Array.from(text.matchAll(pattern), (match) => match[1] ?? match[0]);
const placeholders = (text: string): string[] => matches(text, /__(\w+?)__/g).sort();
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();

/** The keys that an editor file asks for, as `namespace:key`. */
function keysUsed(set: string): string[] {
  const qualify = (key: string, namespace = set): string =>
    key.includes(':') ? key : `${MODULE}/${namespace}:${key}`;
  const attributes = matches(template(set), /data-i18n="([^"]*)"/g)
    .flatMap((value) => value.split(';'))
    .map((value) => qualify(value.replace(/^\[[\w-]+\]/, '')));
  // A key begins with the name of its catalogue, those that the runtime has as well with `usmp`.
  const literals = matches(script(set), /'((?:usmp|usmp-\w+)\.[\w.]+)'/g)
    .filter((key) => !key.endsWith('.svg'))
    .map((key) => qualify(key, key.startsWith('usmp.') ? 'usmp-client' : key.split('.')[0]));
  return sorted([...attributes, ...literals]);
}

/** A catalogue of this package or of Node-RED's own nodes. */
function catalogueOf(namespace: string): Catalogue {
  if (namespace.startsWith(`${MODULE}/`)) return catalogue(REFERENCE, namespace.slice(MODULE.length + 1));
  assert.equal(namespace, 'node-red', 'a namespace that is neither ours nor that of the core nodes');
  return new Map(flatten(JSON.parse(readFileSync(require.resolve(CORE_MESSAGES), 'utf8'))));
}

/** The keys below a prefix, without it. */
const below = (prefix: string): string[] =>
  sorted(catalogue(REFERENCE, 'usmp-client').keys())
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));

/** The sources of the runtime, and of the command line, which looks up texts as well. */
const runtime = ({ without }: { without?: string } = {}): string[] =>
  readdirSync(path.join(root, 'nodes'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('editor'))
    .filter((file) => without === undefined || !file.startsWith(`${without}${path.sep}`))
    .map((file) => read('nodes', file));

/** The keys below `usmp.` that the runtime names. */
const keysOfRuntime = (): string[] =>
  sorted(runtime().flatMap((source) => matches(source, /(?:\bt\(\s*|\bkey: )'([\w.]+)'/g)));

/** What can be wrong with a setting, as the engine and the runtime call it. */
function problems(): string[] {
  const files = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('errors.ts'))
    .map((file) => read('src', file));
  const sources = [...files, ...runtime()].filter((source) => source.includes('new ArgumentError('));
  return sorted(sources.flatMap((source) => matches(source, /\bkind: '(\w+)'/g)));
}

/** The states of a connection that the runtime may put into words as they are, besides those it knows by name. */
const connectionStates = (): string[] =>
  sorted(matches(read('src/client/redial.ts'), /\| \{ readonly at: '(\w+)' \}/g));

/** The error codes that a client of the engine, or a node, can come upon. */
const clientErrorCodes = (): string[] =>
  sorted(
    Object.entries({ ...ERROR_CODES, ...NODE_CODES })
      .filter(([, { client }]) => client !== false)
      .map(([code]) => code),
  );

/** Troubles that last until somebody does something about them. */
const LASTING = [
  ...['USMP_CONNECTION_REFUSED', 'USMP_UNREACHABLE', 'USMP_PSK_REJECTED', 'USMP_GATEWAY_PROOF'],
  ...['USMP_DEAD', 'USMP_LOST', 'USMP_NEVER_PROVEN', 'USMP_NO_SESSION_OK', 'USMP_SHORT_SESSIONS'],
] as const;

describe('catalogues', () => {
  it('exist for the expected languages', () => {
    assert.deepEqual(readdirSync(locales).sort(), sorted(LANGUAGES));
  });

  for (const language of LANGUAGES) {
    describe(language, () => {
      it('has texts and help for every node set, and nothing else', () => {
        const expected = SETS.flatMap((set) => [`${set}.html`, `${set}.json`]);
        assert.deepEqual(readdirSync(path.join(locales, language)).sort(), sorted(expected));
      });

      for (const set of SETS) {
        it(`${set} has the keys and placeholders of ${REFERENCE}, and no blank text`, () => {
          const reference = catalogue(REFERENCE, set);
          const texts = catalogue(language, set);
          assert.deepEqual(sorted(texts.keys()), sorted(reference.keys()));
          for (const [key, text] of texts) {
            assert.notEqual(text.trim(), '', key);
            assert.deepEqual(placeholders(text), placeholders(reference.get(key) ?? ''), key);
          }
        });

        it(`${set} has help with the sections of ${REFERENCE}`, () => {
          const help = read('nodes/locales', language, `${set}.html`);
          const reference = read('nodes/locales', REFERENCE, `${set}.html`);
          assert.deepEqual(matches(help, /data-help-name="([^"]*)"/g), [TYPES[set]]);
          const tags = (text: string): string[] => matches(text, /<(\/?(?:h3|h4|p|ul|ol|li|dl|dt|dd))\b/g);
          assert.deepEqual(tags(help), tags(reference));
        });
      }

      it('explains in the help what stands under a node for long, in the same words', () => {
        const texts = catalogue(language, 'usmp-client');
        const help = read('nodes/locales', language, 'usmp-client.html');
        const explained = matches(help, /<dt>([^<]*)<\/dt>/g).join('\n');
        for (const code of LASTING) {
          const text = texts.get(`usmp.reason.${code}`);
          assert.ok(text !== undefined && explained.includes(text), `${code}: ${text}`);
        }
      });
    });
  }

  it('have every text that the runtime asks for', () => {
    const keys = keysOfRuntime();
    assert.ok(keys.includes('status.connected'));
    const texts = catalogue(REFERENCE, 'usmp-client');
    assert.deepEqual(
      keys.filter((key) => !texts.has(`usmp.${key}`)),
      [],
    );
  });

  it('have words for every state that stands for itself', () => {
    const states = connectionStates();
    assert.ok(states.includes('connecting'));
    const texts = catalogue(REFERENCE, 'usmp-client');
    assert.deepEqual(
      states.filter((state) => !texts.has(`usmp.status.${state}`)),
      [],
    );
  });

  it('have words for the reason of every error that a client can come upon, and no others', () => {
    const codes = clientErrorCodes();
    assert.deepEqual(below('usmp.reason.'), codes);
  });

  it('have the advice that there is for an error, and every advice is for one, or for a step', () => {
    const told = Object.values({ ...ERROR_CODES, ...NODE_CODES }).flatMap(({ client }) => client || []);
    const advice = told.flatMap((each) => each.advice ?? []);
    const missing = advice.filter((key) => !below('usmp.advice.').includes(key));
    assert.deepEqual(missing, []);
    const unused = below('usmp.advice.').filter(
      (key) => key.startsWith('USMP_') && !sorted(advice).includes(key),
    );
    assert.deepEqual(unused, []);
  });

  it('have words for all that can be wrong with a setting', () => {
    const kinds = problems();
    assert.ok(kinds.includes('whole') && kinds.includes('environment'));
    const missing = kinds.filter((kind) => !below('usmp.invalid.').includes(kind));
    assert.deepEqual(missing, []);
  });

  it('have no text that nobody asks for', () => {
    const chosen = [
      ...clientErrorCodes().map((code) => `reason.${code}`),
      ...connectionStates().map((state) => `status.${state}`),
      ...problems().map((kind) => `invalid.${kind}`),
    ];
    const byRuntime = [...keysOfRuntime(), ...chosen].map((key) => `usmp.${key}`);
    const byEditor = SETS.flatMap(keysUsed).map((used) => used.slice(used.indexOf(':') + 1));
    const used = new Set([...byRuntime, ...byEditor]);
    // Those for a step are checked with the test of a connection.
    const unused = below('usmp.').filter((key) => !key.startsWith('advice.') && !used.has(`usmp.${key}`));
    assert.deepEqual(unused, []);
  });
});

describe('the runtime', () => {
  /** Texts of several words. Those of the engine's errors are for programmers; people get `explain`. */
  function sentences(source: string): string[] {
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isNewExpression(node) && /^(Argument|USMP\w*)Error$/.test(node.expression.getText())) return;
      if (
        ts.isStringLiteralLike(node) ||
        ts.isTemplateHead(node) ||
        ts.isTemplateMiddleOrTemplateTail(node)
      ) {
        if (/\p{L}+ +\p{L}+/u.test(node.text)) found.push(node.text);
      }
      ts.forEachChild(node, visit);
    };
    visit(ts.createSourceFile('nodes.ts', source, ts.ScriptTarget.Latest, true));
    return found.filter((text) => !Object.values(TYPES).includes(text));
  }

  it('has no text for people that is not in a catalogue', () => {
    assert.deepEqual(sentences("throw new Error('no such thing'); t('status.idle'); log(`${n} are left`)"), [
      'no such thing',
      ' are left',
    ]);
    // The command line speaks English only.
    assert.deepEqual(runtime({ without: 'cli' }).flatMap(sentences), []);
  });
});

describe('editor files', () => {
  for (const set of SETS) {
    describe(`${set}.html`, () => {
      it('asks for texts that exist', () => {
        const missing = keysUsed(set).filter((used) => {
          const [namespace = '', key = ''] = used.split(':');
          return !catalogueOf(namespace).has(key);
        });
        assert.deepEqual(missing, []);
      });

      it('uses every text that its catalogue has for it', () => {
        const used = new Set(keysUsed(set));
        const unused = [...catalogue(REFERENCE, set).keys()]
          .filter((key) => key.startsWith(`${set}.`))
          .filter((key) => !used.has(`${MODULE}/${set}:${key}`));
        assert.deepEqual(unused, []);
      });

      it('has no text of its own in the dialog', () => {
        const words = template(set)
          .replace(/<[^>]*>/g, '\n')
          .split('\n')
          .filter((line) => /[\p{L}\p{N}]/u.test(line));
        assert.deepEqual(words, []);
        assert.doesNotMatch(template(set), /\s(?:title|placeholder|aria-label|alt)="/);
      });

      it('labels every field, and names every button', () => {
        const dialog = template(set);
        const fields = matches(dialog, /<(?:input|select)\b[^>]*?\bid="([^"]*)"/g);
        const labelled = matches(dialog, /<label\b[^>]*?\bfor="([^"]*)"/g);
        assert.deepEqual(sorted(fields), sorted(labelled));
        for (const button of matches(dialog, /<button\b[^]*?<\/button>/g)) {
          const id = /\bid="([^"]*)"/.exec(button)?.[1] ?? '';
          const isNamed = /\[title\][^;"]+;\[aria-label\]|<span data-i18n=/.test(button);
          assert.ok(isNamed || NAMED_BY_SCRIPT.includes(id), id);
        }
      });

      it('registers its type, with a field in the dialog for each property', () => {
        const code = read('nodes/editor', entry(set));
        assert.match(code, new RegExp(`^RED\\.nodes\\.registerType<\\w+>\\('${TYPES[set] ?? ''}', {$`, 'm'));
        assert.ok(html(set).includes(`data-template-name="${TYPES[set] ?? ''}"`));
        const defaults = /\n( *)defaults: \{\n([^]*?)\n\1\}/.exec(code);
        assert.ok(defaults);
        const names = matches(defaults[2] ?? '', new RegExp(`^${defaults[1] ?? ''}  (\\w+): `, 'gm'));
        assert.ok(names.length >= 2);
        const prefix = set === 'usmp-client' ? 'node-config-input-' : 'node-input-';
        // How many outputs there are is the script's to say.
        const typed = names.filter((name) => name !== 'outputs');
        for (const name of typed) assert.ok(template(set).includes(`id="${prefix}${name}"`), name);
      });

      it('takes its colours from the theme', () => {
        const styles = matches(html(set), /<style>([^]*?)<\/style>/g).join('\n');
        assert.doesNotMatch(styles + template(set), /#[0-9a-f]{3,8}\b|rgba?\(/i);
      });

      it('keeps its styles to itself', () => {
        const styles = matches(html(set), /<style>([^]*?)<\/style>/g).join('\n');
        const selectors = matches(styles, /([^{}]+)\{[^{}]*\}/g).flatMap((list) => list.split(','));
        for (const selector of selectors) assert.match(selector.trim(), new RegExp(`^\\.${set}-`));
      });
    });
  }
});

describe('icons', () => {
  const folder = path.join(root, 'icons');
  const icons = readdirSync(folder);

  it('are those that the nodes name', () => {
    const named = SETS.flatMap((set) => matches(script(set), /icon: '([^']+)'/g));
    assert.deepEqual(sorted(icons), sorted(named));
  });

  for (const icon of icons) {
    it(`${icon} is 40 by 60, white on transparent`, () => {
      const svg = readFileSync(path.join(folder, icon), 'utf8');
      assert.match(
        svg,
        /^<svg width="40" height="60" viewBox="0 0 40 60" xmlns="http:\/\/www\.w3\.org\/2000\/svg">/,
      );
      assert.deepEqual(
        sorted(matches(svg, /(?:fill|stroke)="([^"]*)"/g)).filter((paint) => paint !== 'none'),
        ['#fff'],
      );
    });
  }
});
