/** What is read from a context store, which anybody may have written. */
import assert from 'node:assert/strict';
import { fromStored, toStored } from '../../../nodes/shared/exchange/stored.js';
import { MAX_MESSAGE_BYTES, type KeptMessage } from '../../../src/index.js';

const LIMITS = { maxCount: 1000, maxBytes: 2 ** 20 };
const base64 = (size: number): string => Buffer.alloc(size, 7).toString('base64');
const entry = (message: unknown, delivery: unknown = 'confirmed'): object => ({ message, delivery });
const sizes = (kept: readonly KeptMessage[] = []): number[] => kept.map(({ message }) => message.length);

describe('an outbox in a context store', () => {
  it('is read as it was written', () => {
    const content: KeptMessage[] = [
      { message: Uint8Array.of(0, 1, 254, 255), delivery: 'confirmed' },
      { message: new Uint8Array(), delivery: 'sent' },
      { message: new Uint8Array(MAX_MESSAGE_BYTES), delivery: 'sent' },
      { message: Uint8Array.of(1), delivery: 'sent', key: 'set-point' },
      { message: Uint8Array.of(2), delivery: 'confirmed', maxAgeMs: 1_500 },
      { message: Uint8Array.of(3), delivery: 'confirmed', key: 'k'.repeat(256), maxAgeMs: 366 * 86_400_000 },
    ];
    const throughAFile: unknown = JSON.parse(JSON.stringify(toStored(content)));
    assert.deepEqual(fromStored(throughAFile, LIMITS), { kept: content, unusable: [] });
  });

  it('is read as the first versions wrote it, without keys and ages', () => {
    const restored = fromStored([entry('AAEC'), entry('', 'sent')], LIMITS);
    const kept: KeptMessage[] = [
      { message: Uint8Array.of(0, 1, 2), delivery: 'confirmed' },
      { message: new Uint8Array(), delivery: 'sent' },
    ];
    assert.deepEqual(restored, { kept, unusable: [] });
  });

  for (const nothing of [undefined, null, []]) {
    it(`is empty when the store has ${JSON.stringify(nothing)}`, () => {
      assert.deepEqual(fromStored(nothing, LIMITS), { kept: [], unusable: [] });
    });
  }

  for (const other of ['', 'AAAA', 0, 7, true, {}, { length: 1, 0: entry('AAAA') }]) {
    it(`is none when the store has ${typeof other} ${JSON.stringify(other)}`, () => {
      assert.equal(fromStored(other, LIMITS), undefined);
    });
  }

  const unusable: Record<string, unknown> = {
    'one byte too many': entry(base64(MAX_MESSAGE_BYTES + 1)),
    '6,000 bytes': entry(base64(6000)),
    'another delivery': entry('AAAA', 'maybe'),
    'no delivery': { message: 'AAAA' },
    'a delivery that is no text': entry('AAAA', ['sent']),
    'no message': { delivery: 'sent' },
    'a message that is no text': entry([0, 1, 2]),
    'a message as Node.js writes a Buffer in JSON': entry({ type: 'Buffer', data: [0, 1, 2] }),
    'characters that are not base64': entry('AA*A'),
    'a space in base64': entry('AA AA'),
    'base64 without its end': entry('AAA'),
    'base64 with an end too many': entry('AAAA='),
    'base64 in the notation of URLs': entry('-_-_'),
    'bits left over in base64': entry('AAB='),
    'a key that is no text': { ...entry('AAAA'), key: 7 },
    'an empty key': { ...entry('AAAA'), key: '' },
    'a key that is null': { ...entry('AAAA'), key: null },
    'a key that is too long': { ...entry('AAAA'), key: 'k'.repeat(257) },
    'an age as text': { ...entry('AAAA'), maxAgeMs: '1000' },
    'an age below zero': { ...entry('AAAA'), maxAgeMs: -1 },
    'an age of more than a year': { ...entry('AAAA'), maxAgeMs: 367 * 86_400_000 },
    'a number': 7,
    nothing: null,
    'a gap': undefined,
    'a list': ['AAAA', 'sent'],
  };
  for (const [name, value] of Object.entries(unusable)) {
    it(`leaves out an entry with ${name}, and no other`, () => {
      const restored = fromStored([entry('AAAA'), value, entry('AAAAAA==')], LIMITS);
      assert.deepEqual([sizes(restored?.kept), restored?.unusable], [[3, 4], [value]]);
    });
  }

  it('is read up to the number of messages that an outbox may hold, the oldest first', () => {
    const restored = fromStored(
      [1, 2, 3, 4].map(base64).map((text) => entry(text)),
      { ...LIMITS, maxCount: 3 },
    );
    assert.deepEqual([sizes(restored?.kept), restored?.unusable], [[1, 2, 3], [entry(base64(4))]]);
  });

  it('is read up to the bytes that an outbox may hold', () => {
    const restored = fromStored(
      [100, 150, 1].map(base64).map((text) => entry(text)),
      { ...LIMITS, maxBytes: 200 },
    );
    assert.deepEqual([sizes(restored?.kept), restored?.unusable], [[100, 1], [entry(base64(150))]]);
  });
});
