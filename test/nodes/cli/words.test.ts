/** What the command line says, and how it shows messages. */
import assert from 'node:assert/strict';
import {
  asFailure,
  clockTime,
  explained,
  plural,
  shown,
  textIn,
  translate,
} from '../../../nodes/cli/words.js';
import { Failure } from '../../../nodes/cli/world.js';
import { ArgumentError, ERROR_CODES, type ErrorCode, type ErrorRow } from '../../../src/index.js';
import { errorOf } from '../../support/errors.js';
import { textsOf } from '../../support/texts.js';

const english = textsOf('en-US');

describe('the words of the command line', () => {
  it('are those of the nodes', () => {
    const error = errorOf('USMP_CONNECTION_REFUSED');
    const words = (key: string): string => english(`usmp.${key}.USMP_CONNECTION_REFUSED`);
    assert.equal(explained(error), `${words('reason')}. ${words('advice')}`);
    assert.match(explained(errorOf('USMP_NO_ANSWER'), 'udp'), /UDP is blocked/);
  });

  it('are those of the engine where only a gateway comes upon it', () => {
    assert.equal(explained(errorOf('USMP_PORT_IN_USE', 'it is taken')), 'it is taken');
  });

  it('are there for every error, and send nobody to a dialog or to Node-RED', () => {
    for (const [code, { client }] of Object.entries(ERROR_CODES) as [ErrorCode, ErrorRow][]) {
      if (client === false || code === 'USMP_ARGUMENT') continue;
      const text = explained(errorOf(code));
      assert.doesNotMatch(text, /Node-RED|\b(?:tab|field|flow|dialog)s?\b|reason\.|advice\./i, code);
    }
  });

  const settings = ['host', 'port', 'protocol', 'suite', 'deviceId', 'psk', 'pskFormat', 'delivery'];
  for (const field of [...settings, 'outboxAge', 'count', 'interval', 'bytes', 'format']) {
    it(`call the setting ${field} by its option`, () => {
      const error = new ArgumentError(field, 'x', { kind: 'whole', values: { min: 1, max: 2 } });
      const text = explained(error);
      assert.match(text, /^(?:--[a-z-]+|host|port|PSK): needs a whole number from 1 to 2$/);
    });
  }

  const kinds = ['number', 'whole', 'choice', 'host', 'hostMissing', 'hostSpace', 'hostScheme', 'hostPort'];
  for (const kind of [...kinds, 'deviceId', 'pskMissing', 'pskHex', 'pskBase64', 'pskShort']) {
    it(`send nobody to a dialog when it is ${kind}`, () => {
      const text = explained(new ArgumentError('host', 'x', { kind }));
      assert.doesNotMatch(text, /Node-RED|\b(?:tab|field|flow|dialog)s?\b|invalid\./i);
    });
  }

  it('leave a placeholder without a value, and a key without a text, as they are', () => {
    assert.equal(
      translate('error.tooLong', { size: 5 }),
      'the message has 5 bytes; USMP carries at most __max__',
    );
    assert.equal(translate('no.such.key'), 'no.such.key');
    assert.equal(translate('error'), 'error');
    assert.equal(translate('constructor.name'), 'constructor.name');
  });

  it('make a failure of an error of the engine, and leave others', () => {
    assert.deepEqual(asFailure(errorOf('USMP_LOST')), new Failure('connection lost'));
    const other = new TypeError('a bug');
    assert.equal(asFailure(other), other);
  });

  it('count and tell the time', () => {
    assert.deepEqual([plural(0, 'byte'), plural(1, 'byte')], ['0 bytes', '1 byte']);
    assert.equal(clockTime(new Date(2026, 0, 2, 3, 4, 5)), '03:04:05');
  });
});

describe('a message on a line', () => {
  const table: [string | Buffer, string][] = [
    ['on', 'on'],
    ['', ''],
    ['{"t":21.5}', '{"t":21.5}'],
    ['Grüße 🌡', 'Grüße 🌡'],
    ['a\nb\r\n\tc', 'a\\nb\\r\\n\\tc'],
    [Buffer.from('00ff', 'hex'), 'hex:00ff'],
    [Buffer.from('c328', 'hex'), 'hex:c328'],
    ['\x1b[2J', 'hex:1b5b324a'],
    ['a\x00', 'hex:6100'],
    ['\x9b2J', 'hex:c29b324a'],
    ['a\u2028b', 'hex:61e280a862'],
  ];
  for (const [message, line] of table) {
    it(`is ${line} for ${JSON.stringify(String(message))}`, () => {
      assert.equal(shown(Buffer.from(message as string)), line);
    });
  }

  it('is text only where it is UTF-8, of which nothing is left out', () => {
    assert.equal(textIn(Buffer.from('c328', 'hex')), undefined);
    assert.equal(textIn(Buffer.from('\ufeffa')), '\ufeffa');
  });
});
