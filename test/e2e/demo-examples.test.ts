/** Every example, imported from the menu of the running demo and deployed as it stands. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { editorOf, runDemo, type Demo, type FlowNode } from '../support/demo.js';

const TITLES = readdirSync(path.resolve(__dirname, '../../examples'))
  .sort()
  .map((file) => path.basename(file, '.json'));

interface Trial {
  /** Inject nodes that are pressed, one after another, each once what is before it has been seen. */
  readonly steps: readonly ({ press: string } | { see: RegExp })[];
  /** Only to save time. */
  readonly patch?: Readonly<Record<string, object>>;
}

const press = (name: string) => ({ press: name });
/** What a debug node of this name shows. */
const see = (name: string, pattern: RegExp) => ({
  see: new RegExp(`debug:${name}\\][^[]*?${pattern.source}`),
});
const value = (topic: string): RegExp => new RegExp(`topic: '${topic}',\\s*payload: [\\d.]+`);

const TRIALS: readonly Trial[] = [
  {
    steps: ['TCP', 'UDP'].flatMap((transport) => [
      see(`reply over ${transport}`, /\{ count: \d+, temperature: [\d.]+ \}/),
      see(`round trip over ${transport} \\(ms\\)`, /[\d.]+/),
    ]),
  },
  {
    steps: [
      press('ask for the time'),
      see('result', /\{ id: '[0-9a-f]+', time: '[^']+' \}/),
      press('say hello'),
      see('result', /\{ id: '[0-9a-f]+', text: 'hello' \}/),
    ],
  },
  {
    steps: [
      see('values', value('temperature')),
      see('values', value('humidity')),
      see('averages', value('temperature \\(average\\)')),
      see('changes', value('temperature')),
    ],
  },
  {
    steps: [press('say hello'), see('from the gateway', /hello from MQTT/)],
  },
  {
    patch: { trigger: { duration: '0.1' } },
    steps: [
      see('alarm', /alarm: false,\s*event: 'connected'/),
      see('messages', /\{ temperature: [\d.]+, humidity: [\d.]+ \}/),
      press('end the session'),
      see('alarm', /alarm: true,\s*event: 'disconnected'/),
      press('open it again'),
      see('alarm', /alarm: false,\s*event: 'reconnected'/),
    ],
  },
  {
    steps: [
      press('ping now'),
      see('round trip in ms', /\{\s*last: [\d.]+/),
      see('state of the session', /(?:connected|[\d.]+ ms)/),
    ],
  },
];

/** As the editor does with what is imported, and is not there yet: every id is new. */
function withNewIds(flows: readonly FlowNode[]): FlowNode[] {
  const text = flows.reduce(
    (all, { id }) => all.replaceAll(`"${id}"`, `"${randomBytes(8).toString('hex')}"`),
    JSON.stringify(flows),
  );
  return JSON.parse(text) as FlowNode[];
}

describe('in the demo, every example of the import menu works as it stands', () => {
  let folder: string;
  let demo: Demo;
  /** Where in the output the example begins. */
  let from = 0;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'usmp-demo-'));
    const running = runDemo(folder);
    try {
      demo = await editorOf(running);
    } catch (error) {
      await running.interrupt();
      throw error;
    }
  });
  after(async () => {
    await demo.interrupt();
    await rm(folder, { recursive: true, force: true });
  });

  it('has a trial for each', () => assert.equal(TRIALS.length, TITLES.length));

  for (const [i, { steps, patch = {} }] of TRIALS.entries()) {
    const title = TITLES[i]!;
    it(title, async () => {
      const imported = withNewIds(await demo.example(title)).map((node) => ({
        ...node,
        ...patch[node.type],
      }));
      from = demo.output.length;
      // Beside those that were imported before, as in the editor.
      await demo.deploy([...(await demo.flows()), ...imported]);
      const clients = imported.filter(({ type }) => type === 'usmp-client').length;
      await demo.waitFor(new RegExp(`^[^]{${from},}?(?:\\] connected to [^]*?){${clients}}`));
      for (const step of steps) {
        if ('see' in step) {
          await demo.waitFor(new RegExp(`^[^]{${from},}(?:${step.see.source})`));
          continue;
        }
        const button = imported.find(({ type, name }) => type === 'inject' && name === step.press);
        assert.ok(button, step.press);
        await demo.press(button.id);
      }
      const output = demo.output.slice(from);
      assert.doesNotMatch(output, /\[(warn|error)\]|debug:(?:errors|not sent|bridge error|failed ping)/);
    });
  }

  it('shows no key', () => assert.doesNotMatch(demo.output, /[0-9a-f]{64}/i));
});
