/** Thousands of messages each way through a faulty network, over real sockets. */
import assert from 'node:assert/strict';
import { settle } from '../support/clock.js';
import { ROUGH, runChaos, type ChaosReport } from '../support/chaos.js';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);
const DISASTERS = { cut: 0.005, move: 0.005, restart: 0.005 };

/** Sockets and timers that keep the process alive; what Node.js opens for itself is not among them. */
const handles = (): string[] =>
  process.getActiveResourcesInfo().filter((kind) => /TCP|UDP|Timeout/.test(kind));

/** The system takes a few turns of the event loop to let go of what was closed. */
async function handlesAgain(count: number): Promise<number> {
  for (let turn = 0; turn < 1_000 && handles().length > count; turn++) await settle();
  return handles().length;
}

const sum = (
  reports: readonly ChaosReport[],
  key: 'accepted' | 'sessions' | 'restarts' | 'replies' | 'repeated',
) => reports.reduce((total, report) => total + report[key], 0);

for (const [protocol, messages] of [
  ['tcp', 400],
  ['udp', 100],
] as const) {
  describe(`chaos over ${protocol}`, function () {
    this.timeout(120_000);

    it('loses no accepted message in confirmed mode, keeps the order within each session, and leaves nothing behind', async () => {
      await settle(); // so that the test runner's own timer is counted
      const before = handles().length;
      const reports = await Promise.all(
        SEEDS.map((seed) =>
          runChaos({
            protocol,
            seed,
            messages,
            delivery: 'confirmed',
            faults: ROUGH[protocol],
            ...DISASTERS,
          }),
        ),
      );
      reports.forEach((report, i) => {
        const { lost, unsettled, disordered, gaps, disorderedReplies } = report;
        const faults = { lost, unsettled, disordered, gaps, disorderedReplies };
        const none = { lost: 0, unsettled: 0, disordered: 0, gaps: 0, disorderedReplies: 0 };
        assert.deepEqual(faults, none, `seed ${SEEDS[i]}: ${JSON.stringify(report)}`);
      });
      assert.equal(sum(reports, 'accepted'), SEEDS.length * messages);
      assert.ok(sum(reports, 'sessions') > SEEDS.length, 'sessions were lost on the way');
      assert.equal(await handlesAgain(before), before, handles().join());
      console.log(
        `      ${SEEDS.length} seeds: ${sum(reports, 'accepted')} accepted, 0 lost, ${sum(reports, 'repeated')} repeated, ` +
          `${sum(reports, 'replies')} replies, ${sum(reports, 'sessions')} sessions, ${sum(reports, 'restarts')} restarts`,
      );
    });

    it('loses in mode sent only what was in flight when a session ended', async () => {
      const reports = await Promise.all(
        SEEDS.slice(0, 5).map((seed) =>
          runChaos({ protocol, seed, messages, delivery: 'sent', faults: ROUGH[protocol], ...DISASTERS }),
        ),
      );
      for (const { gaps, disordered, unsettled } of reports) {
        assert.deepEqual({ gaps, disordered, unsettled }, { gaps: 0, disordered: 0, unsettled: 0 });
      }
    });
  });
}

describe('a path that loses 30 % of all datagrams', function () {
  this.timeout(120_000);

  it('keeps the session up and delivers every message', async () => {
    const reports = await Promise.all(
      SEEDS.slice(0, 8).map((seed) =>
        runChaos({
          protocol: 'udp',
          seed,
          messages: 60,
          delivery: 'confirmed',
          faults: { loss: 0.3 },
          patient: true,
        }),
      ),
    );
    for (const { lost, sessions, unsettled } of reports) {
      assert.deepEqual({ lost, sessions, unsettled }, { lost: 0, sessions: 1, unsettled: 0 });
    }
  });
});
