/** *Test connection* in the config dialog: the runtime tries what is typed, and its report is told here. */
import { field, typedInto } from './client-form.js';
import type { Text } from './fields.js';
import { STORED } from './psk.js';
import type { Tabs } from './tabs.js';
import { sayWords, text } from './text.js';

/** A test of the connection ends on its own within 12 s. */
const LIMIT_MS = 20_000;

/** The fields that a test needs, besides the PSK. */
const TESTED = [
  ...['host', 'port', 'protocol', 'deviceId', 'suite', 'pskFormat'],
  ...['connectTimeout', 'handshakeTimeout'],
];

/** The steps at which a test can fail. */
const STEPS = {
  settings: 'usmp-client.step.settings',
  name: 'usmp-client.step.name',
  connect: 'usmp-client.step.connect',
  hello: 'usmp-client.step.hello',
  psk: 'usmp-client.step.psk',
  session: 'usmp-client.step.session',
};

/** What the runtime answers. */
interface Tried {
  readonly deviceId?: string;
  /** What is odd about the settings, though they can be used. */
  readonly hint?: Text;
}
interface Success extends Tried {
  readonly ok: true;
  readonly rttMs: number;
  readonly sessionId: string;
}
interface Failure extends Tried {
  readonly ok: false;
  readonly step: keyof typeof STEPS;
  /** The setting that is not usable. */
  readonly field?: string;
  readonly reason: Text;
  readonly advice?: Text;
}

interface Outcome {
  readonly kind: 'ok' | 'info' | 'warning' | 'error';
  readonly lines: readonly string[];
  /** Takes the user to the field that is wrong. */
  readonly goThere?: () => void;
}

/** Where Node-RED lets one choose what a config node is limited to, in the foot of the dialog. */
const SCOPE = '#red-ui-editor-config-scope';

/** A subflow has another environment in each place where it is used, and none of its own. */
export const isInSubflow = (node: EditorNode): boolean =>
  RED.nodes.subflow($(SCOPE).val() ?? node.z ?? '') !== undefined;

/** A PSK that was not changed is left out: the runtime has it. */
function typedSettings(id: string): Record<string, string> {
  const fields = Object.fromEntries(TESTED.map((name) => [name, typedInto(name)]));
  const psk = typedInto('psk');
  return { id, ...fields, ...(psk !== STORED && { psk }) };
}

function tellReport(report: Success | Failure, tabs: Tabs): Outcome {
  const { deviceId: id, hint } = report;
  const tried = [
    ...(id === undefined ? [] : [text('usmp-client.test.deviceId', { id })]),
    ...(hint ? [sayWords(hint)] : []),
  ];
  if (report.ok) {
    const values = { ms: report.rttMs, session: report.sessionId };
    return { kind: 'ok', lines: [text('usmp-client.test.ok', values), ...tried] };
  }
  const { step, reason, advice } = report;
  const wrong = field(report.field ?? '');
  const tab = tabs.of(wrong);
  const failed = tab
    ? text('usmp-client.test.failedInTab', { tab: tab.label, reason: sayWords(reason) })
    : text('usmp-client.test.failed', { step: text(STEPS[step]), reason: sayWords(reason) });
  const goThere = (): void => {
    if (tab) tabs.show(tab.id);
    wrong.trigger('focus');
  };
  const lines = [failed, ...(advice ? [sayWords(advice)] : []), ...tried];
  return { kind: 'error', lines, ...(tab && { goThere }) };
}

/** The same for a test that Node-RED did not make. */
function tellRefusal({ status, statusText, responseJSON }: FailedRequest): Outcome {
  if ((status === 415 || status === 429) && responseJSON) {
    return { kind: 'warning', lines: [sayWords(responseJSON as Text)] };
  }
  if (status === 401 || status === 403) {
    return { kind: 'error', lines: [text('usmp-client.test.forbidden')] };
  }
  return { kind: 'error', lines: [text('usmp-client.test.noReply', { status: status || statusText })] };
}

function request(settings: object, tabs: Tabs): PromiseLike<Outcome> {
  return $.ajax({
    url: 'usmp/test-connection',
    method: 'POST',
    contentType: 'application/json; charset=utf-8',
    data: JSON.stringify(settings),
    dataType: 'json',
    timeout: LIMIT_MS,
  }).then(
    (report) => tellReport(report as Success | Failure, tabs),
    (refusal: unknown) => tellRefusal(refusal as FailedRequest),
  );
}

export function prepareTest(node: EditorNode, tabs: Tabs): void {
  const button = $('#usmp-client-test');
  const icon = button.find('i');
  const result = $('#usmp-client-test-result');
  let running = false;

  const show = ({ kind, lines }: Outcome): void => void result.attr('data-kind', kind).text(lines.join('\n'));

  function setRunning(value: boolean): void {
    running = value;
    button.prop('disabled', running);
    icon.toggleClass('fa-plug', !running).toggleClass('fa-spinner fa-spin', running);
  }

  async function test(): Promise<void> {
    setRunning(true);
    show({ kind: 'info', lines: [text('usmp-client.test.running')] });
    const outcome = await request(typedSettings(node.id), tabs);
    if (!result.is(':visible')) return; // the dialog was closed meanwhile
    setRunning(false);
    // A button that is disabled loses the focus.
    if (document.activeElement === document.body) button.trigger('focus');
    outcome.goThere?.();
    show(outcome);
  }

  button.on('click', () => void test());
  // A result says nothing about other settings.
  $('.usmp-client-form').on('input change', ':input', () => {
    if (!running) result.empty();
  });

  const scope = $(SCOPE);
  const tellOfSubflow = (): void => void $('#usmp-client-test-subflow').toggle(isInSubflow(node));
  scope.on('change', tellOfSubflow);
  tellOfSubflow();
}
