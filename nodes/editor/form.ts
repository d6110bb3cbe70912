/** What the dialogs do with their fields. */
import type { Typed } from '../shared/dialog/rules.js';
import { problemWith, type CheckedField, type Text } from './fields.js';
import { say } from './text.js';

/** @param objection what is wrong with a value of a node, if anything is. */
export function check<T extends EditorNode>(
  objection: (node: T, value: unknown) => Text | undefined,
): Validate<T> {
  // Node-RED takes a reason only from a function with two parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars
  return function (value, _options) {
    const problem = objection(this, value);
    return problem ? say(problem) : true;
  };
}

export const checked = (name: CheckedField): Validate<EditorNode> =>
  check((_node, value) => problemWith(name, value as Typed));

/** Rewrites what was typed into a field when the field is left; what is wrong, by taking the spaces around it away. */
export function tidy(field: JQuery, rewrite: (typed: string) => string = (typed) => typed.trim()): void {
  field.on('change', () => {
    const typed = field.val() ?? '';
    let tidied = typed.trim();
    try {
      tidied = rewrite(typed);
    } catch {
      // The check of the field says what is wrong.
    }
    if (tidied !== typed) field.val(tidied).trigger('change');
  });
}
