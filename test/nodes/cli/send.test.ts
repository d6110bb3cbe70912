/** Messages from the command line to a real gateway on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PROTOCOLS, type ServerOptions, type USMPServer } from '../../../src/index.js';
import { command, Keyboard, type Running } from '../../support/command-line.js';
import { eventually, HOST, useLoopback, WRONG_PSK } from '../../support/loopback.js';

describe('send', () => {
  const loopback = useLoopback();

  async function gateway(
    options: Partial<ServerOptions> = {},
  ): Promise<{ server: USMPServer; got: Buffer[]; at: string }> {
    const server = await loopback.serve(options);
    const got: Buffer[] = [];
    server.on('session', (session) => session.on('message', (message) => got.push(message)));
    return { server, got, at: `${HOST}:${server.port!}` };
  }

  /** A command that the test may leave behind. */
  function start(...args: Parameters<typeof command>): Running {
    const running = command(...args);
    loopback.after(async () => {
      running.interrupt();
      await running.exit;
    });
    return running;
  }

  for (const protocol of PROTOCOLS) {
    for (const [delivery, what] of [
      ['confirmed', 'delivered'],
      ['sent', 'sent'],
    ] as const) {
      it(`delivers the words behind the gateway, over ${protocol}, ${delivery}`, async () => {
        const { got, at } = await gateway({ protocol });
        const argv = ['send', at, '--protocol', protocol, 'pump', '--delivery', delivery, '--', '-5'];
        assert.deepEqual(await command(argv).ended(), {
          exit: 0,
          out: `${what} 1 message to ${protocol}://${at}\n`,
          err: '',
        });
        await eventually(() => got.length > 0);
        assert.deepEqual(got.map(String), ['pump -5']);
      });
    }
  }

  it('delivers each line of standard input, but empty ones', async () => {
    const { got, at } = await gateway();
    const { exit, out } = await command(['send', at], { input: 'a\n\nb \r\nc\xff' }).ended();
    assert.deepEqual([exit, out], [0, `delivered 3 messages to tcp://${at}\n`]);
    assert.deepEqual(got.map(String), ['a', 'b ', 'cÿ']);
  });

  it('delivers more lines than are under way at once, in order', async () => {
    const { got, at } = await gateway();
    const lines = Array.from({ length: 1_500 }, (_, i) => `line ${i}`);
    assert.equal(await command(['send', at], { input: lines.join('\n') }).exit, 0);
    assert.deepEqual(got.map(String), lines);
  });

  it('delivers a line while the next is not typed yet', async () => {
    const { got, at } = await gateway();
    const running = start(['send', at], { isTTY: true });
    assert.match(running.stderr.text, /^$/);
    running.stdin.write('first\n');
    await eventually(() => got.length === 1);
    assert.deepEqual(got.map(String), ['first']);
    assert.equal(running.stderr.text, 'type messages, each on a line of its own; Ctrl-D ends\n');
    running.stdin.end('second');
    assert.equal(await running.exit, 0);
    assert.deepEqual(got.map(String), ['first', 'second']);
  });

  it('asks for the key at a terminal before it takes lines', async () => {
    const { got, at } = await gateway({ psk: 'typed at a terminal' });
    const running = start(['send', at], { env: {}, isTTY: true });
    await running.wrote(/PSK \(it is not shown\):/);
    running.stdin.end('typed at a terminal\rfirst\nsecond\n');
    assert.equal(await running.exit, 0);
    assert.deepEqual(got.map(String), ['first', 'second']);
  });

  for (const bytes of [Buffer.alloc(0), Buffer.from('a\nb\x00\xff\n', 'latin1'), Buffer.alloc(1_808, 0x0a)]) {
    it(`delivers all of standard input as one message of ${bytes.length} bytes`, async () => {
      const { got, at } = await gateway();
      assert.equal(await command(['send', at, '--binary'], { input: bytes }).exit, 0);
      assert.deepEqual(got, [bytes]);
    });
  }

  it('does not send the part of a message that is too long, however its pieces come', async () => {
    const { at, got } = await gateway();
    const stdin = new Keyboard();
    stdin.write(Buffer.alloc(1_808, 'x'));
    const running = start(['send', at, '--binary'], { stdin });
    await eventually(() => stdin.readableLength === 0);
    stdin.end('y');
    const { exit, err } = await running.ended();
    assert.match(err, /has over 1808 bytes/);
    assert.deepEqual([exit, got], [1, []]);
  });

  it('goes on over a session that ends, and delivers all', async () => {
    const { server, got, at } = await gateway();
    const running = start(['send', at]);
    running.stdin.write('before\n');
    await eventually(() => got.length === 1);
    await [...server.sessions.values()][0]!.bye();
    running.stdin.end('after\n');
    assert.equal(await running.exit, 0);
    assert.deepEqual(got.map(String), ['before', 'after']);
  });

  it('gives up a message that is not delivered in time, and reads no more', async () => {
    const { server, at } = await gateway();
    const running = start(['send', at, '--timeout', '0.2'], { isTTY: true });
    await running.wrote(/^type messages/); // the session is there
    await server.close();
    running.stdin.write('\nlate\n'); // and the input stays open
    const { exit, out, err } = await running.ended();
    assert.match(err, /: line 2: message waited too long\. .*--timeout/);
    assert.deepEqual([exit, out], [1, '']);
  });

  it('can be called as the one device that may come in', async () => {
    const { at } = await gateway({ psk: { 'a4:cf:12:00:00:01': 'a key of its own, long enough' } });
    const env = { USMP_PSK: 'a key of its own, long enough' };
    assert.equal(await command(['send', at, 'x', '--device-id', 'A4CF12000001'], { env }).exit, 0);
  });

  const long = 'x'.repeat(1_809);
  const refused: { argv?: string[]; input?: string; exit: number; err: RegExp; got?: string[] }[] = [
    { argv: [long], exit: 1, err: /: the message has 1809 bytes; USMP carries at most 1808\n$/ },
    { argv: ['--binary'], input: long, exit: 1, err: /has over 1808 bytes/ },
    {
      ...{ input: `a\nb\n${long}\nc\n`, exit: 1, got: ['a', 'b'] },
      err: /: line 3: the message has over 1808 bytes; USMP carries at most 1808\n$/,
    },
    { input: '', exit: 2, err: /: there is no message: give one behind the gateway, or on standard input\n/ },
    { input: '\n\n', exit: 2, err: /there is no message/ },
    { argv: ['a', '--binary'], input: 'b', exit: 2, err: /: --binary takes the message from standard input/ },
    { argv: ['a', '--delivery', 'soon'], exit: 2, err: /: --delivery: needs one of confirmed, sent\n/ },
    { argv: ['a', '--timeout', 'x'], exit: 2, err: /: --timeout: needs a number from 0 to / },
    { argv: ['a', '--wait'], exit: 2, err: /: unknown option --wait: send has --delivery, --binary, / },
  ];
  for (const { argv = [], input = '', exit, err, got: expected = [] } of refused) {
    const what = [...argv, JSON.stringify(input)].map((each) => each.replace(/x{9,}/, 'xxx…')).join(' ');
    it(`refuses ${what}`, async () => {
      const { at, got } = await gateway();
      const ended = await command(['send', at, ...argv], { input }).ended();
      assert.match(ended.err, err);
      assert.deepEqual([ended.exit, ended.out], [exit, '']);
      assert.deepEqual(got.map(String), expected);
    });
  }

  it('says in words that the key is wrong, and shows neither', async () => {
    const { at } = await gateway();
    const ended = await command(['send', at, 'x'], { env: { USMP_PSK: WRONG_PSK } }).ended();
    assert.match(
      ended.err,
      /^node-red-contrib-usmp: PSK rejected\. Check the PSK, its format and the device ID/,
    );
    assert.ok(!ended.err.includes(WRONG_PSK));
    assert.deepEqual([ended.exit, ended.out], [1, '']);
  });

  it('says in words that nothing is there', async () => {
    const ended = await command(['send', `${HOST}:${await loopback.freePort()}`, 'x']).ended();
    assert.match(
      ended.err,
      /^node-red-contrib-usmp: connection refused\. The host is there, but nothing listens/,
    );
    assert.equal(ended.exit, 1);
  });

  it('says in words that the host has no address', async () => {
    const ended = await command(['send', 'no.such.host.invalid', 'x']).ended();
    assert.match(ended.err, /: host not found\. Check the spelling of the host\. .* on this machine/);
    assert.equal(ended.exit, 1);
  });

  it('ends in failure, with no word, when the user ends it: while it connects, while it sends, while it reads', async () => {
    const silent = await loopback.tcpProgram(() => undefined);
    const connecting = start(['send', `${HOST}:${silent}`, 'x']);
    const { server, at, got } = await gateway();
    const reading = start(['send', at]);
    reading.stdin.write('a\n');
    await eventually(() => got.length === 1);
    const sending = start(['send', at, '--timeout', '0']);
    sending.stdin.write('b\n');
    await eventually(() => got.length === 2);
    await server.close();
    sending.stdin.write('c\n');
    for (const running of [connecting, reading, sending]) {
      running.interrupt();
      const ended = await running.ended();
      assert.deepEqual(ended, { exit: 1, out: '', err: '' });
    }
  });

  it('fails when standard input does', async () => {
    const { at, server } = await gateway();
    const stdin = new Keyboard();
    const running = start(['send', at], { stdin });
    await once(server, 'session');
    stdin.destroy(new Error('EIO'));
    const { exit, err } = await running.ended();
    assert.match(err, /EIO/);
    assert.equal(exit, 1);
  });
});
