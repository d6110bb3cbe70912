import assert from 'node:assert/strict';
import { createCookies } from '../../src/handshake/cookie.js';
import { flipBit } from '../support/hex.js';
import { seededRandom } from '../support/random.js';

const ADDRESS = '192.0.2.7';
const PORT = 51_234;
/** The start of a bucket of 30 s. */
const START = 30_000 * 1000;

describe('cookies (protocol §2.5)', () => {
  const cookies = createCookies(seededRandom(1));

  const table = [
    { issued: START, asked: START, accepted: true, when: 'at once' },
    { issued: START, asked: START + 29_999, accepted: true, when: 'at the end of their bucket' },
    { issued: START, asked: START + 30_000, accepted: true, when: 'at the start of the next' },
    { issued: START, asked: START + 59_999, accepted: true, when: 'at the end of the next' },
    {
      issued: START + 29_999,
      asked: START + 59_999,
      accepted: true,
      when: 'at the end of the next, issued late',
    },
    { issued: START, asked: START + 60_000, accepted: false, when: 'in the bucket after' },
    {
      issued: START + 29_999,
      asked: START + 60_000,
      accepted: false,
      when: 'in the bucket after, issued late',
    },
    { issued: START, asked: START - 1, accepted: false, when: 'before they were issued' },
  ];
  for (const { issued, asked, accepted, when } of table) {
    it(`are ${accepted ? 'accepted' : 'refused'} ${when}`, () => {
      const cookie = cookies.issue(ADDRESS, PORT, issued);
      assert.equal(cookie.length, 16);
      assert.equal(cookies.accepts(cookie, ADDRESS, PORT, asked), accepted);
    });
  }

  const elsewhere = [
    { from: 'another address', address: '192.0.2.8', port: PORT },
    { from: 'another port', address: ADDRESS, port: PORT + 1 },
    // Written one after the other without a mark between them, these two would be the same.
    { from: 'an address and port of the same digits', address: '192.0.2.75', port: 1_234 },
  ];
  for (const { from, address, port } of elsewhere) {
    it(`are refused from ${from}`, () => {
      assert.equal(cookies.accepts(cookies.issue(ADDRESS, PORT, START), address, port, START), false);
    });
  }

  it('are refused with any one bit turned over', () => {
    const cookie = cookies.issue(ADDRESS, PORT, START);
    for (let bit = 0; bit < 128; bit++) {
      assert.equal(cookies.accepts(flipBit(cookie, bit), ADDRESS, PORT, START), false, `bit ${bit}`);
    }
  });

  it('are refused when they are too short or too long, without throwing', () => {
    const cookie = cookies.issue(ADDRESS, PORT, START);
    for (const other of [new Uint8Array(0), cookie.subarray(1), new Uint8Array(17)]) {
      assert.equal(cookies.accepts(other, ADDRESS, PORT, START), false);
    }
  });

  it('of one server are refused by another', () => {
    const other = createCookies(seededRandom(2));
    assert.equal(other.accepts(cookies.issue(ADDRESS, PORT, START), ADDRESS, PORT, START), false);
  });

  it('work from the time zero on, where there is no bucket before', () => {
    assert.equal(cookies.accepts(cookies.issue(ADDRESS, PORT, 0), ADDRESS, PORT, 0), true);
  });
});
