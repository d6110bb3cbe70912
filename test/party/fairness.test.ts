/** A session with much to do leaves the others, and the rest of the process, their share (see turn.ts). */
import assert from 'node:assert/strict';
import { PROTOCOLS } from '../../src/transport/transport.js';
import { FakeClock, settle } from '../support/clock.js';
import { Line } from '../support/line.js';
import { useLoopback } from '../support/loopback.js';

const message = Buffer.alloc(20, 'x');
/** What a message takes, here. */
const FRAME_MS = 0.5;
const TURN_MS = 4;
const PER_TURN = TURN_MS / FRAME_MS;

/** Counts the turns of the event loop until it is stopped. */
function ticker() {
  const seen = { ticks: 0, isOn: true };
  const tick = (): void => {
    if (!seen.isOn) return;
    seen.ticks += 1;
    setImmediate(tick);
  };
  setImmediate(tick);
  return seen;
}

/** Sessions under one clock, on which every message takes its time where it is received and where it is sent. */
async function lines(count: number, onMessage: (line: number) => void = () => undefined) {
  const clock = new FakeClock();
  const all = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      new Line({
        clock,
        serverHooks: {
          onNews(news) {
            if (news.type === 'message') onMessage(i);
            return true;
          },
        },
      }).establish(),
    ),
  );
  const close = async (): Promise<void> => {
    for (const { client, server } of all) await Promise.all([client.close(0), server.close(0)]);
    assert.equal(clock.pending, 0);
  };
  return { clock, all, close };
}

describe('a session that sends without end, one message after the other,', () => {
  it('lets the event loop turn after each 4 ms', async () => {
    const { clock, all, close } = await lines(1);
    const seen = ticker();
    const perTurn = new Map<number, number>();
    for (let i = 0; i < 400; i++) {
      await all[0]!.client.send(message);
      clock.work(FRAME_MS);
      perTurn.set(seen.ticks, (perTurn.get(seen.ticks) ?? 0) + 1);
    }
    seen.isOn = false;
    const most = Math.max(...perTurn.values());
    assert.ok(most <= PER_TURN + 1, `${most} messages in one turn`);
    assert.ok(seen.ticks >= 400 / (PER_TURN + 1), `${seen.ticks} turns`);
    await close();
  });

  it('gets no more of it than others that do the same', async () => {
    const { clock, all, close } = await lines(5);
    const sent = all.map(() => 0);
    let isOn = true;
    const hogs = all.map(async ({ client }, i) => {
      while (isOn) {
        await client.send(message);
        clock.work(FRAME_MS);
        sent[i]! += 1;
      }
    });
    const seen = ticker();
    while (seen.ticks < 500) await new Promise((resolve) => setImmediate(resolve));
    seen.isOn = isOn = false;
    await Promise.all(hogs);
    assert.ok(Math.min(...sent) > 100, sent.join());
    assert.ok(Math.max(...sent) - Math.min(...sent) <= 3 * PER_TURN, sent.join());
    await close();
  });

  it('does not keep one waiting that has little to send', async () => {
    const world: Awaited<ReturnType<typeof lines>> = await lines(4, (i) => {
      if (i === 0) void world.all[0]!.server.send(message);
    });
    const { clock, all, close } = world;
    const [bystander, ...others] = all;
    let isOn = true;
    const hogs = others.map(async ({ client }) => {
      while (isOn) {
        await client.send(message);
        clock.work(FRAME_MS);
      }
    });
    const waits: number[] = [];
    for (let i = 0; i < 20; i++) {
      const from = clock.now();
      await bystander!.client.send(message);
      await bystander!.client.inbox.take(0);
      waits.push(clock.now() - from);
      await new Promise((resolve) => setImmediate(resolve));
    }
    isOn = false;
    await Promise.all(hogs);
    // Behind one turn of each of the others, when it comes badly twice.
    assert.ok(Math.max(...waits) <= 2 * 3 * TURN_MS, `${Math.max(...waits)} ms`);
    await close();
  });
});

describe('a session in which more arrives than can be worked off', () => {
  it('lets the event loop turn after each 4 ms, and stops reading meanwhile', async () => {
    const seen = ticker();
    const perTurn = new Map<number, number>();
    const { clock, all, close } = await lines(1, () => {
      clock.work(FRAME_MS);
      perTurn.set(seen.ticks, (perTurn.get(seen.ticks) ?? 0) + 1);
    });
    const [line] = all;
    let paused = 0;
    for (let i = 0; i < 400; i++) void line!.client.send(message);
    while ([...perTurn.values()].reduce((sum, n) => sum + n, 0) < 400) {
      await new Promise((resolve) => setImmediate(resolve));
      paused += line!.serverEnd.paused ? 1 : 0;
    }
    seen.isOn = false;
    await settle();
    assert.ok(Math.max(...perTurn.values()) <= PER_TURN + 1, `${Math.max(...perTurn.values())} in one turn`);
    assert.ok(paused > 10);
    assert.equal(line!.serverEnd.paused, false, 'and reads on in the end');
    await close();
  });

  it('is worked off in turns with others of its kind', async () => {
    const received = [0, 0, 0];
    let apart = 0;
    const { clock, all, close } = await lines(3, (i) => {
      clock.work(FRAME_MS);
      received[i]! += 1;
      if (Math.max(...received) < 200) apart = Math.max(apart, Math.max(...received) - Math.min(...received));
    });
    for (const { client } of all) for (let i = 0; i < 200; i++) void client.send(message);
    while (received.some((count) => count < 200)) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(apart <= 3 * PER_TURN, `one was ${apart} messages ahead`);
    await close();
  });
});

for (const protocol of PROTOCOLS) {
  const count = protocol === 'tcp' ? 20_000 : 2_000;

  describe(`real sockets over ${protocol}, with ${count} messages`, () => {
    const loopback = useLoopback();

    /** A session beside the other, which echoes, and how often it has. */
    async function bystander(port: number) {
      const client = loopback.client(port, { protocol });
      await client.connect();
      const seen = { echoes: 0, isOn: true };
      const run = async (): Promise<void> => {
        while (seen.isOn) {
          await client.send(message);
          await client.recv();
          seen.echoes += 1;
        }
      };
      return { seen, run };
    }

    it('sent one after the other, a bystander and the event loop get on', async () => {
      const server = await loopback.serve({ protocol });
      server.on('session', (session) => session.on('message', (each) => void session.send(each)));
      const beside = await bystander(server.port!);
      const sink = await loopback.serve({ protocol });
      const { client, session } = await loopback.pair(sink, { protocol });
      session.on('message', () => undefined);
      const ticks = ticker();
      const echoing = beside.run();
      for (let i = 0; i < count; i++) await client.send(message);
      ticks.isOn = beside.seen.isOn = false;
      const { ticks: turns } = ticks;
      await echoing;
      assert.ok(turns >= 10, `${turns} turns`);
      assert.ok(beside.seen.echoes >= 5, `${beside.seen.echoes} echoes`);
    });

    it('from a gateway that has lost itself, a bystander and the event loop get on', async () => {
      const server = await loopback.serve({ protocol });
      server.on('session', (session) => session.on('message', (each) => void session.send(each)));
      const beside = await bystander(server.port!);
      const source = await loopback.serve({ protocol });
      const { client, session } = await loopback.pair(source, { protocol });
      let received = 0;
      const all = new Promise<void>((resolve) => {
        client.on('message', () => {
          received += 1;
          if (received === count) resolve();
        });
      });
      const ticks = ticker();
      const echoing = beside.run();
      for (let sent = 0; sent < count; sent += 500) {
        await Promise.all(Array.from({ length: 500 }, () => session.send(message)));
      }
      await all;
      ticks.isOn = beside.seen.isOn = false;
      const { ticks: turns } = ticks;
      await echoing;
      assert.ok(turns >= 10, `${turns} turns`);
      assert.ok(beside.seen.echoes >= 5, `${beside.seen.echoes} echoes`);
    });
  });
}
