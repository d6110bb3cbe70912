/** The parts of Node-RED's editor, and of the jQuery that it brings, that the dialogs use. */

interface JQuery {
  readonly length: number;
  [index: number]: HTMLElement | undefined;
  /** Null where a select has no option of its value. */
  val(): string | null;
  val(value: string): this;
  text(value: string): this;
  empty(): this;
  attr(name: string, value: string): this;
  attr(attributes: Readonly<Record<string, string>>): this;
  attr(name: string): string | undefined;
  prop(name: 'checked' | 'disabled', value: boolean): this;
  is(selector: string): boolean;
  find(selector: string): JQuery;
  closest(selector: string): JQuery;
  children(): JQuery;
  add(other: JQuery): JQuery;
  toggle(shown: boolean): this;
  toggleClass(name: string, on: boolean): this;
  append(content: JQuery): this;
  appendTo(target: JQuery): this;
  prependTo(target: JQuery): this;
  on(events: string, handler: (event: KeyboardEvent) => void): this;
  on(events: string, selector: string, handler: () => void): this;
  trigger(event: string): this;
}

/** How a request ended that was not answered with 200. */
interface FailedRequest {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly statusText: string;
  readonly responseJSON?: unknown;
}

interface JQueryStatic {
  (selector: string | HTMLElement): JQuery;
  (html: string, attributes: Readonly<Record<string, string>>): JQuery;
  /** Sends what Node-RED asks for, such as the token of who is logged in. Rejects with a `FailedRequest`. */
  ajax(request: {
    url: string;
    method?: 'GET' | 'POST';
    contentType?: string;
    data?: string;
    dataType: 'json';
    timeout: number;
  }): PromiseLike<unknown>;
}

/** A node in the workspace, with the properties that its type has. */
interface EditorNode {
  readonly id: string;
  readonly type: string;
  /** The tab or subflow that it is on; of a config node, that it is limited to. */
  readonly z?: string;
  readonly name?: string;
  /** Of a config node, those that name it. */
  readonly users?: readonly EditorNode[];
  /** What is known of its credentials: nothing after the start, an import or a deploy, until its dialog is opened. */
  readonly credentials?: { readonly psk?: string; readonly has_psk?: boolean };
  readonly _def: { readonly defaults: Readonly<Record<string, { readonly value?: unknown }>> };
  /** Looks up a text of the catalogue of its type. */
  _(key: string): string;
  readonly [property: string]: unknown;
}

/** True, or what is wrong. Node-RED takes a text only from a function with two parameters. */
type Validate<T> = (this: T, value: unknown, options: object) => true | string;

interface NodeProperty<T> {
  value?: string | number | boolean;
  type?: string;
  required?: boolean;
  label?: string;
  validate?: Validate<T>;
}

interface NodeDefinition<T> {
  category: string;
  defaults: Readonly<Record<string, NodeProperty<T>>>;
  credentials?: Readonly<Record<string, { type: 'password'; validate?: Validate<T> }>>;
  color?: string;
  icon?: string;
  inputs?: number;
  outputs?: number;
  align?: 'right';
  paletteLabel?: string;
  label(this: T): string;
  labelStyle?(this: T): string;
  inputLabels?(this: T): string;
  outputLabels?(this: T, index: number): string;
  oneditprepare?(this: T): void;
  oneditsave?(this: T): void;
  oneditcancel?(this: T): void;
  oneditdelete?(this: T): void;
}

interface EditorTabs {
  addTab(tab: { id: string; label: string }): void;
  activateTab(id: string): void;
  resize(): void;
}

declare const $: JQueryStatic;

declare const RED: {
  _(key: string, values?: object): string;
  clipboard: { copyText(text: string, element: JQuery, message: string): void };
  editor: { validateNode(node: EditorNode): void };
  events: {
    on(event: 'nodes:add' | 'nodes:remove', listener: (node: EditorNode) => void): void;
    on(event: 'deploy', listener: () => void): void;
    emit(event: 'nodes:change', node: EditorNode): void;
  };
  nodes: {
    registerType<T extends EditorNode>(type: string, definition: NodeDefinition<T>): void;
    node(id: string): EditorNode | null;
    subflow(id: string): object | undefined;
    eachConfig(visit: (node: EditorNode) => void): void;
  };
  sidebar: { config: { refresh(): void } };
  settings: { context?: { stores: readonly string[] } };
  tabs: { create(options: { id: string; onchange(tab: { id: string }): void }): EditorTabs };
  utils: { getNodeLabel(node: EditorNode): string };
  view: { redraw(): void };
};
