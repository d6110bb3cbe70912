/** The device id of a gateway's node whose field is blank. */
import { hostname } from 'node:os';
import type { NodeAPI } from 'node-red';
import { ArgumentError, deriveDeviceId } from '../../../src/index.js';
import { isInSubflow } from './deployed.js';
import { reasonFor } from '../words/explain.js';
import type { Handler } from './permission.js';

/** Node-RED makes ids of 16 characters, and joins two of them and more inside subflows. */
const MAX_ID_LENGTH = 256;

/**
 * Node-RED draws this id once for each user folder, and keeps it there with its settings. Where it can keep none, the
 * name of the machine has to do.
 */
function installation(RED: NodeAPI): string {
  try {
    const id: unknown = RED.settings.get('instanceId');
    if (typeof id === 'string' && id !== '') return id;
  } catch {
    // The storage of this Node-RED keeps no settings.
  }
  return hostname();
}

/**
 * Always the same for a node of this Node-RED, and another in every other one: an imported flow keeps its ids, and
 * two clients of one device id would take turns at the gateway.
 */
export function blankDeviceId(RED: NodeAPI, nodeId: string): string {
  return deriveDeviceId(`${installation(RED)}/${nodeId}`);
}

/**
 * Handles `GET /usmp/device-id?id=<node id>`: 200 with the `deviceId` that a blank field stands for, deployed or not;
 * without it inside a subflow, each instance of which has its own. 400 with `Words` when there is no such id.
 */
export function deviceIdEndpoint(RED: NodeAPI): Handler {
  return (request, response) => {
    const { id } = request.query;
    if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH) {
      response.status(400).json(reasonFor(new ArgumentError('id', 'expected the id of a node')));
      return;
    }
    response.json(isInSubflow(RED, id) ? {} : { deviceId: blankDeviceId(RED, id) });
  };
}
