// The gateway of the demo: an embedded USMPServer over TCP and one over UDP on the same port. It echoes every message,
// answers {"command":"time"} (with the `id` of the request, if it has one), and sends readings to a device that is silent.
import { createRequire } from 'node:module';

const { USMPServer } = createRequire(import.meta.url)('../dist/src/index.js');

/** A device that has sent nothing for so long gets a reading, then as often; longer than the pauses of the examples. */
const SILENCE_MS = 8_000;
/** All devices of the demo have the same address: each example is one or two, and the user adds more. */
const MAX_CONNECTIONS = 100;

function reply(message) {
  const text = message.toString();
  try {
    const { command, id } = JSON.parse(text);
    if (command === undefined) return message;
    const answer =
      command === 'time'
        ? { time: new Date().toISOString() }
        : { error: `unknown command ${String(command)}` };
    return JSON.stringify({ id, ...answer }); // without an id, when there is none
  } catch {
    return message; // not JSON, or no object
  }
}

/** What a sensor of the gateway's own shows: a day in five minutes. */
function reading() {
  const phase = (Date.now() / 300_000) * 2 * Math.PI;
  const around = (mean, swing) => Number((mean + swing * Math.sin(phase)).toFixed(1));
  return JSON.stringify({ temperature: around(20, 5), humidity: around(50, -10) });
}

async function listen(protocol, port, psk, log) {
  const server = new USMPServer({
    host: '127.0.0.1',
    port,
    psk,
    protocol,
    maxConnectionsPerIp: MAX_CONNECTIONS,
  });
  server.on('session', (session) => {
    log(`${session.deviceId} has a session over ${protocol.toUpperCase()}`);
    // A session that ends takes its unsent messages with it; the device asks again.
    const send = (message) => void session.send(message).catch(() => undefined);
    const silence = setInterval(() => send(reading()), SILENCE_MS);
    session.on('message', (message) => {
      silence.refresh();
      send(reply(message));
    });
    session.on('close', (reason) => {
      clearInterval(silence);
      log(`${session.deviceId} is gone (${reason?.message ?? 'closed from here'})`);
    });
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
