import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { formatDeviceId, toDeviceId } from '../../src/wire/device-id.js';
import { hex } from '../support/hex.js';

const ID = hex('a4cf1200000b');

describe('toDeviceId', () => {
  const notations = [
    ...['a4:cf:12:00:00:0b', 'A4:CF:12:00:00:0B', 'a4-cf-12-00-00-0b', 'A4-CF-12-00-00-0B', 'a4cf1200000b'],
    ...['A4CF1200000B', 'a4cf.1200.000b', 'a4 cf 12 00 00 0b', ' a4:cf:12:00:00:0b', 'a4:cf:12:00:00:0b\n'],
  ];
  for (const written of notations) {
    it(`reads ${JSON.stringify(written)}`, () => {
      assert.deepEqual(toDeviceId(written), ID);
    });
  }

  it('takes six bytes as they are, as a copy', () => {
    const given = Uint8Array.from(ID);
    const taken = toDeviceId(given);
    given.fill(0);
    assert.deepEqual(taken, ID);
    assert.deepEqual(toDeviceId(Buffer.from(ID)), ID);
  });

  it('takes six bytes of another realm, as a Function node has them', () => {
    assert.deepEqual(toDeviceId(runInNewContext('Uint8Array.of(0xa4, 0xcf, 0x12, 0, 0, 0x0b)')), ID);
  });

  const refused = [
    { why: 'no text', value: '' },
    { why: 'five pairs', value: 'a4:cf:12:00:00' },
    { why: 'seven pairs', value: 'a4:cf:12:00:00:01:02' },
    { why: 'a digit that is none', value: 'a4:cf:12:00:00:0g' },
    { why: 'a digit alone', value: 'a4:cf:12:0:00:01' },
    { why: 'two colons', value: 'a4::cf:12:00:00:01' },
    { why: 'a colon at the end', value: 'a4:cf:12:00:00:01:' },
    { why: 'two spaces', value: 'a4  cf 12 00 00 01' },
    { why: 'a dot between pairs', value: 'a4.cf.12.00.00.01' },
    { why: 'a dot too few', value: 'a4cf.12000001' },
    { why: 'five bytes', value: new Uint8Array(5) },
    { why: 'seven bytes', value: new Uint8Array(7) },
    { why: 'six elements that are wider', value: new Uint16Array(6) },
    { why: 'a number', value: 7 },
    { why: 'null', value: null },
    { why: 'nothing', value: undefined },
    { why: 'an object', value: {} },
  ];
  for (const { why, value } of refused) {
    it(`refuses ${why}, naming deviceId`, () => {
      assert.throws(() => toDeviceId(value), { name: 'ArgumentError', field: 'deviceId', fault: 'local' });
    });
  }

  it('does not repeat a text that it refuses, which could be a key', () => {
    assert.throws(() => toDeviceId('hunter2hunter2hunter2'), /got text of 21 characters$/);
  });
});

describe('formatDeviceId', () => {
  it('writes six lower-case pairs with colons', () => {
    assert.equal(formatDeviceId(ID), 'a4:cf:12:00:00:0b');
  });
});
