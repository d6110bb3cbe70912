/** What a message looks like in a flow, with values that a Function node makes in a realm of its own. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import type { NodeAPI } from 'node-red';
import {
  decodePayload,
  encodePayload,
  UnsendableError,
  type Format,
} from '../../../nodes/shared/words/payload.js';
import {
  CATCH,
  CAUGHT,
  connected,
  flowWith,
  helper,
  next,
  nodeRed,
  NODES,
  OUT,
  PSK,
  startGateway,
  withRuntime,
} from '../../support/runtime.js';

/** The value of an expression, made here and in another realm. */
function inBothRealms(expression: string): [string, unknown][] {
  return [
    ['of this realm', (0, eval)(expression) as unknown],
    ['of another realm', runInNewContext(expression, { Buffer, URL, Blob, SharedArrayBuffer })],
  ];
}

const WHOLE = '[1, 2, 255]';

describe('a payload', () => {
  const sent: [string, string | number[]][] = [
    ['new Uint8Array([1, 2, 255])', [1, 2, 255]],
    ['new Uint8Array([0, 1, 2, 255, 0]).subarray(1, 4)', [1, 2, 255]],
    ['Buffer.from([1, 2, 255])', [1, 2, 255]],
    ['new Uint8ClampedArray([1, 2, 300])', [1, 2, 255]],
    ['new Int8Array([1, -1])', [1, 255]],
    ['new Float32Array([1])', [...new Uint8Array(Float32Array.of(1).buffer)]],
    ['new BigInt64Array([1n])', [...new Uint8Array(BigInt64Array.of(1n).buffer)]],
    ['new DataView(new Uint8Array([0, 1, 2, 255]).buffer, 1)', [1, 2, 255]],
    ['new Uint8Array([1, 2, 255]).buffer', [1, 2, 255]],
    ['new SharedArrayBuffer(3)', [0, 0, 0]],
    ['new Uint8Array(new SharedArrayBuffer(3))', [0, 0, 0]],
    ['new Uint8Array(0)', []],
    ['"grüße"', 'grüße'],
    ['""', ''],
    ['21.5', '21.5'],
    ['true', 'true'],
    ['2n ** 64n', '18446744073709551616'],
    ['null', ''],
    [WHOLE, '[1,2,255]'],
    ['[]', '[]'],
    ['({})', '{}'],
    ['Object.create(null)', '{}'],
    ['({ a: undefined, b: null })', '{"b":null}'],
    ['({ type: "Buffer", data: [1, 2] })', '{"type":"Buffer","data":[1,2]}'],
    ['({ raw: Buffer.from([1]) })', '{"raw":{"type":"Buffer","data":[1]}}'],
    ['new (class Reading { value = 1 })()', '{"value":1}'],
    ['new Date(0)', '"1970-01-01T00:00:00.000Z"'],
    ['({ at: new Date(0) })', '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['new URL("usmp://gw")', '"usmp://gw"'],
    ['Object.assign(new Error("no"), { toJSON: () => ({ why: "no" }) })', '{"why":"no"}'],
  ];
  for (const [expression, bytes] of sent) {
    for (const [where, payload] of inBothRealms(expression)) {
      it(`${expression} ${where} goes out as ${JSON.stringify(bytes)}`, () => {
        assert.deepEqual(Buffer.from(encodePayload(payload)), Buffer.from(bytes as string));
      });
    }
  }

  const refused: [string, string, string?][] = [
    ['undefined', 'undefined'],
    ['(function () {})', 'function'],
    ['Symbol("secret")', 'symbol'],
    ['new Map([["secret", 1]])', 'Map'],
    ['new Set(["secret"])', 'Set'],
    ['new WeakMap()', 'WeakMap'],
    ['new WeakSet()', 'WeakSet'],
    ['Promise.resolve("secret")', 'Promise'],
    ['new Error("secret")', 'Error'],
    ['Object.assign(new TypeError("secret"), { code: "secret" })', 'Error'],
    ['/secret/', 'RegExp'],
    ['new String("secret")', 'String'],
    ['new Number(5)', 'Number'],
    ['Object(1n)', 'BigInt'],
    ['(function* () {})()', 'Generator'],
    ['[].values()', 'Array Iterator'],
    ['new Blob(["secret"])', 'Blob'],
    ['new (class Vault { #key = "secret"; })()', 'Vault'],
    ['Object.create({ secret: 1 })', 'Object'],
    ['new Date(NaN)', 'Date'],
    ['({ toJSON: () => undefined })', 'Object'],
    ['({ toJSON: () => Symbol("secret") })', 'Object'],
    ['({ a: [0, { table: new Map([["secret", 1]]) }] })', 'Map', 'table'],
    ['({ samples: new Float32Array([1]) })', 'Float32Array', 'samples'],
    ['({ raw: new ArrayBuffer(1) })', 'ArrayBuffer', 'raw'],
    ['({ cause: new Error("secret") })', 'Error', 'cause'],
    ['({ at: new Date(NaN) })', 'Date', 'at'],
    ['[Promise.resolve("secret")]', 'Promise', '0'],
  ];
  for (const [expression, type, property = ''] of refused) {
    for (const [where, payload] of inBothRealms(expression)) {
      it(`${expression} ${where} is refused as ${type}, and not shown`, () => {
        assert.throws(
          () => encodePayload(payload),
          (error: unknown) => {
            assert.ok(error instanceof UnsendableError, String(error));
            assert.deepEqual([error.type, error.property], [type, property]);
            assert.doesNotMatch(error.message, /secret/);
            return true;
          },
        );
      });
    }
  }

  it('that holds itself is refused by JSON', () => {
    for (const [, payload] of inBothRealms('(() => { const o = {}; o.self = o; return o; })()')) {
      assert.throws(() => encodePayload(payload), /circular/);
    }
  });
});

describe('a message', () => {
  const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
  const cases: [Format, Buffer, unknown][] = [
    ['json', Buffer.from('{"a":1}'), { a: 1 }],
    ['json', Buffer.concat([BOM, Buffer.from('{"a":1}')]), { a: 1 }],
    ['auto', Buffer.concat([BOM, Buffer.from('{"a":1}')]), { a: 1 }],
    ['auto', Buffer.concat([BOM, Buffer.from('text')]), 'text'],
    ['string', Buffer.concat([BOM, Buffer.from('text')]), 'text'],
    ['string', Buffer.from([0x61, 0xff]), 'a\ufffd'],
    ['buffer', BOM, BOM],
    ['auto', Buffer.from([0xff]), Buffer.from([0xff])],
  ];
  for (const [format, bytes, payload] of cases) {
    it(`of the bytes ${bytes.toString('hex')} is read as ${format}`, () => {
      assert.deepEqual(decodePayload(bytes, format), payload);
    });
  }
});

describe('a Function node in front of usmp out', () => {
  withRuntime();

  const functionNode = createRequire(nodeRed)('@node-red/nodes/core/function/10-function.js') as (
    RED: NodeAPI,
  ) => void;
  const code = (func: string): object => ({ id: 'fn', type: 'function', func, outputs: 1, wires: [['out']] });

  async function start(func: string): Promise<Awaited<ReturnType<typeof startGateway>>> {
    const gateway = await startGateway('tcp');
    const flow = flowWith(gateway.port, 'tcp', [code(func), OUT, CATCH, CAUGHT]);
    await helper.load([functionNode, ...NODES], flow, { gw: { psk: PSK } });
    await connected('out');
    return gateway;
  }

  it('sends bytes as bytes', async () => {
    const gateway = await start('return { payload: new Uint8Array([1, 2, 0x7f]) };');
    helper.getNode('fn').receive({});
    await gateway.arrived(1);
    assert.deepEqual(gateway.received, ['\x01\x02\x7f']);
  });

  const errors: [string, string][] = [
    ['new Map([["a", 1]])', 'msg.payload is of type Map, which cannot be sent'],
    [
      '{ table: new Map([["a", 1]]) }',
      'msg.payload holds a Map (in table), for which JSON has no words: make it an object, an array or a string',
    ],
    ['{ toJSON() { throw null; } }', 'msg.payload cannot be written as JSON: null'],
    ['{ toJSON() { throw new Error("why not"); } }', 'msg.payload cannot be written as JSON: why not'],
  ];
  for (const [payload, message] of errors) {
    it(`is told why ${payload} is not sent`, async () => {
      const gateway = await start(`return { payload: ${payload} };`);
      const caught = next('caught');
      helper.getNode('fn').receive({});
      const { error } = (await caught) as { error: { message: string; code: string } };
      assert.deepEqual([error.message, error.code], [`USMP: ${message}`, 'USMP_ARGUMENT']);
      assert.deepEqual(gateway.received, []);
    });
  }

  for (const action of ['undefined', 'null', '""', '0', 'false', 'NaN']) {
    it(`sends the payload when msg.action is ${action}`, async () => {
      const gateway = await start(`return { payload: 'x', action: ${action} };`);
      helper.getNode('fn').receive({});
      await gateway.arrived(1);
      assert.deepEqual(gateway.received, ['x']);
    });
  }
});
