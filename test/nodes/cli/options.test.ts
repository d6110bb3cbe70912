/** What several commands are told alike. */
import assert from 'node:assert/strict';
import { Given } from '../../../nodes/cli/arguments.js';
import { gatewayOf, gatewayOnly, targetOf, within } from '../../../nodes/cli/options.js';
import { UsageError } from '../../../nodes/cli/world.js';
import { USMPClient } from '../../../src/index.js';
import { command } from '../../support/command-line.js';
import { PSK } from '../../support/loopback.js';

describe('a gateway', () => {
  const good: [string, string][] = [
    ['gw.local', 'tcp://gw.local:9000'],
    ['gw.local:9001', 'tcp://gw.local:9001'],
    ['192.168.1.10:80', 'tcp://192.168.1.10:80'],
    ['fe80::1', 'tcp://[fe80::1]:9000'],
    ['[fe80::1]', 'tcp://[fe80::1]:9000'],
    ['[fe80::1%eth0]:9001', 'tcp://[fe80::1%eth0]:9001'],
  ];
  for (const [text, url] of good) {
    it(`is ${url} for ${text}`, () => {
      assert.equal(new USMPClient({ ...targetOf(text), psk: PSK }).url, url);
    });
  }

  const bad: [string, string, string][] = [
    ['gw:', 'port', 'whole'],
    ['gw:x', 'port', 'whole'],
    ['gw:0', 'port', 'whole'],
    ['gw:65536', 'port', 'whole'],
    ['gw:90.5', 'port', 'whole'],
    [':9000', 'host', 'hostMissing'],
    ['tcp://gw', 'host', 'hostScheme'],
    ['tcp://gw:9000', 'host', 'hostScheme'],
    ['[fe80::1]x', 'host', 'hostPort'],
    ['a b', 'host', 'hostSpace'],
  ];
  for (const [text, field, kind] of bad) {
    it(`is not ${text}`, () => {
      assert.throws(
        () => new USMPClient({ ...targetOf(text), psk: PSK }),
        (error: { field: string; problem: { kind: string } }) =>
          error.field === field && error.problem.kind === kind,
      );
    });
  }

  it('has to be there', () => {
    for (const operands of [[], ['']]) {
      assert.throws(
        () => gatewayOf(new Given(new Map(), operands)),
        /the gateway is missing: host or host:port/,
      );
    }
  });

  it('is all there is, where no message follows; what else there is may be a key, and is not shown', () => {
    assert.equal(gatewayOnly(new Given(new Map(), ['gw'])), 'gw');
    assert.throws(
      () => gatewayOnly(new Given(new Map(), ['gw', 'my key'])),
      new UsageError('there is something behind the gateway that belongs nowhere'),
    );
  });
});

describe('a number', () => {
  const range = { standard: 4, min: 1, max: 9 };
  const given = (text?: string): Given =>
    new Given(new Map(text === undefined ? [] : [['count', [text]]]), []);

  it('is the standard one unless it is given', () => {
    assert.equal(within(range, 'count', given()), 4);
    for (const text of ['1', '9', '2.5']) assert.equal(within(range, 'count', given(text)), Number(text));
  });

  for (const text of ['0', '9.1', '10', '-1', 'x', '']) {
    it(`is refused: ${text || 'none'}`, () => {
      const problem = { kind: 'number', values: { min: 1, max: 9 } };
      assert.throws(() => within(range, 'count', given(text)), { field: 'count', problem });
    });
  }

  it('is whole where it has to be', () => {
    const problem = { kind: 'whole', values: { min: 1, max: 9 } };
    assert.throws(() => within({ ...range, isWhole: true }, 'count', given('2.5')), {
      field: 'count',
      problem,
    });
  });
});

describe('options that cannot be', () => {
  const table: [string[], string][] = [
    [['--protocol', 'sctp'], '--protocol: needs one of tcp, udp'],
    [['--suite', 'rot13'], '--suite: needs one of aes-256-gcm, chacha20-poly1305'],
    [['--device-id', 'pump'], '--device-id: needs 12 hex digits such as a4:cf:12:00:00:01, or nothing'],
  ];
  for (const [argv, why] of table) {
    for (const name of ['send', 'listen', 'ping']) {
      it(`are told before anything is sent: ${name} ${argv.join(' ')}`, async () => {
        const { exit, err } = await command([name, 'gw.invalid', ...argv], { input: '' }).ended();
        assert.equal(err, `node-red-contrib-usmp: ${why}\nSee node-red-contrib-usmp ${name} --help\n`);
        assert.equal(exit, 2);
      });
    }
  }
});
