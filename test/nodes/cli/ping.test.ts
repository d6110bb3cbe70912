/** Round-trip times at the command line, to a real gateway on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { exitFor, summary } from '../../../nodes/cli/ping.js';
import { PROTOCOLS, type ServerSession } from '../../../src/index.js';
import { FakeClock } from '../../support/clock.js';
import { command } from '../../support/command-line.js';
import { HoldingRelay } from '../../support/holding-relay.js';
import { eventually, HOST, useLoopback, WRONG_PSK } from '../../support/loopback.js';

describe('ping', () => {
  const loopback = useLoopback();

  for (const protocol of PROTOCOLS) {
    it(`prints each round trip and a summary, over ${protocol}`, async () => {
      const server = await loopback.serve({ protocol });
      const at = `${HOST}:${server.port!}`;
      const argv = ['ping', at, '--protocol', protocol, '--count', '2', '--interval', '0'];
      const { exit, out, err } = await command(argv).ended();
      const answer = `answer from ${protocol}://${at} in \\d+\\.\\d\\d ms\n`;
      const figures = 'min/avg/max \\d+\\.\\d\\d/\\d+\\.\\d\\d/\\d+\\.\\d\\d ms\n';
      assert.match(out, new RegExp(`^1: ${answer}2: ${answer}2 sent, 2 answered, 0 % lost\n${figures}$`));
      assert.deepEqual([exit, err], [0, '']);
    });
  }

  it('sends four, each a second after the last answer', async () => {
    const [server, clock] = [await loopback.serve(), new FakeClock()];
    const running = command(['ping', `${HOST}:${server.port!}`], { clock });
    for (let sent = 1; sent <= 4; sent++) {
      await running.wrote(new RegExp(`^${sent}: answer`, 'm'));
      if (sent === 4) break;
      await eventually(() => clock.pending === 1);
      await clock.advance(999);
      assert.equal(clock.pending, 1);
      await clock.advance(1);
    }
    assert.equal(await running.exit, 0);
    assert.equal(clock.pending, 0);
    assert.match(running.stdout.text, /^4 sent, 4 answered, 0 % lost$/m);
  });

  it('tells of one that is not answered, and goes on', async () => {
    const [server, clock] = [await loopback.serve(), new FakeClock()];
    const arrived = once(server, 'session') as Promise<[ServerSession]>;
    const running = command(['ping', `${HOST}:${server.port!}`, '--count', '2'], { clock });
    const [session] = await arrived;
    await running.wrote(/^1: answer/m);
    await session.bye();
    await server.close();
    await eventually(() => clock.pending === 1);
    await clock.advance(1_000);
    const { exit, out } = await running.ended();
    assert.match(out, /^2: no answer from tcp:.*: (?:gateway said goodbye\n|connection refused\. )/m);
    assert.match(out, /^2 sent, 1 answered, 50 % lost\nmin/m);
    assert.equal(exit, 0);
  });

  it('says in words why there is no session, and ends in failure', async () => {
    const at = `${HOST}:${await loopback.freePort()}`;
    const { exit, out, err } = await command(['ping', at]).ended();
    assert.match(err, /^node-red-contrib-usmp: connection refused\. The host is there, but nothing listens/);
    assert.deepEqual([exit, out], [1, '']);
  });

  it('says in words that the key is wrong', async () => {
    const server = await loopback.serve({ psk: WRONG_PSK });
    const { exit, err } = await command(['ping', `${HOST}:${server.port!}`]).ended();
    assert.match(err, /: PSK rejected\. Check the PSK/);
    assert.equal(exit, 1);
  });

  it('ends with the figures so far when the user ends it', async () => {
    const [server, clock] = [await loopback.serve(), new FakeClock()];
    const running = command(['ping', `${HOST}:${server.port!}`], { clock });
    await running.wrote(/^1: answer/m);
    running.interrupt();
    const { exit, out, err } = await running.ended();
    assert.match(out, /^1: .*\n1 sent, 1 answered, 0 % lost\nmin.*\n$/);
    assert.deepEqual([exit, err], [0, '']);
    assert.equal(clock.pending, 0);
  });

  it('does not count one that is under way when the user ends it', async () => {
    const [server, clock] = [await loopback.serve(), new FakeClock()];
    const relay = await new HoldingRelay().open(loopback, 'tcp', server.port!);
    const running = command(['ping', `${HOST}:${relay.port}`], { clock });
    await running.wrote(/^1: answer/m);
    await eventually(() => clock.pending === 1);
    relay.hold('server');
    await clock.advance(1_000);
    await eventually(() => relay.held > 0);
    running.interrupt();
    const { exit, out } = await running.ended();
    assert.match(out, /^1: .*\n1 sent, 1 answered, 0 % lost\n/);
    assert.equal(exit, 0);
  });

  it('ends in failure, with no word, when the user ends it before there is a session', async () => {
    const silent = await loopback.tcpProgram(() => undefined);
    const running = command(['ping', `${HOST}:${silent}`]);
    running.interrupt();
    assert.deepEqual(await running.ended(), { exit: 1, out: '', err: '' });
  });

  const bad: [string[], RegExp][] = [
    [['--count', '0'], /: --count: needs a whole number from 1 to 1000000\n/],
    [['--count', '1.5'], /: --count: needs a whole number/],
    [['--interval', '-1'], /: --interval needs a value: --interval SECONDS\n/],
    [['--interval', 'x'], /: --interval: needs a number from 0 to 86400\n/],
  ];
  for (const [argv, why] of bad) {
    it(`is called the wrong way: ${argv.join(' ')}`, async () => {
      const { exit, err } = await command(['ping', HOST, ...argv]).ended();
      assert.match(err, why);
      assert.equal(exit, 2);
    });
  }
});

describe('the summary of PINGs', () => {
  it('is good when at least one was answered', () => assert.deepEqual([0, 1, 4].map(exitFor), [1, 0, 0]));

  const table: [number, number[], string[]][] = [
    [0, [], ['0 sent, 0 answered, 0 % lost']],
    [3, [], ['3 sent, 0 answered, 100 % lost']],
    [3, [2, 1], ['3 sent, 2 answered, 33 % lost', 'min/avg/max 1.00/1.50/2.00 ms']],
  ];
  for (const [sent, times, lines] of table) {
    it(`is ${lines.join('; ')}`, () => assert.deepEqual(summary(sent, times), lines));
  }

  it('takes as many as there may be', () => {
    const times = new Array<number>(1_000_000).fill(1);
    assert.equal(summary(times.length, times)[1], 'min/avg/max 1.00/1.00/1.00 ms');
  });
});
