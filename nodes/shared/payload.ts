/** msg.payload to bytes and back. The one place that decides what a message looks like in a flow. */

/**
 * What a Node-RED user may put into msg.payload, as the bytes that go out; undefined when it is none of that.
 * @throws TypeError for an object that JSON has no words for: one that holds itself, say.
 */
export function encodePayload(payload: unknown): Uint8Array | undefined {
  switch (typeof payload) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return Buffer.from(String(payload));
    case 'object':
      if (payload === null) return Buffer.alloc(0);
      return payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
    default:
      return undefined;
  }
}

export const FORMATS = ['auto', 'buffer', 'string', 'json', 'base64'] as const;
export type Format = (typeof FORMATS)[number];

const utf8 = new TextDecoder('utf-8', { fatal: true });

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
      return bytes.toString('utf8');
    case 'base64':
      return bytes.toString('base64');
    case 'json':
      return JSON.parse(bytes.toString('utf8')) as unknown;
    case 'auto':
      return detect(bytes);
  }
}

function detect(bytes: Buffer): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return bytes;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
