/** The MQTT broker of the demo, byte by byte: that MQTT nodes get on with it is seen in the test of the examples. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { hex } from '../support/hex.js';
import { useLoopback } from '../support/loopback.js';

interface Broker {
  readonly port: number;
  close(): Promise<void>;
}

const module = pathToFileURL(path.resolve(__dirname, '../../scripts/demo-broker.mjs')).href;

/** Packets as in MQTT 3.1.1, as hex. */
const CONNECT = '10 0c 0004 4d515454 04 02 003c 0000';
const CONNACK = '20 02 00 00';
const text = (words: string): string =>
  `${words.length.toString(16).padStart(4, '0')}${Buffer.from(words).toString('hex')}`;
const packet = (first: string, ...body: string[]): string => {
  const bytes = body.join('').replaceAll(' ', '');
  return `${first}${(bytes.length / 2).toString(16).padStart(2, '0')}${bytes}`;
};
const subscribe = (...filters: string[]): string =>
  packet('82', '0001', ...filters.map((filter) => `${text(filter)}01`));
const publish = (topic: string, payload: string): string => packet('30', text(topic), payload);

describe('the MQTT broker of the demo', () => {
  const loopback = useLoopback();
  let broker: Broker;

  beforeEach(async () => {
    const { startBroker } = (await import(module)) as { startBroker: () => Promise<Broker> };
    broker = await startBroker();
    loopback.after(() => broker.close());
  });

  /** A program of MQTT. */
  class Program {
    #got = '';
    constructor(readonly socket: Socket) {
      socket.on('data', (bytes: Buffer) => (this.#got += bytes.toString('hex')));
    }
    send(digits: string): void {
      this.socket.write(hex(digits));
    }
    /** Takes from what came, and fails when it is something else. */
    async expect(digits: string): Promise<void> {
      const wanted = digits.replaceAll(' ', '');
      while (this.#got.length < wanted.length) await once(this.socket, 'data');
      assert.equal(this.#got.slice(0, wanted.length), wanted);
      this.#got = this.#got.slice(wanted.length);
    }
  }
  const program = async (): Promise<Program> => new Program(await loopback.tcpSocket(broker.port));
  const connected = async (): Promise<Program> => {
    const one = await program();
    one.send(CONNECT);
    await one.expect(CONNACK);
    return one;
  };

  it('takes packets in pieces of any size, and several at once', async () => {
    const one = await program();
    one.socket.setNoDelay(true);
    for (const byte of hex(CONNECT)) one.socket.write(Uint8Array.of(byte));
    await one.expect(CONNACK);
    one.send(subscribe('a') + publish('a', '01') + publish('a', '02') + 'c000');
    await one.expect('9003000100' + publish('a', '01') + publish('a', '02') + 'd000');
  });

  it('takes and passes on a packet whose length needs two bytes', async () => {
    const one = await connected();
    const long = `30cb01${text('a')}${'ee'.repeat(200)}`;
    one.send(subscribe('a') + long);
    await one.expect('9003000100' + long);
  });

  it('acknowledges QoS 1 and 2, and delivers at QoS 0', async () => {
    const one = await connected();
    one.send(subscribe('t') + packet('32', text('t'), '0007', 'aa'));
    await one.expect('9003000100' + '40020007' + publish('t', 'aa'));
    one.send(packet('34', text('t'), '0008', 'bb'));
    await one.expect('50020008' + publish('t', 'bb'));
    one.send('62020008');
    await one.expect('70020008');
  });

  it('delivers no more once a program has unsubscribed', async () => {
    const [one, other] = [await connected(), await connected()];
    one.send(subscribe('a', 'b'));
    await one.expect('900400010000');
    one.send(packet('a2', '0002', text('a')));
    await one.expect('b0020002');
    other.send(publish('a', '01') + publish('b', '02'));
    await one.expect(publish('b', '02'));
  });

  const filters: [filter: string, takes: string[], leaves: string[]][] = [
    ['usmp/up', ['usmp/up'], ['usmp/down', 'usmp', 'usmp/up/more']],
    ['usmp/+', ['usmp/up', 'usmp/'], ['usmp', 'usmp/up/more', 'other/up']],
    ['+/up', ['usmp/up', '/up'], ['usmp/down', 'up']],
    ['usmp/#', ['usmp', 'usmp/up', 'usmp/up/more'], ['other/up', 'usm']],
    ['#', ['usmp', 'usmp/up/more'], []],
    ['+/a/#', ['x/a', 'x/a/b/c'], ['x/b', 'x']],
  ];
  for (const [filter, takes, leaves] of filters) {
    it(`knows what ${filter} is for`, async () => {
      const [one, other] = [await connected(), await connected()];
      one.send(subscribe(filter));
      await one.expect('9003000100');
      const end = 'c000';
      other.send([...leaves, ...takes].map((topic) => publish(topic, '01')).join('') + end);
      await other.expect('d000');
      await one.expect(takes.map((topic) => publish(topic, '01')).join(''));
    });
  }

  it('tells a program of MQTT 5 that it speaks another version', async () => {
    const one = await program();
    one.send('10 0d 0004 4d515454 05 02 003c 00 0000');
    await one.expect('20 02 00 01');
    await once(one.socket, 'end');
  });

  const rubbish: [what: string, digits: string][] = [
    ['is no MQTT', Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex')],
    ['does not begin with CONNECT', subscribe('a')],
    ['connects twice', CONNECT + CONNECT],
    ['says that a packet is longer than can be', '10 ff ff ff 7f'],
    ['has a length without end', '10 ff ff ff ff ff'],
    ['is cut short within', CONNECT + packet('82', '0001', '00ff61')],
  ];
  for (const [what, digits] of rubbish) {
    it(`lets go of what ${what}, and serves others`, async () => {
      const [one, other] = [await program(), await connected()];
      one.send(digits);
      await once(one.socket.resume(), 'close');
      other.send('c000');
      await other.expect('d000');
    });
  }
});
