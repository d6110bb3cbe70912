/** What Node-RED knows of a gateway's node by its id: its environment, and the PSK stored for it. */
import type { Node, NodeAPI } from 'node-red';
import { ArgumentError } from '../../../src/index.js';
import type { Environment } from './settings.js';

/** Whether a node is part of a deployed subflow. Then it never runs itself, only copies of it do. */
export function isInSubflow(RED: NodeAPI, id: string): boolean {
  let flow: string | undefined;
  const subflows = new Set<string>();
  RED.nodes.eachNode((node) => {
    if (node.id === id) flow = node.z;
    if (node.type === 'subflow') subflows.add(node.id);
  });
  return flow !== undefined && subflows.has(flow);
}

/** Whether a node is still in the flows that are deployed, disabled perhaps; of a subflow's, also the instance of it. */
export function isInFlows(RED: NodeAPI, node: Node): boolean {
  const ids = new Set<string>();
  RED.nodes.eachNode(({ id }) => ids.add(id));
  // The ids of the flow, of the instances from the outside in, and of the node where it is defined.
  const { _path: path = node.id } = node as Node & { _path?: string };
  return path.split('/').every((id) => id === 'global' || ids.has(id));
}

/** Where Node-RED finds variables for a node: a running one has also those of its flow, and the global ones. */
export function environmentOf(RED: NodeAPI, id: string): Environment {
  if (isInSubflow(RED, id)) {
    return (_name, field) => {
      throw new ArgumentError(field, 'each instance may set it otherwise', { kind: 'environmentSubflow' });
    };
  }
  const node = RED.nodes.getNode(id) as Node | null;
  if (node) return (name) => RED.util.getSetting(node, name);
  const { envVarExcludes = [] } = RED.settings as { envVarExcludes?: readonly string[] };
  return (name) =>
    Object.hasOwn(process.env, name) && !envVarExcludes.includes(name) ? process.env[name] : undefined;
}

/**
 * The PSK of a running node.
 * @param purpose what it shall be used for now, see `pskPurpose`.
 * @throws ArgumentError naming `psk` when it is there for something else: whoever may test a connection must not
 * make Node-RED prove it knows the key to a host of their choice.
 */
export function storedPsk(RED: NodeAPI, id: string, purpose: string): string | undefined {
  const node = RED.nodes.getNode(id) as (Node & { pskPurpose?: string }) | null;
  if (node?.pskPurpose === purpose) return (node.credentials as { psk?: string }).psk;
  const problem = isInSubflow(RED, id) ? { kind: 'pskSubflow' } : { kind: 'pskPurpose' };
  throw new ArgumentError('psk', 'the stored PSK serves only what is deployed', problem);
}
