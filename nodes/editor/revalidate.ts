/** Checks a config node anew when something was learned about it, with all that name it, and shows what came of it. */
export function revalidate(node: EditorNode): void {
  const done = new Set<string>();
  const visit = (each: EditorNode): void => {
    if (done.has(each.id)) return;
    done.add(each.id);
    RED.editor.validateNode(each);
    RED.events.emit('nodes:change', each);
    for (const user of each.users ?? []) visit(user);
  };
  visit(node);
  RED.view.redraw();
  RED.sidebar.config.refresh();
}
