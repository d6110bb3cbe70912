// `npm start`: Node-RED with the first example deployed, and a gateway for it to talk to. Needs no device, server or
// account. The pre-shared key is new at every start and reaches the flow through the environment.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { encryptCredentials } from './credentials.mjs';
import { startGateway } from './demo-gateway.mjs';
import { root } from './fingerprint.mjs';

const require = createRequire(import.meta.url);
const userDir = process.env.USMP_DEMO_DIR ?? path.join(root, '.demo');
const example = path.join(root, 'examples', '1 - First contact.json');
const wantedPort = Number(process.env.PORT ?? 1880);
const wantedGatewayPort = Number(process.env.USMP_DEMO_GATEWAY_PORT ?? 9000);
const CREDENTIAL_SECRET = 'demo';

const log = (text) => console.log(`[demo] ${text}`);

const psk = randomBytes(32).toString('hex');
process.env.USMP_DEMO_PSK = psk;
const gateway = await startGateway(wantedGatewayPort, Buffer.from(psk, 'hex'), log);
process.env.USMP_DEMO_PORT = String(gateway.port);

// The example as it is, but for where the gateway listens and where the key comes from.
const flows = JSON.parse(await readFile(example, 'utf8'));
const clients = flows.filter((node) => node.type === 'usmp-client');
for (const client of clients) client.port = '${USMP_DEMO_PORT}';
await mkdir(userDir, { recursive: true });
await writeFile(path.join(userDir, 'flows.json'), JSON.stringify(flows, null, 2));
await writeFile(
  path.join(userDir, 'flows_cred.json'),
  JSON.stringify(
    encryptCredentials(
      CREDENTIAL_SECRET,
      Object.fromEntries(clients.map(({ id }) => [id, { psk: '${USMP_DEMO_PSK}' }])),
    ),
  ),
);

async function listen(server, port) {
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error.code !== 'EADDRINUSE' || port === 0) throw error;
    log(`port ${port} is taken by another program – taking a free port for the editor instead`);
    await listen(server, 0);
  }
}

const RED = require(process.env.NODE_RED_MAIN ?? 'node-red');
const notFound = (res) => () => {
  res.statusCode = 404;
  res.end();
};
const server = createServer((req, res) =>
  RED.httpAdmin(req, res, () => RED.httpNode(req, res, notFound(res))),
);
await listen(server, wantedPort);
const { port } = server.address();
RED.init(server, {
  uiHost: '127.0.0.1',
  uiPort: port,
  userDir,
  flowFile: 'flows.json',
  nodesDir: root,
  credentialSecret: CREDENTIAL_SECRET,
  telemetry: { enabled: false, updateNotification: false },
  externalModules: {
    autoInstall: false,
    palette: { allowInstall: false, allowUpload: false },
    modules: { allowInstall: false },
  },
  functionExternalModules: false,
  editorTheme: {
    tours: false,
    projects: { enabled: false },
    page: { title: 'USMP demo' },
    palette: { catalogues: [] },
  },
  diagnostics: { enabled: false, ui: false },
  logging: { console: { level: 'info', metrics: false, audit: false } },
});

let stopping = false;
async function stop() {
  if (stopping) process.exit(1); // asked twice
  stopping = true;
  await RED.stop();
  await gateway.close();
  server.close();
  server.closeAllConnections();
  process.exit(0);
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

RED.runtime.events.once('flows:started', () => {
  log(`the gateway listens on 127.0.0.1:${gateway.port}, TCP and UDP`);
  log(`open http://127.0.0.1:${port} – Ctrl-C ends everything`);
});
await RED.start();
