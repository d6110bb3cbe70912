/** The tabs of the config dialog, by mouse and by keyboard, each marked while something in it is wrong. */
import { text } from './text.js';

const LABELS = {
  'usmp-client-tab-connection': 'usmp-client.tab.connection',
  'usmp-client-tab-security': 'usmp-client.tab.security',
  'usmp-client-tab-messages': 'usmp-client.tab.messages',
  'usmp-client-tab-advanced': 'usmp-client.tab.advanced',
};
type TabId = keyof typeof LABELS;
const IDS = Object.keys(LABELS) as TabId[];

/** Where each key leads from the tab at an index. */
const KEYS: Readonly<Record<string, (index: number) => number>> = {
  ArrowLeft: (index) => (index + IDS.length - 1) % IDS.length,
  ArrowRight: (index) => (index + 1) % IDS.length,
  Home: () => 0,
  End: () => IDS.length - 1,
};

const linkOf = (id: TabId): JQuery => $(`#usmp-client-tabs a[href="#${id}"]`);

export interface Tabs {
  show(id: TabId): void;
  /** The tab that a field is in; undefined for a field that is in none. */
  of(field: JQuery): { readonly id: TabId; readonly label: string } | undefined;
}

/** Builds the tabs, and shows the first. */
export function prepareTabs(): Tabs {
  const tabs = RED.tabs.create({ id: 'usmp-client-tabs', onchange: ({ id }) => select(id) });
  for (const [id, label] of Object.entries(LABELS)) tabs.addTab({ id, label: text(label) });
  const show = (id: TabId): void => tabs.activateTab(id);
  const of: Tabs['of'] = (field) => {
    const id = IDS.find((each) => field.closest(`#${each}`).length > 0);
    return id && { id, label: text(LABELS[id]) };
  };

  $('#usmp-client-tabs').attr('role', 'tablist').children().attr('role', 'presentation');
  for (const [index, id] of IDS.entries()) {
    const link = linkOf(id).attr({ id: `${id}-link`, role: 'tab', 'aria-controls': id });
    $(`#${id}`).attr({ role: 'tabpanel', 'aria-labelledby': `${id}-link` });
    link.on('keydown', (event) => {
      const next = IDS[KEYS[event.key]?.(index) ?? -1];
      if (next === undefined) return;
      event.preventDefault();
      show(next);
      linkOf(next).trigger('focus');
    });
  }
  select(IDS[0]);
  markWrong();
  setTimeout(() => tabs.resize(), 0);
  return { show, of };
}

/** Shows the fields of a tab; of the tabs, the Tab key reaches only the one that is shown. */
function select(shown: string | undefined): void {
  for (const id of IDS) {
    $(`#${id}`).toggle(id === shown);
    linkOf(id).attr({ 'aria-selected': String(id === shown), tabindex: id === shown ? '0' : '-1' });
  }
}

/** Node-RED gives a field that it refuses a class, at many occasions; tabs and screen readers are told of it here. */
function markWrong(): void {
  const marks = new Map(
    IDS.map((id) => {
      const attributes = { class: 'fa fa-exclamation-triangle usmp-client-tab-mark', role: 'img' };
      const title = text('usmp-client.tab.wrong');
      return [id, $('<i>', { ...attributes, title, 'aria-label': title }).appendTo(linkOf(id))];
    }),
  );
  const update = (): void => {
    for (const [id, mark] of marks) {
      mark.toggle($(`#${id}`).find('.input-error').length > 0);
    }
    for (const input of document.querySelectorAll('#usmp-client-panes :is(input, select)')) {
      input.setAttribute('aria-invalid', String(input.classList.contains('input-error')));
    }
  };
  const panes = document.getElementById('usmp-client-panes');
  if (!panes) return;
  // Gone with the dialog, as nothing else holds it.
  new MutationObserver(update).observe(panes, {
    subtree: true,
    attributes: true,
    attributeFilter: ['class'],
  });
  update();
}
