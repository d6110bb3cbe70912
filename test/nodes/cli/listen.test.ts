/** What a real gateway on loopback sends, at the command line. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PROTOCOLS, type ServerOptions, type ServerSession, type USMPServer } from '../../../src/index.js';
import { command, type Running } from '../../support/command-line.js';
import { eventually, HOST, useLoopback, WRONG_PSK } from '../../support/loopback.js';

describe('listen', () => {
  const loopback = useLoopback();

  function listen(port: number, ...argv: string[]): Running {
    const running = command(['listen', `${HOST}:${port}`, ...argv]);
    loopback.after(async () => {
      running.interrupt();
      await running.exit;
    });
    return running;
  }

  async function heard(
    argv: string[] = [],
    options: Partial<ServerOptions> = {},
  ): Promise<{ server: USMPServer; session: ServerSession; running: Running }> {
    const server = await loopback.serve(options);
    const arrived = once(server, 'session') as Promise<[ServerSession]>;
    const running = listen(server.port!, ...argv);
    const [session] = await arrived;
    return { server, session, running };
  }

  for (const protocol of PROTOCOLS) {
    it(`prints each message on a line, over ${protocol}`, async () => {
      const { server, session, running } = await heard(['--protocol', protocol], { protocol });
      for (const message of ['on', 'a\nb', Buffer.from('00ff', 'hex'), 'end']) await session.send(message);
      await running.wrote(/^end\n/m);
      assert.equal(running.stdout.text, 'on\na\\nb\nhex:00ff\nend\n');
      assert.equal(running.stderr.text, `connected to ${protocol}://${HOST}:${server.port!}\n`);
    });
  }

  it('prints each message as JSON', async () => {
    const { session, running } = await heard(['--json']);
    for (const message of ['a\nb', Buffer.from('00ff', 'hex')]) await session.send(message);
    await running.wrote(/base64/);
    const { sessionId } = session;
    const time = new Date(2026, 10, 25, 14, 3, 7).toISOString();
    assert.deepEqual(
      running.stdout.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      [
        { time, sessionId, text: 'a\nb' },
        { time, sessionId, base64: 'AP8=' },
      ],
    );
  });

  it('opens the session again when it ends, and tells why it was away', async () => {
    const { server, session, running } = await heard();
    await running.wrote(/connected/);
    const arrived = once(server, 'session') as Promise<[ServerSession]>;
    await session.bye();
    const [next] = await arrived;
    await next.send('again');
    await running.wrote(/^again\n/m);
    const at = `tcp://${HOST}:${server.port!}`;
    assert.match(
      running.stderr.text,
      new RegExp(
        `^connected to ${at}\nnot connected to ${at}, next try in 2 s: gateway said goodbye\n(connected to ${at}\n)?$`,
      ),
    );
  });

  it('says in words why there is no session, and goes on trying', async () => {
    const port = await loopback.freePort();
    const running = listen(port);
    await running.wrote(/: connection refused\. The host is there, but nothing listens on this port\./);
    assert.match(running.stderr.text, /^not connected to tcp:\/\/127\.0\.0\.1:\d+, next try in 2 s: /);
    assert.equal(running.stdout.text, '');
  });

  it('says in words that the key is wrong, and does not show it', async () => {
    const server = await loopback.serve({ psk: WRONG_PSK });
    const running = listen(server.port!);
    await running.wrote(/next try in \d+ s: PSK rejected\. Check the PSK, its format and the device ID/);
    assert.ok(!running.stderr.text.includes(WRONG_PSK));
  });

  it('has messages wait at the gateway while nobody takes what it writes', async () => {
    const { session, running } = await heard();
    await running.wrote(/connected/);
    running.stdout.holdUp();
    const count = 3_000;
    let sent = 0;
    const sending = (async () => {
      for (; sent < count; sent++) await session.send(Buffer.alloc(1_800, 'x'));
    })();
    await eventually(() => running.stdout.writableNeedDrain);
    for (let turn = 0; turn < 300; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(running.stdout.writableLength < 3 * 1_801, `${running.stdout.writableLength} bytes wait`);
    running.stdout.goOn();
    await sending;
    await eventually(() => running.stdout.text.length === count * 1_801);
    assert.equal(running.stdout.text.length, count * 1_801);
  });

  it('says BYE when the user ends it, and ends well', async () => {
    const { session, running } = await heard();
    await running.wrote(/connected/);
    const closed = once(session, 'close');
    running.interrupt();
    const [[reason]] = await Promise.all([closed, running.exit]);
    assert.equal((reason as { code: string }).code, 'USMP_BYE');
    assert.equal(await running.exit, 0);
  });

  it('ends well when the user ends it before there is a session, or before it begins', async () => {
    const silent = await loopback.tcpProgram(() => undefined);
    const running = listen(silent);
    running.interrupt();
    assert.deepEqual(await running.ended(), { exit: 0, out: '', err: '' });
    const signal = AbortSignal.abort();
    assert.equal(await command(['listen', `${HOST}:${silent}`], { signal }).exit, 0);
  });

  const bad: [string[], RegExp][] = [
    [[], /: the gateway is missing: host or host:port, such as/],
    [['gw', 'my key'], /: there is something behind the gateway that belongs nowhere\n/],
  ];
  for (const [argv, why] of bad) {
    it(`is called the wrong way: ${argv.join(' ') || 'without a gateway'}`, async () => {
      const { exit, err } = await command(['listen', ...argv]).ended();
      assert.match(err, why);
      assert.equal(exit, 2);
    });
  }
});
