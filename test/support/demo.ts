/** The demo in a process of its own, as `npm start` runs it, and what its editor does through the admin API. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { deployTo } from './node-red-process.js';
import { start, type RunningProcess } from './process.js';

const root = path.resolve(__dirname, '../..');

export interface FlowNode {
  id: string;
  type: string;
  console?: boolean;
  credentials?: object;
  [property: string]: unknown;
}

export interface Demo extends RunningProcess {
  /** The address of the editor. */
  readonly base: string;
  /** The flows that run. */
  flows(): Promise<FlowNode[]>;
  /** Resolves when they run. What the debug nodes show is in the output then, too. */
  deploy(flows: readonly FlowNode[]): Promise<void>;
  /** What the import dialog gets for an example of this title. */
  example(title: string): Promise<FlowNode[]>;
  /** Presses the button of an inject node. */
  press(id: string): Promise<void>;
}

/** The demo with free ports, unless `env` names others, and its files in `folder`. */
export function runDemo(folder: string, env: NodeJS.ProcessEnv = {}, ...args: string[]): RunningProcess {
  const settings = { USMP_DEMO_DIR: folder, PORT: '0', USMP_DEMO_GATEWAY_PORT: '0', NODE_OPTIONS: '' };
  return start(process.execPath, ['scripts/demo.mjs', ...args], { ...settings, ...env }, root);
}

/** Resolves when the flows of the demo run. */
export async function editorOf(running: RunningProcess): Promise<Demo> {
  const [, base] = await running.waitFor(/open (http:\S+)[^]*Started flows/);
  const request = async (address: string, init?: RequestInit): Promise<Response> => {
    const response = await fetch(`${base!}/${address}`, init);
    assert.ok(response.ok, `${address}: ${response.status}`);
    return response;
  };
  const json = async (address: string): Promise<FlowNode[]> =>
    (await (await request(address)).json()) as FlowNode[];
  return {
    base: base!,
    get output() {
      return running.output;
    },
    ended: running.ended,
    waitFor: (...args) => running.waitFor(...args),
    interrupt: () => running.interrupt(),
    kill: () => running.kill(),
    flows: () => json('flows'),
    deploy: (flows) => {
      const shown = flows.map((node) => (node.type === 'debug' ? { ...node, console: true } : node));
      return deployTo(running, base!, shown, 'nodes');
    },
    example: (title) => json(`library/examples/flows/node-red-contrib-usmp/${encodeURIComponent(title)}`),
    press: async (id) => {
      await request(`inject/${id}`, { method: 'POST' });
    },
  };
}
