/**
 * The dialogs and the runtime judge alike: every notation goes through the check that a dialog makes of a field, and
 * through what the runtime makes of the same flow.
 */
import assert from 'node:assert/strict';
import { problemWith, problemWithLongestWait, type CheckedField } from '../../../nodes/editor/fields.js';
import { assessPsk } from '../../../nodes/editor/psk.js';
import { CHOICES, environmentName } from '../../../nodes/shared/dialog/rules.js';
import {
  gatewaySettings,
  pingInterval,
  readPsk,
  type ClientSettings,
} from '../../../nodes/shared/dialog/settings.js';
import {
  ArgumentError,
  PROTOCOLS,
  SUITES,
  USMPConnection,
  type ConnectionOptions,
  type PskFormat,
} from '../../../src/index.js';
import { toDeviceId } from '../../../src/wire/device-id.js';

const PSK = 'a key for the tests, long enough';
const KEY = '00112233445566778899aabbccddeeff';

interface Refusal {
  readonly field: string;
  readonly kind: string;
}

/** What the runtime takes, or what it refuses and why. */
function runtime(settings: Partial<ClientSettings>, psk = PSK): ConnectionOptions | Refusal {
  try {
    const place = { deviceId: '02:00:00:00:00:01' };
    const { pskFormat, ...others } = gatewaySettings({ host: 'gateway.local', ...settings }, place);
    const options = { ...others, psk: readPsk(psk, pskFormat).psk };
    new USMPConnection(options);
    return options;
  } catch (error) {
    assert.ok(error instanceof ArgumentError, String(error));
    assert.ok(psk === '' || !error.message.includes(psk), 'an error shows no key');
    return { field: error.field, kind: error.problem.kind };
  }
}

const isRefusal = (result: object): result is Refusal => 'kind' in result;

/** The same of a single field, by the dialog. */
function dialog(field: CheckedField, typed: string | number | undefined): Refusal | undefined {
  const problem = problemWith(field, typed);
  return problem && { field: problem.label ?? '', kind: problem.key.replace('usmp.invalid.', '') };
}

describe('a field of the config node', () => {
  const TAKEN: { field: CheckedField & keyof ClientSettings; typed: readonly (string | number)[] }[] = [
    {
      field: 'host',
      typed: [
        ...[
          'gateway.local',
          'gateway',
          'GATEWAY',
          '192.168.1.7',
          '::1',
          '[::1]',
          'fe80::1%eth0',
          '[fe80::1%eth0]',
        ],
        ...[
          '::',
          '2001:db8::9000',
          ' gateway.local ',
          'gateway.local\n',
          ' [::1] ',
          'gäste.example',
          'under_score',
        ],
      ],
    },
    { field: 'port', typed: ['1', '9000', '65535', ' 9000 ', '09000', '', '  ', 9000] },
    {
      field: 'deviceId',
      typed: [
        ...[
          'a4:cf:12:00:00:01',
          'A4:CF:12:00:00:01',
          'a4-cf-12-00-00-01',
          'A4-CF-12-00-00-01',
          'a4cf12000001',
        ],
        ...[
          'A4CF12000001',
          'a4cf.1200.0001',
          'A4CF.1200.0001',
          'a4cf:1200:0001',
          'a4 cf 12 00 00 01',
          ' a4:cf:12:00:00:01 ',
        ],
        ...['\ta4cf12000001\n', '', '  '],
      ],
    },
    { field: 'keepalive', typed: ['0', '30', '0.5', ' 30 ', '86400', '', 30, 0.5] },
    { field: 'connectTimeout', typed: ['0.1', '10', ''] },
    { field: 'handshakeTimeout', typed: ['0.1', '10', ''] },
    { field: 'retryMin', typed: ['0.1', '2', ''] },
    { field: 'retryMax', typed: ['2', '86400', ''] },
    { field: 'retryJitter', typed: ['0', '100', ''] },
    { field: 'outboxCount', typed: ['1', '1000000', ''] },
    { field: 'outboxSize', typed: ['1', '1048576', ''] },
    { field: 'outboxAge', typed: ['0', '0.5', '31622400', ''] },
    { field: 'rekeyAfter', typed: ['0', '0.5', '527040', ''] },
    { field: 'rekeyFrames', typed: ['0', '2147483648', ''] },
    { field: 'protocol', typed: ['tcp', 'udp', ''] },
    { field: 'suite', typed: ['aes-256-gcm', 'chacha20-poly1305', ''] },
    { field: 'pskFormat', typed: ['text', ''] },
  ];
  for (const { field, typed } of TAKEN) {
    for (const value of typed) {
      it(`${field} takes ${JSON.stringify(value)}, in the dialog and in the runtime`, () => {
        assert.equal(dialog(field, value), undefined);
        const result = runtime({ [field]: value });
        assert.ok(!isRefusal(result), JSON.stringify(result));
      });
    }
  }

  const NO_NUMBER = ['abc', '1e3', '0x10', '-1', '+1', '1,5', '.5', '5.', '1 000', 'Infinity', 'NaN', '٣'];
  const REFUSED: { field: CheckedField & keyof ClientSettings; kind: string; typed: readonly string[] }[] = [
    { field: 'host', kind: 'hostMissing', typed: ['', '  ', '\n'] },
    { field: 'host', kind: 'hostSpace', typed: ['two words', 'a\tb'] },
    { field: 'host', kind: 'hostScheme', typed: ['tcp://gateway', 'gateway/path', 'http://[::1]'] },
    {
      field: 'host',
      kind: 'hostPort',
      typed: ['gateway:9000', 'gateway:', ':9000', '[::1]:9000', '[::1', '[a]'],
    },
    { field: 'host', kind: 'host', typed: ['gate\0way', 'gate\u007fway'] },
    { field: 'port', kind: 'whole', typed: [...NO_NUMBER, '0', '65536', '9000.5', '99999999999999999999'] },
    {
      field: 'deviceId',
      kind: 'deviceId',
      typed: [
        ...[
          'a4:cf:12',
          'a4:cf:12:00:00:01:02',
          'a4:cf:12:00:00:0g',
          'a4cf1200000',
          'a4cf12000001ff',
          'device',
        ],
        ...['a4.cf.12.00.00.01', 'a4:cf:12:0:00:01', '0xa4cf12000001', 'a4  cf 12 00 00 01'],
      ],
    },
    { field: 'keepalive', kind: 'number', typed: [...NO_NUMBER, '86401'] },
    { field: 'connectTimeout', kind: 'number', typed: [...NO_NUMBER, '0', '0.05', '86401'] },
    { field: 'handshakeTimeout', kind: 'number', typed: [...NO_NUMBER, '0', '86401'] },
    { field: 'retryMin', kind: 'number', typed: [...NO_NUMBER, '0', '86401'] },
    { field: 'retryMax', kind: 'number', typed: [...NO_NUMBER, '0', '86401'] },
    { field: 'retryJitter', kind: 'whole', typed: [...NO_NUMBER, '101', '0.5'] },
    { field: 'outboxCount', kind: 'whole', typed: [...NO_NUMBER, '0', '1000001', '1.5'] },
    { field: 'outboxSize', kind: 'whole', typed: [...NO_NUMBER, '0', '1048577', '0.5'] },
    { field: 'outboxAge', kind: 'number', typed: [...NO_NUMBER, '31622401'] },
    { field: 'rekeyAfter', kind: 'number', typed: [...NO_NUMBER, '527041'] },
    { field: 'rekeyFrames', kind: 'whole', typed: [...NO_NUMBER, '2147483649', '0.5'] },
    { field: 'protocol', kind: 'choice', typed: ['sctp', 'TCP'] },
    { field: 'suite', kind: 'choice', typed: ['aes-128-gcm'] },
    { field: 'pskFormat', kind: 'choice', typed: ['rot13'] },
  ];
  for (const { field, kind, typed } of REFUSED) {
    for (const value of typed) {
      it(`${field} does not take ${JSON.stringify(value)}, in the dialog and in the runtime`, () => {
        assert.deepEqual(dialog(field, value), { field, kind });
        assert.deepEqual(runtime({ [field]: value }), { field, kind });
      });
    }
  }

  const FROM_ENVIRONMENT = ['${NAME}', '$(NAME)', '${a.b-c}'];
  const LITERAL = ['$NAME', '${}', '$()', '${two words}', 'x${NAME}', '${NAME}x', '{NAME}'];
  it('may come from the environment, in either notation, and in no other', () => {
    for (const typed of FROM_ENVIRONMENT) {
      assert.equal(environmentName(typed), typed.slice(2, -1));
      for (const { field } of TAKEN) {
        assert.equal(dialog(field, typed), undefined, field);
        const result = runtime({ [field]: typed });
        assert.ok(isRefusal(result) && result.field === field && result.kind.startsWith('environment'));
      }
    }
    for (const typed of LITERAL) {
      assert.equal(environmentName(typed), undefined, typed);
      for (const field of ['port', 'deviceId', 'keepalive'] as const) {
        assert.deepEqual(runtime({ [field]: typed }), dialog(field, typed), `${field}: ${typed}`);
      }
    }
  });

  it('means the same device and the same host, however it is written', () => {
    for (const { field, typed } of TAKEN) {
      for (const value of typed) {
        const result = runtime({ [field]: value });
        assert.ok(!isRefusal(result));
        if (field === 'deviceId' && String(value).trim() !== '') {
          assert.equal(Buffer.from(toDeviceId(result.deviceId)).toString('hex'), 'a4cf12000001');
        }
        if (field === 'host' && String(value).includes('::1'))
          assert.match(result.host, /^[^[\]]*::1[^[\]]*$/);
      }
    }
  });

  const waits: { retryMin: string; retryMax: string; refused: boolean }[] = [
    { retryMin: '2', retryMax: '60', refused: false },
    { retryMin: '5', retryMax: '5', refused: false },
    { retryMin: '100', retryMax: '', refused: false },
    { retryMin: '', retryMax: '1', refused: false },
    { retryMin: '10', retryMax: '5', refused: true },
    { retryMin: ' 10 ', retryMax: ' 9.5 ', refused: true },
  ];
  for (const { retryMin, retryMax, refused } of waits) {
    it(`${refused ? 'refuses' : 'takes'} a longest wait of "${retryMax}" after a first of "${retryMin}"`, () => {
      const problem = problemWithLongestWait(retryMin, retryMax);
      assert.equal(problem?.key, refused ? 'usmp.invalid.retryOrder' : undefined);
      const result = runtime({ retryMin, retryMax });
      assert.equal(isRefusal(result) ? result.kind : undefined, refused ? 'retryOrder' : undefined);
    });
  }

  it('is not told to be too short against a wait that is itself wrong, or not known yet', () => {
    for (const retryMin of ['abc', '${NAME}']) assert.equal(problemWithLongestWait(retryMin, '5'), undefined);
    assert.equal(problemWithLongestWait('10', '${NAME}'), undefined);
  });

  it('offers the protocols and suites that the engine has', () => {
    assert.deepEqual([CHOICES.protocol, CHOICES.suite], [PROTOCOLS, SUITES]);
  });
});

describe('a PSK', () => {
  const TABLE: { format: PskFormat; typed: string; kind?: string }[] = [
    { format: 'text', typed: 'correct horse battery' },
    { format: 'text', typed: ' correct horse battery\n' },
    { format: 'text', typed: 'ääääääää' },
    { format: 'text', typed: KEY },
    { format: 'text', typed: `hex:${KEY}` },
    { format: 'text', typed: `HEX:${KEY}` },
    { format: 'hex', typed: KEY },
    { format: 'hex', typed: KEY.toUpperCase() },
    { format: 'hex', typed: '00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff' },
    { format: 'hex', typed: ` ${KEY}\n` },
    { format: 'hex', typed: `hex:${KEY}` },
    { format: 'base64', typed: 'ABEiM0RVZneImaq7zN3u/w==' },
    { format: 'base64', typed: 'ABEiM0RVZneImaq7zN3u_w' },
    { format: 'base64', typed: `hex:${KEY}` },
    { format: 'text', typed: '', kind: 'pskMissing' },
    { format: 'hex', typed: '', kind: 'pskMissing' },
    { format: 'text', typed: ' '.repeat(20), kind: 'pskMissing' },
    { format: 'text', typed: 'fifteen letters', kind: 'pskShort' },
    { format: 'text', typed: 'hex:001122', kind: 'pskShort' },
    { format: 'text', typed: 'hex:correct horse battery', kind: 'pskHex' },
    { format: 'hex', typed: `${KEY}0`, kind: 'pskHex' },
    { format: 'hex', typed: `0x${KEY}`, kind: 'pskHex' },
    { format: 'hex', typed: '  ', kind: 'pskHex' },
    { format: 'hex', typed: KEY.slice(2), kind: 'pskShort' },
    { format: 'base64', typed: 'ABEiM0RVZneImaq7zN3u%w==', kind: 'pskBase64' },
    { format: 'base64', typed: 'ABEi==M0RVZneImaq7zN3u/w', kind: 'pskBase64' },
    { format: 'base64', typed: 'ABEiM0RVZneImaq7', kind: 'pskShort' },
  ];
  for (const { format, typed, kind } of TABLE) {
    it(`${kind ? 'is refused' : 'is taken'} as ${format} by both: ${JSON.stringify(typed)}`, () => {
      const verdict = assessPsk(typed, format);
      assert.equal(verdict.kind === 'error' ? verdict.text.key : undefined, kind && `usmp.invalid.${kind}`);
      const result = runtime({ pskFormat: format }, typed);
      assert.equal(isRefusal(result) ? result.kind : undefined, kind);
    });
  }

  const odd: { format: PskFormat; typed: string; key: string; otherFormat?: PskFormat }[] = [
    { format: 'text', typed: KEY, key: 'psk.looksHex', otherFormat: 'hex' },
    { format: 'base64', typed: KEY, key: 'psk.looksHex', otherFormat: 'hex' },
    { format: 'text', typed: 'ABEiM0RVZneImaq7zN3u/w==', key: 'psk.looksBase64', otherFormat: 'base64' },
    { format: 'text', typed: 'Tr0ub4dor and 3 others\n', key: 'psk.newline' },
    { format: 'text', typed: 'Tr0ub4dor and 3 others ', key: 'psk.space' },
    { format: 'text', typed: 'correct horse battery', key: 'psk.guessable' },
    { format: 'hex', typed: '00'.repeat(32), key: 'psk.guessable' },
  ];
  for (const { format, typed, key, otherFormat } of odd) {
    it(`is taken as ${format}, with a warning (${key}): ${JSON.stringify(typed)}`, () => {
      const verdict = assessPsk(typed, format);
      assert.equal(verdict.kind, 'warning');
      assert.equal(verdict.text.key, `usmp-client.${key}`);
      assert.equal(verdict.otherFormat, otherFormat);
      assert.ok(!isRefusal(runtime({ pskFormat: format }, typed)));
    });
  }

  it('may come from the environment, in either notation', () => {
    for (const typed of ['${NAME}', '$(NAME)']) {
      assert.equal(assessPsk(typed, 'hex').kind, 'info');
      assert.deepEqual(runtime({}, typed), { field: 'psk', kind: 'environment' });
    }
  });
});

describe('the interval of usmp ping', () => {
  const TABLE: { typed: string; isTaken: boolean }[] = [
    ...['', '0', '0.0', '1', '1.5', '86400', ' 30 '].map((typed) => ({ typed, isTaken: true })),
    ...['0.5', '86401', '-1', 'often', '1e3', '1,5'].map((typed) => ({ typed, isTaken: false })),
  ];
  for (const { typed, isTaken } of TABLE) {
    it(`${isTaken ? 'may' : 'may not'} be ${JSON.stringify(typed)}, in the dialog and in the runtime`, () => {
      assert.equal(dialog('interval', typed) === undefined, isTaken);
      if (isTaken) pingInterval(typed);
      else assert.throws(() => pingInterval(typed), { field: 'interval' });
    });
  }
});
