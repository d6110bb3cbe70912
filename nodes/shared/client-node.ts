/** The config node as the flow nodes see it, and how they get at it. */
import type { Node, NodeAPI } from 'node-red';
import type { Gateway, User } from './gateway.js';
import type { Translate } from './text.js';

export interface UsmpClientNode extends Node {
  gateway: Gateway;
  /** What the stored PSK is there for, see `pskPurpose`; undefined when the settings are not usable. */
  pskPurpose?: string;
}

/**
 * Ties a flow node to the gateway that it names, for as long as it lives.
 * @returns undefined when none is chosen; the node's status says so then.
 */
export function useGateway(
  RED: NodeAPI,
  node: Node,
  id: string,
  user: Partial<User>,
  t: Translate,
): Gateway | undefined {
  const config = RED.nodes.getNode(id) as Partial<UsmpClientNode> | null;
  if (!config?.gateway) {
    node.status({ fill: 'red', shape: 'ring', text: t('status.noClient') });
    return undefined;
  }
  const detach = config.gateway.attach({ onStatus: (status) => node.status(status), ...user });
  node.on('close', (done: () => void) => {
    detach();
    done();
  });
  return config.gateway;
}
