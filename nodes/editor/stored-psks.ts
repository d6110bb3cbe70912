/**
 * Which config nodes have no PSK, though the editor has not loaded their credentials: it does so only when a dialog is
 * opened, and imported nodes bring none. So the runtime is asked, which tells the editor whether there is one, not what.
 */
import { revalidate } from './revalidate.js';

const TYPE = 'usmp-client';
const LIMIT_MS = 30_000;

const isStored = new Map<string, boolean>();

/** False also for a node of which the runtime has not told yet. */
export const isPskMissing = ({ id }: EditorNode): boolean => isStored.get(id) === false;

async function ask(node: EditorNode): Promise<void> {
  const url = `credentials/${TYPE}/${node.id}`;
  const wasMissing = isPskMissing(node);
  try {
    const answer = (await $.ajax({ url, dataType: 'json', timeout: LIMIT_MS })) as { has_psk?: boolean };
    isStored.set(node.id, answer.has_psk === true);
  } catch {
    return; // who may not know has to find out by deploying
  }
  if (isPskMissing(node) !== wasMissing) revalidate(node);
}

function askUnlessKnown(node: EditorNode): void {
  if (node.type === TYPE && !node.credentials) void ask(node);
}

export function watchStoredPsks(): void {
  RED.events.on('nodes:add', askUnlessKnown);
  RED.events.on('nodes:remove', ({ id }) => isStored.delete(id));
  // Then the editor forgets the credentials that it knew.
  RED.events.on('deploy', () => {
    isStored.clear();
    RED.nodes.eachConfig(askUnlessKnown);
  });
}
