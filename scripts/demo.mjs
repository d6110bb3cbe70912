// `npm start`: Node-RED with the first example deployed, and a gateway and an MQTT broker for the examples to talk to.
// Needs no device, server or account. What the user changes in the editor is kept in `.demo` until
// `npm start -- --fresh`. The gateway's key is there, too, and reaches the flows through the environment.
import { once } from 'node:events';
import { createServer } from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startBroker } from './demo-broker.mjs';
import { environment, readExamples, serveExamples } from './demo-examples.mjs';
import { CREDENTIAL_SECRET, DemoError, FLOWS, openFolder } from './demo-folder.mjs';
import { startGateway } from './demo-gateway.mjs';
import { root } from './fingerprint.mjs';
import { loadNodeRed, SEALED } from './node-red.mjs';

const userDir = process.env.USMP_DEMO_DIR ?? path.join(root, '.demo');
const log = (text) => console.log(`[demo] ${text}`);

/** @throws DemoError for an argument that there is not. */
function options() {
  try {
    return parseArgs({ options: { fresh: { type: 'boolean', default: false } } }).values;
  } catch (error) {
    throw new DemoError(`${error.message}. There is only --fresh: npm start -- --fresh`);
  }
}

/** @throws DemoError when the variable is set to something else. */
function portFrom(variable, standard) {
  const port = Number(process.env[variable] || standard);
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new DemoError(`${variable}: expected a port from 0 (any free one) to 65535`);
}

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

async function start() {
  const { fresh } = options();
  const wantedPort = portFrom('PORT', 1880);
  const wantedGatewayPort = portFrom('USMP_DEMO_GATEWAY_PORT', 9000);
  const examples = await readExamples();
  const psk = await openFolder(userDir, { fresh, flows: [...examples.values()][0], log });
  const gateway = await startGateway(wantedGatewayPort, Buffer.from(psk, 'hex'), log);
  const broker = await startBroker();
  Object.assign(process.env, environment({ gateway, broker, psk }));

  const RED = loadNodeRed();
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
    ...SEALED,
    uiPort: port,
    userDir,
    flowFile: FLOWS,
    credentialSecret: CREDENTIAL_SECRET,
    httpAdminMiddleware: serveExamples(examples),
    functionExternalModules: false,
    editorTheme: { ...SEALED.editorTheme, page: { title: 'USMP demo' } },
    logging: { console: { level: 'info', metrics: false, audit: false } },
  });

  let stopping = false;
  async function stop() {
    if (stopping) process.exit(1); // asked twice
    stopping = true;
    await RED.stop();
    await Promise.all([gateway.close(), broker.close()]);
    server.close();
    server.closeAllConnections();
    process.exit(0);
  }
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  RED.runtime.events.once('flows:started', () => {
    log(
      `the gateway listens on 127.0.0.1:${gateway.port}, TCP and UDP; its PSK is \${USMP_DEMO_PSK}, format hex`,
    );
    log(`an MQTT broker for the example that bridges to MQTT listens on 127.0.0.1:${broker.port}`);
    log(`open http://127.0.0.1:${port} – Ctrl-C ends everything`);
  });
  await RED.start();
}

await start().catch((error) => {
  if (!(error instanceof DemoError)) throw error;
  console.error(`[demo] ${error.message}`);
  process.exitCode = 1;
});
