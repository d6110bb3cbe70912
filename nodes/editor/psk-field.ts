/** The PSK in the config dialog: hidden until asked for, judged while it is typed, generated, copied. */
import { field, typedInto } from './client-form.js';
import { assessPsk, formatOf, GENERATED_BYTES, generatedFormat, generatePsk, STORED } from './psk.js';
import { say, text } from './text.js';

/** What the formats are called in a few letters. */
const SHORT = { hex: 'usmp-client.format.hex', base64: 'usmp-client.format.base64' };

/** What they are called in the select. */
const FORMATS = {
  text: 'usmp-client.option.text',
  hex: 'usmp-client.option.hex',
  base64: 'usmp-client.option.base64',
};

export function preparePsk(): void {
  const psk = field('psk');
  const format = field('pskFormat');
  const show = $('#usmp-client-psk-show');
  const copy = $('#usmp-client-psk-copy');
  const generate = $('#usmp-client-psk-generate');
  const note = $('#usmp-client-psk-note');
  const useFormat = $('#usmp-client-psk-format');
  const formatRow = useFormat.closest('.usmp-client-aside');
  let generated: string | undefined;

  const chosenFormat = (): keyof typeof FORMATS => formatOf(typedInto('pskFormat'));
  const isShown = (): boolean => psk.attr('type') === 'text';

  function reveal(visible: boolean): void {
    psk.attr('type', visible ? 'text' : 'password');
    show.find('i').toggleClass('fa-eye', !visible).toggleClass('fa-eye-slash', visible);
    const title = visible ? text('usmp-client.button.pskHide') : text('usmp-client.button.pskShow');
    show.attr({ title, 'aria-label': title, 'aria-pressed': String(visible) });
  }

  function update(): void {
    const typed = typedInto('psk');
    const { kind, text: judgement, otherFormat } = assessPsk(typed, chosenFormat());
    const isFresh = kind === 'ok' && typed === generated;
    note.attr('data-kind', kind);
    note.text(isFresh ? text('usmp-client.psk.generated', { size: GENERATED_BYTES }) : say(judgement));
    psk.toggleClass('input-error', kind === 'error');
    formatRow.toggle(otherFormat !== undefined);
    if (otherFormat) {
      useFormat.attr('data-format', otherFormat);
      useFormat.text(text('usmp-client.button.useFormat', { format: text(FORMATS[otherFormat]) }));
    }
    const unreadable = typed === '' || typed === STORED;
    show.add(copy).prop('disabled', unreadable);
    if (unreadable) reveal(false);
    const values = { format: text(SHORT[generatedFormat(chosenFormat())]), size: GENERATED_BYTES };
    generate.find('span').text(text('usmp-client.button.pskGenerate', values));
  }

  const setFormat = (value: string): void => void format.val(value).trigger('change');

  reveal(false);
  psk.on('focus', () => {
    if (typedInto('psk') === STORED) psk.trigger('select');
  });
  psk.on('change keyup paste input', update);
  format.on('change', () => {
    update();
    psk.trigger('change'); // its verdict depends on the format
  });
  show.on('click', () => reveal(!isShown()));
  copy.on('click', () => RED.clipboard.copyText(typedInto('psk'), copy, 'clipboard.copyMessageValue'));
  useFormat.on('click', () => {
    setFormat(useFormat.attr('data-format') ?? '');
    psk.trigger('focus'); // the button is gone
  });
  generate.on('click', () => {
    const chosen = generatedFormat(chosenFormat());
    generated = generatePsk(chosen);
    psk.val(generated);
    reveal(true);
    setFormat(chosen);
  });
  update();
}
