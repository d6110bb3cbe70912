// The examples as they are in the demo: the same flows, with its gateway, its key and its broker filled in. The values
// come from the environment, so what is kept of them works after a restart, too, when ports may be others.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './fingerprint.mjs';

const folder = path.join(root, 'examples');
const HOST = '127.0.0.1';
const FILLED_IN = {
  'usmp-client': {
    host: HOST,
    port: '${USMP_DEMO_PORT}',
    pskFormat: 'hex',
    credentials: { psk: '${USMP_DEMO_PSK}' },
  },
  'mqtt-broker': { broker: HOST, port: '${USMP_DEMO_MQTT_PORT}' },
};

/** What the flows find in their environment. */
export const environment = ({ gateway, broker, psk }) => ({
  USMP_DEMO_PORT: String(gateway.port),
  USMP_DEMO_PSK: psk,
  USMP_DEMO_MQTT_PORT: String(broker.port),
});

/** @returns the flows of each example by its title; those with credentials have them inline, as an import takes them. */
export async function readExamples() {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort();
  const read = async (file) => {
    const flows = JSON.parse(await readFile(path.join(folder, file), 'utf8'));
    return [path.basename(file, '.json'), flows.map((node) => ({ ...node, ...FILLED_IN[node.type] }))];
  };
  return new Map(await Promise.all(files.map(read)));
}

/** @returns middleware of the admin API that hands these examples to the editor's import dialog. */
export function serveExamples(examples) {
  const addresses = new Map(
    [...examples].map(([title, flows]) => [`/library/examples/flows/node-red-contrib-usmp/${title}`, flows]),
  );
  return (req, res, next) => {
    const flows = addresses.get(decodeURIComponent(req.path));
    if (flows) res.json(flows);
    else next();
  };
}
