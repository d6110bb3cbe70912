/** The part of the test helper that is used here; it brings no types of its own. */
declare module 'node-red-node-test-helper' {
  import type { EventEmitter } from 'node:events';

  interface TestNode extends EventEmitter {
    id: string;
    receive(msg: object): void;
    status: { args: { text?: string; fill?: string; shape?: string }[][] };
  }

  const helper: {
    init(runtime: string, settings?: object): void;
    settings(settings: object): void;
    startServer(): Promise<void>;
    stopServer(): Promise<void>;
    load(nodes: unknown[], flow: object[], credentials: object): Promise<void>;
    unload(): Promise<void>;
    setFlows(flow: object[], type: 'full' | 'flows' | 'nodes', credentials?: object): Promise<void>;
    getNode(id: string): TestNode;
    log(): { args: { level: number; msg: unknown }[][]; ERROR: number; WARN: number };
    request(): { post(path: string): SuperTest; get(path: string): SuperTest };
  };

  interface SuperTest extends Promise<{ status: number; body: unknown; text: string }> {
    set(header: string, value: string): SuperTest;
    send(body: object | string): SuperTest;
    expect(status: number): SuperTest;
  }

  export = helper;
}
