/** The command line as users have it: the built program, in processes of its own. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { eventually, HOST, PSK, WRONG_PSK } from '../support/loopback.js';

const program = path.resolve(__dirname, '../../dist/nodes/cli/main.js');

interface Ended {
  readonly code: number | NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

const environment = (psk = PSK): NodeJS.ProcessEnv => ({ ...process.env, NODE_OPTIONS: '', USMP_PSK: psk });

/** Runs it to its end; its standard input is empty. */
function run(
  argv: readonly string[],
  { psk, input = '' }: { psk?: string; input?: string } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...argv],
      { env: environment(psk) },
      (_error, out, err) => resolve({ code: child.exitCode ?? child.signalCode, out, err }),
    );
    child.stdin!.on('error', () => undefined); // it may end before it has read all
    child.stdin!.end(input);
  });
}

/** Starts one that goes on. */
class Started {
  out = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | NodeJS.Signals>;

  constructor(argv: readonly string[]) {
    this.#child = spawn(process.execPath, [program, ...argv], { env: environment() });
    this.#exit = once(this.#child, 'exit').then(
      ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream!.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    }
  }

  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  async wrote(pattern: RegExp): Promise<RegExpExecArray> {
    await eventually(() => pattern.test(this.out) || this.#child.exitCode !== null);
    const found = pattern.exec(this.out);
    assert.ok(found, `${String(pattern)} was not written, but:\n${this.out}`);
    return found;
  }

  /** @param times that the signal comes, as one key press under npx is two. */
  async interrupt(times = 1): Promise<number | NodeJS.Signals> {
    for (let i = 0; i < times; i++) this.#child.kill('SIGINT');
    return this.#exit;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

describe('the command line as a program', () => {
  const started: Started[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((each) => each.kill()));
  });

  function start(...argv: string[]): Started {
    const running = new Started(argv);
    started.push(running);
    return running;
  }

  async function gateway(): Promise<{ running: Started; port: string; at: string }> {
    const running = start('gateway', '--host', HOST, '--port', '0', '--echo');
    const [, port] = await running.wrote(/^listening on 127\.0\.0\.1:(\d+) over TCP and UDP\n/);
    return { running, port: port!, at: `${HOST}:${port!}` };
  }

  it('is a gateway, a device that sends, one that listens and one that pings, until Ctrl-C', async () => {
    const { running, port, at } = await gateway();
    for (const protocol of ['tcp', 'udp']) {
      const sent = await run(['send', at, 'hello', '--protocol', protocol]);
      assert.deepEqual(sent, { code: 0, out: `delivered 1 message to ${protocol}://${at}\n`, err: '' });
      const pinged = await run(['ping', at, '--count', '1', '--protocol', protocol]);
      assert.match(pinged.out, /^1: answer from .*\n1 sent, 1 answered, 0 % lost\nmin/);
      assert.equal(pinged.code, 0);
    }
    assert.equal((await run(['send', at, '--binary'], { input: 'a\nb' })).code, 0);
    await running.wrote(/: a\\nb\n/);

    const listening = start('listen', at, '--device-id', 'a4:cf:12:00:00:01');
    await listening.wrote(/^connected to tcp:/);
    running.type('to all\na4:cf:12:00:00:01: to one\n');
    await listening.wrote(/^to all\nto one\n/m);
    assert.equal(await listening.interrupt(), 0);
    await running.wrote(/a4:cf:12:00:00:01 is gone after \d+ s: the device ended the session \(BYE\)/);

    const taken = await run(['gateway', '--host', HOST, '--port', port]);
    assert.match(taken.err, /is taken by another program/);
    assert.equal(taken.code, 1);
    const wrong = await run(['send', at, 'hello'], { psk: WRONG_PSK });
    assert.match(wrong.err, /^node-red-contrib-usmp: PSK rejected\. Check the PSK/);
    assert.equal(wrong.code, 1);
    await running.wrote(/refused .* has another PSK/);

    const other = start('listen', at);
    await other.wrote(/^connected to tcp:/);
    assert.equal(await running.interrupt(2), 0);
    await other.wrote(/not connected to tcp:.*: gateway said goodbye\n/);
    assert.equal(await other.interrupt(2), 0);
    assert.ok(!running.out.includes(PSK) && !running.out.includes(WRONG_PSK));
    assert.match((await run(['ping', at])).err, /connection refused/);
  });

  const usages: [string[], number, RegExp][] = [
    [['--version'], 0, /^\d+\.\d+\.\d+\n$/],
    [['--help'], 0, /^Usage: /],
    [['psk'], 0, /^hex:[0-9a-f]{64}\n$/],
    [['psk', 'check'], 0, /^the PSK from USMP_PSK can be used: 22 bytes, read as text\n$/],
    [['send', 'no.such.host.invalid', 'x'], 1, /host not found/],
    [['send', '--colour'], 2, /unknown option --colour: send has --delivery/],
    [[], 2, /^Usage: /],
  ];
  for (const [argv, code, said] of usages) {
    it(`ends with ${code}: ${argv.join(' ') || 'nothing'}`, async () => {
      const ended = await run(argv);
      assert.match(ended.out + ended.err, said);
      assert.equal(ended.code, code);
    });
  }
});
