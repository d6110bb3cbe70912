/** A gateway in a process of its own, for being killed: it echoes, and writes down what it takes before it answers. */
import { writeSync } from 'node:fs';
import { USMPServer, type Protocol } from '../../src/index.js';

const [protocol, port, psk] = process.argv.slice(2) as [Protocol, string, string];
const server = new USMPServer({ host: '127.0.0.1', port: Number(port), psk, protocol });
server.on('session', (session) => {
  session.on('message', (message) => {
    // Synchronously, so that nothing that was receipted is lost with the process.
    writeSync(1, `${message.toString().split(' ', 1)[0] ?? ''}\n`);
    session.send(message).catch(() => undefined);
  });
});
void server.listen().then(() => writeSync(1, `port ${server.port ?? 0}\n`));
