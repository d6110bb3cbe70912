import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { hostAndPort, isBytes, toBytes } from '../src/check.js';
import { ascii, hex } from './support/hex.js';

/** What a `vm` context, where a Function node runs, makes of an expression. */
const foreign = (expression: string): unknown => runInNewContext(expression);

describe('isBytes', () => {
  const cases: [string, unknown, boolean][] = [
    ['a Uint8Array', new Uint8Array(2), true],
    ['a Buffer', Buffer.alloc(2), true],
    ['a Uint8Array of another realm', foreign('new Uint8Array(2)'), true],
    ['an array of a subclass of another realm', foreign('new (class extends Uint8Array {})(2)'), true],
    ['an array of wider elements', new Uint16Array(2), false],
    ['an array of wider elements of another realm', foreign('new Float32Array(2)'), false],
    ['a DataView', new DataView(new ArrayBuffer(2)), false],
    ['an ArrayBuffer', new ArrayBuffer(2), false],
    ['an object that claims to be one', { [Symbol.toStringTag]: 'Uint8Array', length: 2 }, false],
    ['a list of numbers', [1, 2], false],
    ['text', 'ab', false],
    ['null', null, false],
  ];
  for (const [what, value, expected] of cases) {
    it(`says ${expected ? 'yes' : 'no'} to ${what}`, () => {
      assert.equal(isBytes(value), expected);
    });
  }
});

describe('hostAndPort', () => {
  for (const [host, text] of [
    ['gw.local', 'gw.local:9000'],
    ['127.0.0.1', '127.0.0.1:9000'],
    ['::1', '[::1]:9000'],
    ['fe80::1%eth0', '[fe80::1%eth0]:9000'],
  ] as const) {
    it(`is ${text} for the host ${host}`, () => {
      assert.equal(hostAndPort(host, 9000), text);
    });
  }
});

describe('toBytes', () => {
  it('takes bytes of any realm as they are, and text as UTF-8', () => {
    for (const value of [
      hex('0102ff'),
      Buffer.from('0102ff', 'hex'),
      foreign('new Uint8Array([1, 2, 255])'),
    ]) {
      assert.deepEqual(Array.from(toBytes('message', value)), [1, 2, 255]);
    }
    assert.deepEqual(toBytes('message', 'grün'), ascii('grün'));
  });

  const refused: [unknown, string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
    [{}, 'object'],
    [new Uint16Array(2), 'object'],
    [new ArrayBuffer(2), 'object'],
  ];
  for (const [value, got] of refused) {
    it(`refuses ${Object.prototype.toString.call(value)} by name`, () => {
      assert.throws(() => toBytes('message', value), {
        name: 'ArgumentError',
        field: 'message',
        message: `message: expected a string or bytes, got ${got}`,
      });
    });
  }
});
