/** Standard input as lines. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { chunksOf, Lines, linesOf } from '../../../nodes/cli/lines.js';

const MAX = 4;

/** Lines in latin1, `-` for one that is too long, of an input that comes in these pieces. */
function cut(...pieces: string[]): string[] {
  const lines = new Lines(MAX);
  const found = [...pieces.flatMap((piece) => [...lines.push(Buffer.from(piece, 'latin1'))]), ...lines.end()];
  assert.deepEqual(
    found.map(({ number }) => number),
    found.map((_line, i) => i + 1),
  );
  return found.map(({ bytes }) => bytes?.toString('latin1') ?? '-');
}

describe('lines', () => {
  const table: [string[], string[]][] = [
    [[], []],
    [['a\nb\n'], ['a', 'b']],
    [['a\nb'], ['a', 'b']],
    [['a\r\n\r\nb\r\n'], ['a', '', 'b']],
    [
      ['ab', 'c', 'd\n', '\n'],
      ['abcd', ''],
    ],
    [
      ['abcd\r', '\nab'],
      ['abcd', 'ab'],
    ],
    [['abcde\nab\n'], ['-', 'ab']],
    [['abcde\r\n'], ['-']],
    [
      ['abc', 'de', 'fghi', 'jk\nab'],
      ['-', 'ab'],
    ],
    [['abcde'], ['-']],
    [['abcd\rxyz\n'], ['-']],
    [['abcd\r\r\n'], ['-']],
    [['\xff\x00\n'], ['\xff\x00']],
    [['\r'], ['']],
  ];
  for (const [pieces, expected] of table) {
    it(`are cut from ${JSON.stringify(pieces)}`, () => assert.deepEqual(cut(...pieces), expected));
  }

  it('keep nothing of an endless line but what tells that it is too long', () => {
    const lines = new Lines(MAX);
    const chunk = Buffer.alloc(65_536, 'a');
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 2_000; i++) assert.deepEqual([...lines.push(chunk)], []);
    // 128 MB went in.
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 2 ** 20);
    assert.deepEqual([...lines.end()], [{ number: 1, bytes: undefined }]);
  });

  it('come from a stream until it ends', async () => {
    const stream = new PassThrough();
    stream.write('a\nb');
    stream.end('c');
    const found: unknown[] = [];
    for await (const { bytes } of linesOf(stream, MAX, new AbortController().signal))
      found.push(String(bytes));
    assert.deepEqual(found, ['a', 'bc']);
  });

  it('come from a stream until the signal, and then the stream is let go', async () => {
    const [stream, end] = [new PassThrough(), new AbortController()];
    stream.write('a\nb');
    const found: unknown[] = [];
    for await (const { bytes } of linesOf(stream, MAX, end.signal)) {
      found.push(String(bytes));
      setImmediate(() => end.abort());
    }
    assert.deepEqual(found, ['a']);
    assert.ok(stream.destroyed);
    for await (const chunk of chunksOf(stream, end.signal)) assert.fail(String(chunk));
  });

  it('fail as the stream does', async () => {
    const stream = new PassThrough();
    stream.write('a');
    setImmediate(() => stream.destroy(new Error('EIO')));
    await assert.rejects(async () => {
      for await (const chunk of chunksOf(stream, new AbortController().signal))
        assert.equal(String(chunk), 'a');
    }, /EIO/);
  });
});
