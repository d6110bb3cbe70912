/** msg.payload to bytes and back. The one place that decides what a message looks like in a flow. */
import { types } from 'node:util';

/** What a payload is or holds that neither bytes nor JSON can stand for. */
export class UnsendableError extends TypeError {
  constructor(
    /** Such as `Map`. */
    readonly type: string,
    /** The property that holds it; blank when it is the payload itself. */
    readonly property: string,
  ) {
    super(type);
  }
}

/**
 * What a Node-RED user may put into msg.payload, as the bytes that go out. It may come from a Function node, whose
 * classes are not those of this realm, so nothing here asks for `instanceof`.
 * @throws UnsendableError, or whatever JSON has against an object: that it holds itself, say.
 */
export function encodePayload(payload: unknown): Uint8Array {
  switch (typeof payload) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return Buffer.from(String(payload));
    case 'object':
      return payload === null ? Buffer.alloc(0) : (bytesOf(payload) ?? Buffer.from(toJson(payload)));
    default:
      throw new UnsendableError(typeof payload, '');
  }
}

/** The bytes of a Buffer, of any other view and of a buffer, as they lie in memory. */
function bytesOf(payload: object): Uint8Array | undefined {
  if (ArrayBuffer.isView(payload)) {
    return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  }
  return types.isAnyArrayBuffer(payload) ? new Uint8Array(payload) : undefined;
}

function toJson(payload: object): string {
  const json = JSON.stringify(payload, function (this: Record<string, unknown>, key, value: unknown) {
    const original = this[key];
    const isLost = value === null ? types.isDate(original) : typeof value === 'object' && isMute(value);
    if (isLost) throw new UnsendableError(typeName(original), key);
    return value;
  }) as string | undefined;
  if (json === undefined) throw new UnsendableError(typeName(payload), '');
  return json;
}

/** Whether JSON says nothing of what it holds, as of a Map, or next to nothing, as of an Error. */
function isMute(value: object): boolean {
  if (types.isNativeError(value) || types.isBoxedPrimitive(value) || ArrayBuffer.isView(value)) return true;
  if (Array.isArray(value) || Object.keys(value).length > 0) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return !isPlain;
}

/** Its built-in type, or its class. */
function typeName(value: unknown): string {
  const name = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return name === 'Object' ? String((value as { constructor?: { name?: unknown } }).constructor?.name) : name;
}

export const FORMATS = ['auto', 'buffer', 'string', 'json', 'base64'] as const;
export type Format = (typeof FORMATS)[number];

/** Neither shows a byte order mark. */
const utf8 = new TextDecoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The bytes of a message in the format chosen. `auto`: text that is UTF-8, parsed when it is a JSON object or array or
 * another JSON value; a Buffer otherwise.
 * @throws SyntaxError when `json` is asked for and it is none.
 */
export function decodePayload(bytes: Buffer, format: Format): unknown {
  switch (format) {
    case 'buffer':
      return bytes;
    case 'string':
      return utf8.decode(bytes);
    case 'base64':
      return bytes.toString('base64');
    case 'json':
      return JSON.parse(utf8.decode(bytes)) as unknown;
    case 'auto':
      return detect(bytes);
  }
}

function detect(bytes: Buffer): unknown {
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    return bytes;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
