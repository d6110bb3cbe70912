/** A real Node-RED in a process of its own, with this package loaded from its folder. */
import {
  SEALED,
  startNodeRed as startSealed,
  type NodeRedOptions,
  type NodeRedProcess,
} from '../../scripts/node-red.mjs';
import { PATIENCE_MS } from './patience.js';

export { deployTo, type Deployment, type NodeRedProcess } from '../../scripts/node-red.mjs';

export const startNodeRed = ({
  env = {},
  settings = {},
  ...options
}: Omit<NodeRedOptions, 'folder' | 'patienceMs' | 'isGroup'>): Promise<NodeRedProcess> =>
  startSealed({
    ...options,
    env: { NODE_OPTIONS: '', ...env },
    patienceMs: PATIENCE_MS,
    settings: { ...SEALED, credentialSecret: 'test', ...settings },
  });
