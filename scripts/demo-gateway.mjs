// The gateway of the demo: an embedded USMPServer over TCP and one over UDP on the same port. It echoes every message,
// and answers {"command":"time"}.
import { createRequire } from 'node:module';

const { USMPServer } = createRequire(import.meta.url)('../dist/src/index.js');

function reply(message) {
  const text = message.toString();
  try {
    const { command } = JSON.parse(text);
    if (command === 'time') return JSON.stringify({ time: new Date().toISOString() });
    if (command !== undefined) return JSON.stringify({ error: `unknown command ${String(command)}` });
  } catch {
    // not JSON: echoed like everything else
  }
  return message;
}

async function listen(protocol, port, psk, log) {
  const server = new USMPServer({ host: '127.0.0.1', port, psk, protocol });
  server.on('session', (session) => {
    log(`${session.deviceId} has a session over ${protocol.toUpperCase()}`);
    // A session that ends takes its unsent replies with it; the device asks again.
    session.on('message', (message) => session.send(reply(message)).catch(() => undefined));
    session.on('close', (reason) =>
      log(`${session.deviceId} is gone (${reason?.message ?? 'closed from here'})`),
    );
  });
  server.on('refused', ({ address, reason }) => log(`refused ${address}: ${reason.message}`));
  await server.listen();
  return server;
}

/**
 * Starts both servers on `port`, or on a free port when it is taken.
 * @returns the port, and `close`.
 */
export async function startGateway(port, psk, log) {
  const started = [];
  try {
    started.push(await listen('tcp', port, psk, log));
    started.push(await listen('udp', started[0].port, psk, log));
  } catch (error) {
    await Promise.all(started.map((server) => server.close()));
    if (port === 0 || error.code !== 'USMP_PORT_IN_USE') throw error;
    log(`${error.message} – taking a free port instead`);
    return startGateway(0, psk, log);
  }
  return { port: started[0].port, close: () => Promise.all(started.map((server) => server.close())) };
}
