/**
 * Messages both ways through a faulty network and a gateway that restarts, and a report of what became of each: the
 * chaos test checks it, the soak prints it.
 */
import {
  USMPConnection,
  USMPServer,
  type Delivery,
  type Protocol,
  type ServerSession,
} from '../../src/index.js';
import { ConnectionClosedError } from '../../src/errors.js';
import { startFaultProxy, type Faults } from './fault-proxy.js';
import { seeded } from './random.js';

export interface ChaosOptions {
  readonly protocol: Protocol;
  readonly seed: number;
  /** Messages from the client; the gateway answers each. */
  readonly messages: number;
  readonly delivery: Delivery;
  readonly faults: Faults;
  /** Chances per message that everything is cut, that the gateway's address changes, and that it restarts. */
  readonly cut?: number;
  readonly move?: number;
  readonly restart?: number;
  /** With the default times for liveness instead of short ones. */
  readonly patient?: boolean;
}

export interface ChaosReport {
  readonly accepted: number;
  /** Accepted messages that the gateway never took. */
  readonly lost: number;
  /** Taken more than once. */
  readonly repeated: number;
  /** Messages whose sender was not told exactly once. */
  readonly unsettled: number;
  /** Sessions within which messages came out of order or with a gap, at the gateway; at the client. */
  readonly disordered: number;
  readonly gaps: number;
  readonly disorderedReplies: number;
  readonly replies: number;
  readonly sessions: number;
  readonly restarts: number;
  readonly faults: Readonly<Record<string, number>>;
}

const PSK = 'a key for a rough network';
/** At so many undelivered messages the sender waits, as a flow does that minds `done`. */
const IN_FLIGHT = 20;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { protocol, delivery } = options;
  const random = seeded(options.seed);
  const chance = (): number => random.below(2 ** 31) / 2 ** 31;
  const happens = (share = 0): boolean => chance() < share;

  const taken = new Map<number, number>();
  const bySession: number[][] = [];
  let server = await listen(0);
  const port = server.port!;
  let restarts = 0;

  async function listen(at: number): Promise<USMPServer> {
    const listening = new USMPServer({
      host: '127.0.0.1',
      port: at,
      psk: PSK,
      protocol,
    });
    listening.on('session', (session: ServerSession) => {
      const order: number[] = [];
      bySession.push(order);
      session.on('message', (message) => {
        const n = Number(message.toString().split(' ', 1)[0]);
        taken.set(n, (taken.get(n) ?? 0) + 1);
        order.push(n);
        session.send(String(n)).catch(() => undefined);
      });
    });
    await listening.listen();
    return listening;
  }

  const proxy = await startFaultProxy(protocol, () => port, chance, options.faults);
  const connection = new USMPConnection({
    host: '127.0.0.1',
    port: proxy.port,
    psk: PSK,
    deviceId: '02:00:00:00:00:07',
    protocol,
    retryMin: 0.1,
    retryMax: 0.4,
    ...(!options.patient && { keepalive: 0.5, pongTimeout: 2 }),
  });
  const replies: number[][] = [];
  connection.on('state', ({ at }) => at === 'established' && replies.push([]));
  connection.on('message', (message) => replies.at(-1)?.push(Number(message.toString())));
  connection.start();

  const settled = new Map<number, number>();
  let failures = 0;
  const pending = new Set<Promise<void>>();
  for (let n = 0; n < options.messages; n++) {
    const text = `${n} ${'x'.repeat(random.below(10) === 0 ? random.below(1_700) : random.below(60))}`;
    const told = (): void => void settled.set(n, (settled.get(n) ?? 0) + 1);
    const outcome: Promise<void> = connection
      .send(text, delivery)
      .then(told, () => {
        failures += 1;
        told();
      })
      .finally(() => pending.delete(outcome));
    pending.add(outcome);
    if (happens(options.cut)) proxy.cut();
    if (happens(options.move)) proxy.move();
    if (happens(options.restart)) {
      restarts += 1;
      for (const session of server.sessions.values()) session.abort(new ConnectionClosedError('killed'));
      await server.close();
      server = await listen(port);
    }
    if (pending.size >= IN_FLIGHT) await Promise.race(pending);
    else if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  proxy.faults = {};
  await connection.close();
  await proxy.close();
  await server.close();

  const count = Array.from({ length: options.messages }, (_, n) => n);
  return {
    accepted: options.messages - failures,
    lost: count.filter((n) => !taken.has(n)).length,
    repeated: [...taken.values()].filter((times) => times > 1).length,
    unsettled: count.filter((n) => settled.get(n) !== 1).length,
    disordered: bySession.filter((order) => !increasing(order)).length,
    gaps: bySession.filter((order) => !order.every((n, i) => i === 0 || n === order[i - 1]! + 1)).length,
    disorderedReplies: replies.filter((order) => !increasing(order)).length,
    replies: replies.flat().length,
    sessions: connection.stats.sessions,
    restarts,
    faults: proxy.count,
  };
}

const increasing = (order: readonly number[]): boolean => order.every((n, i) => i === 0 || n > order[i - 1]!);

/** What a rough network does: enough for several lost sessions in a run. */
export const ROUGH: Readonly<Record<Protocol, Faults>> = {
  tcp: { reset: 0.01, stall: 0.002, halfClose: 0.004, midFrameCut: 0.01, singleBytes: 0.05 },
  udp: { loss: 0.08, duplicate: 0.05, reorder: 0.05, corrupt: 0.02 },
};
