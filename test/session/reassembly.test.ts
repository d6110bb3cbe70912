import assert from 'node:assert/strict';
import { Reassembly } from '../../src/session/reassembly.js';
import { toHex } from '../../src/wire/bytes.js';

/** Adds one-byte pieces written as `seq` (DATA_FRAG) or `seq.` (DATA), `!` for a control frame. */
function run(reassembly: Reassembly, script: string): string[] {
  return script.split(' ').map((word) => {
    if (word === '!') return reassembly.interrupt() ? 'interrupted' : 'control';
    const seq = Number.parseInt(word, 10);
    const result = reassembly.add(Uint8Array.of(seq), seq, word.endsWith('.'));
    if (result.kind === 'message') return toHex(result.data);
    return result.kind === 'broken' ? result.error.name : result.kind;
  });
}

describe('Reassembly (protocol §3.4)', () => {
  const table = [
    { title: 'hands out a single frame at once', script: '0. 1. 2.', expected: '00 01 02' },
    { title: 'joins two frames', script: '0 1. 2.', expected: 'fragment 0001 02' },
    { title: 'joins four frames', script: '5 6 7 8. 9.', expected: 'fragment fragment fragment 05060708 09' },
    {
      title: 'breaks at a fourth fragment, as the message would have five frames',
      script: '0 1 2 3 4. 5.',
      expected: 'fragment fragment fragment PayloadError fragment 05',
    },
    {
      title: 'passes over any number of fragments of a broken message',
      script: '0 1 2 3 4 5 6 7. 8 9.',
      expected: 'fragment fragment fragment PayloadError fragment fragment fragment fragment fragment 0809',
    },
    {
      title: 'breaks when a fragment is missing, and passes over the rest',
      script: '0 2 3. 4.',
      expected: 'fragment SequenceError fragment 04',
    },
    {
      title: 'breaks when the last but one is missing, with nothing left to pass over',
      script: '0 2. 3.',
      expected: 'fragment SequenceError 03',
    },
    {
      title: 'breaks when a fragment comes late',
      script: '1 0 2. 3.',
      expected: 'fragment SequenceError fragment 03',
    },
    {
      title: 'lets control frames pass between messages',
      script: '! 0. ! 1 2. !',
      expected: 'control 00 control fragment 0102 control',
    },
    {
      title: 'breaks at a control frame between fragments, and passes over the rest',
      script: '0 ! 2. 3.',
      expected: 'fragment interrupted fragment 03',
    },
    {
      title: 'reports a message that was interrupted twice only once',
      script: '0 ! ! 3 ! 5. 6.',
      expected: 'fragment interrupted control fragment control fragment 06',
    },
  ];
  for (const { title, script, expected } of table) {
    it(`${title}: ${script}`, () => {
      assert.deepEqual(run(new Reassembly(), script), expected.split(' '));
    });
  }

  it('names a control frame between fragments by its code', () => {
    const reassembly = new Reassembly();
    reassembly.add(Uint8Array.of(1), 0, false);
    assert.equal(reassembly.interrupt()?.code, 'USMP_CONTROL_IN_MESSAGE');
  });

  it('joins empty pieces, and a message of none but these is empty', () => {
    const reassembly = new Reassembly();
    const nothing = new Uint8Array(0);
    assert.deepEqual(reassembly.add(nothing, 0, false), { kind: 'fragment' });
    assert.deepEqual(reassembly.add(nothing, 1, true), { kind: 'message', data: nothing });
  });
});
