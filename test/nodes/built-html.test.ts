/** The HTML that Node-RED loads, as the build makes it: one script that its tools can read, and that people can. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const built = path.resolve(__dirname, '../../dist/nodes');
const FILES = readdirSync(built).filter((file) => file.endsWith('.html'));
const MAX_COLUMNS = 200;

/** The calls of `RED.nodes.registerType` in a script, each by its arguments. */
function registrations(script: string): ts.NodeArray<ts.Expression>[] {
  const found: ts.NodeArray<ts.Expression>[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.getText() === 'RED.nodes.registerType') {
      found.push(node.arguments);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('script.js', script, ts.ScriptTarget.Latest, true));
  return found;
}

/** The properties of an object literal that are written as `name: value`; fails where one is not named. */
function propertiesOf(object: ts.Expression | undefined): Map<string, ts.Expression> {
  assert.ok(object && ts.isObjectLiteralExpression(object), 'an object literal');
  const found = new Map<string, ts.Expression>();
  for (const property of object.properties) {
    assert.ok(property.name && ts.isIdentifier(property.name), 'each property has a name');
    if (ts.isPropertyAssignment(property)) found.set(property.name.text, property.initializer);
  }
  return found;
}

describe('the HTML of the nodes', () => {
  it('is built for each node set', () => {
    assert.equal(FILES.length, 4);
  });

  for (const file of FILES) {
    const html = readFileSync(path.join(built, file), 'utf8');
    const scripts = Array.from(
      html.matchAll(/<script.+?type=['"]text\/javascript['"].*?>([\S\s]*?)<\/script>/gi),
      ([, script = '']) => script,
    );

    it(`${file} has all its pieces, and one script`, () => {
      assert.equal(scripts.length, 1);
      assert.doesNotMatch(html, /<!-- include| src="/);
      assert.match(html, /id="node(-config)?-input-name"/);
    });

    it(`${file} registers its type literally, as the tools for Node-RED's packages need it`, () => {
      const [types, ...others] = registrations(scripts[0]!);
      assert.equal(others.length, 0);
      const [name, definition] = types!;
      assert.ok(name && ts.isStringLiteral(name));
      assert.equal(name.text.replace(' ', '-'), path.basename(file, '.html'));
      const properties = propertiesOf(definition);
      for (const key of ['category', 'color', 'icon', 'inputs', 'outputs']) {
        const value = properties.get(key);
        assert.ok(value === undefined || ts.isLiteralExpression(value), key);
      }
      assert.ok(propertiesOf(properties.get('defaults')).has('name'));
    });

    it(`${file} has a script that people can read`, () => {
      const lines = scripts[0]!.split('\n');
      assert.deepEqual(
        lines.filter((line) => line.length > MAX_COLUMNS),
        [],
      );
      assert.match(scripts[0]!, /\/\/ nodes\/editor\/text\.ts/);
      assert.doesNotMatch(scripts[0]!, /require\(|__commonJS|\bBuffer\./);
    });
  }
});
