/** A gateway at the command line, with real devices on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { DEFAULT_SUITE, PROTOCOLS, SUITES, type ClientOptions, type USMPClient } from '../../../src/index.js';
import { command, type Running } from '../../support/command-line.js';
import { eventually, HOST, PSK, useLoopback, WRONG_PSK } from '../../support/loopback.js';

const DEVICE = 'a4:cf:12:00:00:01';
const OTHER = 'a4:cf:12:00:00:02';

describe('gateway', () => {
  const loopback = useLoopback();

  async function gateway(...argv: string[]): Promise<{ running: Running; port: number }> {
    const running = command(['gateway', '--host', HOST, '--port', '0', ...argv]);
    loopback.after(async () => {
      running.interrupt();
      await running.exit;
    });
    const [, port] = await running.wrote(/^listening on 127\.0\.0\.1:(\d+) over .*\n/);
    return { running, port: Number(port) };
  }

  async function device(port: number, options: Partial<ClientOptions> = {}): Promise<USMPClient> {
    const client = loopback.client(port, { deviceId: DEVICE, ...options });
    await client.connect();
    return client;
  }

  const listening: [string[], RegExp][] = [
    [[], /over TCP and UDP\n$/],
    [['--protocol', 'tcp'], /over TCP\n$/],
    [['--protocol', 'udp'], /over UDP\n$/],
  ];
  for (const [argv, over] of listening) {
    it(`tells where it listens: ${argv.join(' ') || 'both'}`, async () => {
      const { running } = await gateway(...argv);
      assert.match(running.stdout.text, over);
    });
  }

  for (const protocol of PROTOCOLS) {
    it(`tells of a device that comes, speaks and goes over ${protocol}`, async () => {
      const { running, port } = await gateway();
      const client = await device(port, { protocol });
      await client.send('{"t":21.5}');
      await client.send(Buffer.from('00ff', 'hex'));
      await running.wrote(/hex:/);
      await client.disconnect();
      await running.wrote(/is gone/);
      const [, ...lines] = running.stdout.text.trimEnd().split('\n');
      const expected = [
        new RegExp(`^14:03:07 ${DEVICE} is here, at 127\\.0\\.0\\.1:\\d+ over ${protocol.toUpperCase()}$`),
        new RegExp(`^14:03:07 ${DEVICE}: \\{"t":21\\.5\\}$`),
        new RegExp(`^14:03:07 ${DEVICE}: hex:00ff$`),
        new RegExp(`^14:03:07 ${DEVICE} is gone after \\d+ s: the device ended the session \\(BYE\\)$`),
      ];
      for (const [i, pattern] of expected.entries()) assert.match(lines[i]!, pattern);
      assert.equal(lines.length, expected.length);
      assert.equal(running.stderr.text, '');
    });
  }

  it('sends every message back when asked to', async () => {
    const { port } = await gateway('--echo');
    const client = await device(port);
    await client.send('on');
    assert.equal(String(await client.recv()), 'on');
  });

  it('sends nothing back otherwise: the next that comes is what is typed', async () => {
    const { running, port } = await gateway();
    const client = await device(port);
    await client.send('on');
    await running.wrote(/: on\n/);
    running.stdin.write('typed\n');
    assert.equal(String(await client.recv()), 'typed');
  });

  it('tells that one has another key', async () => {
    const { running, port } = await gateway();
    await assert.rejects(device(port, { psk: WRONG_PSK }));
    await running.wrote(new RegExp(`^14:03:07 refused ${DEVICE} at 127\\.0\\.0\\.1: .*another PSK.*\n`, 'm'));
    assert.ok(!running.stdout.text.includes(PSK) && !running.stdout.text.includes(WRONG_PSK));
  });

  it('tells of one that knocks, once, and lets in those that are named, in any notation', async () => {
    const { running, port } = await gateway('--device-id', 'A4-CF-12-00-00-01', '--device-id', OTHER);
    await device(port);
    await device(port, { deviceId: OTHER });
    await assert.rejects(device(port, { deviceId: '02:00:00:00:00:03' }));
    await running.wrote(/^14:03:07 02:00:00:00:00:03 knocks from 127\.0\.0\.1, and is not let in: .*\n/m);
    assert.doesNotMatch(running.stdout.text, /refused/);
  });

  for (const suite of SUITES.filter((each) => each !== DEFAULT_SUITE)) {
    it(`talks ${suite} when told to`, async () => {
      const { port } = await gateway('--suite', suite, '--echo');
      const client = await device(port, { suite });
      await client.send('on');
      assert.equal(String(await client.recv()), 'on');
    });
  }

  describe('with lines that are typed', () => {
    it('sends them to all that are here', async () => {
      const { running, port } = await gateway();
      const clients = [await device(port), await device(port, { deviceId: OTHER, protocol: 'udp' })];
      await running.wrote(new RegExp(`${OTHER} is here`));
      running.stdin.write('to\tall \r\n\n');
      for (const client of clients) assert.equal(String(await client.recv()), 'to\tall ');
      running.stdin.write('and again\n');
      for (const client of clients) assert.equal(String(await client.recv()), 'and again');
    });

    for (const written of [DEVICE, 'A4-CF-12-00-00-01', 'a4cf12000001', 'a4cf.1200.0001']) {
      it(`sends them to the one that they name: ${written}`, async () => {
        const { running, port } = await gateway();
        const [client, other] = [await device(port), await device(port, { deviceId: OTHER })];
        await running.wrote(new RegExp(`${OTHER} is here`));
        running.stdin.write(`${written}: to one: you\nto all\n`);
        assert.equal(String(await client.recv()), 'to one: you');
        assert.equal(String(await other.recv()), 'to all');
      });
    }

    it('leaves bytes as they are', async () => {
      const { running, port } = await gateway();
      const client = await device(port);
      running.stdin.write(Buffer.from(`${DEVICE}:\xff\x00\n`, 'latin1'));
      assert.equal((await client.recv()).toString('latin1'), '\xff\x00');
    });

    it('takes what begins as an address, and is none, as text', async () => {
      const { running, port } = await gateway();
      const client = await device(port);
      running.stdin.write('a4:cf:12:00:00: x\n');
      assert.equal(String(await client.recv()), 'a4:cf:12:00:00: x');
    });

    it('has them wait for a device that is away', async () => {
      const { running, port } = await gateway();
      running.stdin.write(`${DEVICE}: later\n`);
      await running.wrote(new RegExp(`^${DEVICE} is not here: the message waits for it\n$`, 'm'));
      const client = await device(port);
      assert.equal(String(await client.recv()), 'later');
    });

    it('tells what a device did not get when it ends, in words that are about a device', async () => {
      const { running } = await gateway();
      running.stdin.write(`${DEVICE}: later\n`);
      await running.wrote(/the message waits/);
      running.interrupt();
      await running.exit;
      const [, last] = running.stderr.text.split('\n');
      assert.match(last!, new RegExp(`^not delivered to ${DEVICE}: .`));
      assert.doesNotMatch(last!, /gateway/);
    });

    it('tells what nobody will get', async () => {
      const { running, port } = await gateway();
      running.stdin.write('on\n');
      await running.wrote(/^not sent: no device is here\n/m);
      const client = await device(port);
      running.stdin.write(`${'x'.repeat(1_809)}\n${DEVICE}: ${'x'.repeat(1_809)}\n${'x'.repeat(9_999)}\n`);
      const told = /(not sent: the message has 1809 bytes; .* 1808\n){2}not sent: .* has over 1808 bytes;/;
      await running.wrote(told);
      running.stdin.write(`${DEVICE}: ${'y'.repeat(1_808)}\n`);
      assert.equal(String(await client.recv()), 'y'.repeat(1_808));
    });

    it('goes on when there are no more', async () => {
      const { running, port } = await gateway('--echo');
      running.stdin.end('on');
      await once(running.stdin, 'end');
      const client = await device(port);
      await client.send('still here');
      assert.equal(String(await client.recv()), 'still here');
    });

    it('goes on when they cannot be read', async () => {
      const { running, port } = await gateway();
      running.stdin.destroy(new Error('EIO'));
      await running.wrote(/^standard input cannot be read any more: EIO\n/m);
      await device(port);
    });
  });

  it('has devices wait while nobody takes what it writes', async () => {
    const { running, port } = await gateway();
    running.stdout.holdUp();
    const client = await device(port);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 600; sent++) await client.send(Buffer.alloc(1_800, 'x'));
    })();
    await eventually(() => running.stdout.writableNeedDrain);
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    // A second one may be under way when the first fills it.
    assert.ok(running.stdout.writableLength < 3 * 1_900, `${running.stdout.writableLength} bytes wait`);
    running.stdout.goOn();
    await sending;
    await eventually(() => running.stdout.text.split(': xxx').length === 601);
    assert.equal(running.stdout.text.split(': xxx').length, 601);
  });

  it('says BYE when the user ends it, and ends well', async () => {
    const { running, port } = await gateway();
    const client = await device(port);
    const closed = once(client, 'close');
    await running.wrote(/is here/);
    running.interrupt();
    const [[reason]] = await Promise.all([closed, running.exit]);
    assert.equal((reason as { code: string }).code, 'USMP_BYE');
    assert.equal(await running.exit, 0);
    assert.match(running.stdout.text, /is gone after \d+ s: closed from here\n$/);
    assert.equal(running.stderr.text, '');
  });

  const bad: [string[], number, RegExp][] = [
    [['--port', '70000'], 2, /: port: needs a whole number from 0 to 65535\n/],
    [['--protocol', 'sctp'], 2, /: --protocol: needs one of tcp, udp, both\n/],
    [['--suite', 'rot13'], 2, /: --suite: needs one of/],
    [['--device-id', 'pump'], 2, /: --device-id: needs 12 hex digits/],
    [['--host', 'a b'], 2, /: host: must not contain spaces\n/],
    [['my key'], 2, /: gateway takes options only\n/],
    [
      ['--host', '192.0.2.1', '--port', '0'],
      1,
      /: cannot listen on TCP port 0 on 192\.0\.2\.1 \(EADDRNOTAVAIL\)\n$/,
    ],
  ];
  for (const [argv, exit, why] of bad) {
    it(`does not begin: ${argv.join(' ')}`, async () => {
      const ended = await command(['gateway', ...argv]).ended();
      assert.match(ended.err, why);
      assert.equal(ended.exit, exit);
      assert.equal(ended.out, '');
    });
  }

  it('does not begin when its port is taken', async () => {
    const { port } = await gateway();
    const { exit, err } = await command(['gateway', '--host', HOST, '--port', String(port)]).ended();
    assert.match(err, /: TCP port \d+ on 127\.0\.0\.1 is taken by another program: choose another port/);
    assert.equal(exit, 1);
  });
});
