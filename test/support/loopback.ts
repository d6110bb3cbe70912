/** Real sockets on 127.0.0.1: whatever a test opened is closed after it, and what it left open fails it. */
import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { systemEnvironment, type ClientEnvironment, type ClientOptions } from '../../src/client/options.js';
import { USMPClient } from '../../src/client/usmp-client.js';
import { SUITES } from '../../src/crypto/aead.js';
import { PROTOCOLS } from '../../src/transport/transport.js';
import type { ServerEnvironment, ServerOptions } from '../../src/server/options.js';
import type { ServerSession } from '../../src/server/server-session.js';
import { USMPServer } from '../../src/server/usmp-server.js';
import { PATIENCE_MS } from './patience.js';

export const HOST = '127.0.0.1';
export const PSK = 'the key of the gateway';
export const WRONG_PSK = 'quite another key of enough bytes';
export const VARIANTS = PROTOCOLS.flatMap((protocol) => SUITES.map((suite) => ({ protocol, suite })));

type Cleanup = () => unknown;

/** Names of what keeps the process alive, sorted. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /Wrap|Timeout|Immediate/.test(name) && !/^(TTY|Pipe|Process|FS)/.test(name))
    .sort();
}

/** Turns of the event loop, until it holds or the test has lost its patience. */
export async function eventually(holds: () => boolean, limitMs = PATIENCE_MS): Promise<boolean> {
  const until = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}

export class Loopback {
  readonly #cleanups: Cleanup[] = [];

  /** Done after the test, the last one first. */
  after(cleanup: Cleanup): void {
    this.#cleanups.push(cleanup);
  }

  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  /** A server that listens, on a port of the system's choice. */
  async serve(options: Partial<ServerOptions> = {}, environment?: ServerEnvironment): Promise<USMPServer> {
    const server = new USMPServer(
      { psk: PSK, host: HOST, port: 0, noticeInterval: 0, ...options },
      environment,
    );
    this.after(() => server.close());
    await server.listen();
    return server;
  }

  /** A client of this server, not connected. */
  client(
    server: USMPServer | number,
    options: Partial<ClientOptions> = {},
    environment: ClientEnvironment = systemEnvironment,
  ): USMPClient {
    const port = typeof server === 'number' ? server : server.port!;
    const client = new USMPClient({ host: HOST, port, psk: PSK, ...options }, environment);
    this.after(() => client.disconnect());
    return client;
  }

  /** A client and its session on the server, both established. */
  async pair(
    server: USMPServer,
    options: Partial<ClientOptions> = {},
    environment?: ClientEnvironment,
  ): Promise<{ client: USMPClient; session: ServerSession }> {
    const client = this.client(server, options, environment);
    const [[session]] = await Promise.all([
      once(server, 'session') as Promise<[ServerSession]>,
      client.connect(),
    ]);
    return { client, session };
  }

  /** Something else than a gateway, that listens on TCP. */
  async tcpProgram(talk: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      talk(socket);
    });
    this.after(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    server.listen(0, HOST);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Something else than a gateway, that answers datagrams. */
  async udpProgram(
    talk: (datagram: Buffer, reply: (bytes: Uint8Array) => void) => void = () => undefined,
  ): Promise<number> {
    const socket = await this.udpSocket();
    socket.on('message', (datagram: Buffer, { port, address }: RemoteInfo) =>
      talk(datagram, (bytes) => socket.send(bytes, port, address)),
    );
    return socket.address().port;
  }

  /** A bound UDP socket. */
  async udpSocket(port = 0): Promise<UdpSocket> {
    const socket = createSocket('udp4');
    let open = true;
    socket.once('close', () => (open = false));
    this.after(() => open && new Promise<void>((resolve) => socket.close(resolve)));
    socket.bind(port, HOST);
    await once(socket, 'listening');
    return socket;
  }

  /** A bare TCP connection. */
  async tcpSocket(port: number): Promise<Socket> {
    const socket = connect(port, HOST);
    socket.on('error', () => undefined);
    this.after(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  readonly freePort = freePort;
}

/** A port on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** For the tests of the surrounding `describe`. */
export function useLoopback(): Loopback {
  const loopback = new Loopback();
  let before: string[] = [];
  beforeEach(async () => {
    await new Promise((resolve) => setImmediate(resolve)); // now mocha's own timer is there, as it is below
    before = resources();
  });
  afterEach(async () => {
    await loopback.cleanUp();
    // What was open before may have been closed by now; there is only to be nothing new.
    const left = (): string[] => {
      const known = [...before];
      return resources().filter((name) => {
        const at = known.indexOf(name);
        if (at >= 0) known.splice(at, 1);
        return at < 0;
      });
    };
    if (!(await eventually(() => left().length === 0)))
      assert.deepEqual(left(), [], 'something was left open');
  });
  return loopback;
}

/** Takes the uncaught exceptions that come up while `action` runs, in place of mocha, which would fail the test. */
export async function uncaughtDuring(action: () => Promise<unknown>): Promise<unknown[]> {
  const caught: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error));
  try {
    await action();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return caught;
}

/** @returns the promise's value and the milliseconds that it took. */
export async function timed<T>(promise: Promise<T>): Promise<{ value: T; ms: number }> {
  const from = performance.now();
  return { value: await promise, ms: performance.now() - from };
}
