/** The config node as the flow nodes see it, and how they get at it. */
import type { Node, NodeAPI } from 'node-red';
import { FlowError } from '../words/explain.js';
import type { Exchange, Origin } from './exchange.js';
import { livesOf } from './lives.js';
import { stoppedStatus } from '../words/status.js';
import type { Translate } from '../words/text.js';
import type { User } from './users.js';

export interface ConfigNode extends Node {
  exchange: Exchange;
}

/**
 * Ties a flow node to the config node that it names, for as long as it lives.
 * @returns undefined when none is chosen, or it is disabled; the node's status says so then.
 */
export function useExchange(
  RED: NodeAPI,
  node: Node,
  id: string,
  user: Partial<User<Origin | undefined>>,
  t: Translate,
): Exchange | undefined {
  const config = RED.nodes.getNode(id) as Partial<ConfigNode> | null;
  if (!config?.exchange) {
    const text = isDisabled(RED, id) ? t('status.disabledClient') : t('status.noClient');
    node.status({ fill: 'red', shape: 'ring', text });
    return undefined;
  }
  const detach = config.exchange.attach({ onStatus: (status) => node.status(status), ...user });
  node.on('close', (done: () => void) => {
    detach();
    // Flows that are stopped leave the last status standing; at a deploy the next life of the node sets its own.
    if (!livesOf(RED).isDeploying) node.status(stoppedStatus(t));
    done();
  });
  return config.exchange;
}

/** Why a flow node that names this config node has none. */
export function noExchange(RED: NodeAPI, id: string, t: Translate): FlowError {
  const text = isDisabled(RED, id) ? t('error.disabledClient') : t('error.noClient');
  return new FlowError(text, 'USMP_NOT_CONNECTED');
}

/** Node-RED makes no node of one that is disabled, but knows of it; in a subflow by the end of its id. */
function isDisabled(RED: NodeAPI, id: string): boolean {
  let isDisabled = false;
  RED.nodes.eachNode((each) => {
    const isIt = each.id === id || id.endsWith(`-${each.id}`);
    if (isIt && (each as { d?: boolean }).d) isDisabled = true;
  });
  return isDisabled;
}
