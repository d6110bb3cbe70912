import assert from 'node:assert/strict';
import type { LookupFunction, Socket } from 'node:net';
import { dialTcp, tcpDialer } from '../../src/transport/tcp.js';
import type { Dial, Transport } from '../../src/transport/transport.js';
import { eventually, HOST, useLoopback } from '../support/loopback.js';

/** A transport and what it has told so far. */
function dialled(dial: Dial, port: number, host = HOST) {
  const told: string[] = [];
  let isClosed!: () => void;
  const closed = new Promise<void>((resolve) => (isClosed = resolve));
  const transport: Transport = dial(
    { host, port, failures: 0 },
    {
      open: () => told.push('open'),
      data: (bytes) => told.push(`data ${Buffer.from(bytes).toString()}`),
      drain: () => told.push('drain'),
      fault: () => told.push('fault'),
      closed: (error) => {
        told.push(`closed ${error?.code ?? 'without an error'}`);
        isClosed();
      },
    },
  );
  return { transport, told, closed, until: (what: string) => eventually(() => told.includes(what)) };
}

describe('a TCP transport', () => {
  const loopback = useLoopback();

  it('opens, carries bytes both ways, and ends with the peer', async () => {
    let heard = '';
    const port = await loopback.tcpProgram((socket) =>
      socket.on('data', (chunk) => {
        heard += chunk.toString();
        socket.end('answer');
      }),
    );
    const { transport, told, closed } = dialled(dialTcp, port);
    transport.write(Buffer.from('question'));
    await closed;
    assert.equal(heard, 'question');
    assert.deepEqual(told, ['open', 'data answer', 'closed without an error']);
  });

  it('tells a reset of the peer from its end', async () => {
    const port = await loopback.tcpProgram((socket) => socket.resetAndDestroy());
    const { told, closed } = dialled(dialTcp, port);
    await closed;
    assert.equal(told.at(-1), 'closed ECONNRESET');
  });

  it('sends what was written before it closes', async () => {
    let heard = 0;
    const port = await loopback.tcpProgram((socket) => {
      socket.on('data', (chunk) => (heard += chunk.length));
      socket.on('end', () => socket.end());
    });
    const { transport, closed, until } = dialled(dialTcp, port);
    assert.ok(await until('open'));
    transport.write(new Uint8Array(2 ** 20));
    transport.close(60_000);
    await closed;
    assert.ok(await eventually(() => heard === 2 ** 20));
  });

  it('lets go of a peer that reads nothing when its time to close is over', async () => {
    const port = await loopback.tcpProgram((socket) => socket.pause());
    const { transport, told, closed, until } = dialled(dialTcp, port);
    assert.ok(await until('open'));
    while (transport.write(new Uint8Array(2 ** 20)));
    transport.close(1);
    transport.close(60_000); // the first counts
    await closed;
    assert.deepEqual(told, ['open', 'closed without an error']);
  });

  it('says when there is room again behind a full socket', async () => {
    let reader!: Socket;
    const port = await loopback.tcpProgram((socket) => (reader = socket.pause()));
    const { transport, closed, until } = dialled(dialTcp, port);
    assert.ok(await until('open'));
    while (transport.write(new Uint8Array(2 ** 20)));
    reader.resume();
    assert.ok(await until('drain'));
    transport.close(0);
    await closed;
  });

  it('hands nothing out while it is paused, and then all', async () => {
    const port = await loopback.tcpProgram((socket) => socket.write('early'));
    const { transport, told, closed, until } = dialled(dialTcp, port);
    transport.pause();
    assert.ok(await until('open'));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told, ['open']);
    transport.resume();
    assert.ok(await until('data early'));
    transport.close(0);
    await closed;
  });

  it('may be closed before it opens', async () => {
    const { transport, told, closed } = dialled(dialTcp, await loopback.tcpProgram(() => undefined));
    transport.close(60_000);
    await closed;
    assert.deepEqual(told, ['closed without an error']);
  });
});

describe('a TCP transport to a host name', () => {
  const loopback = useLoopback();

  it('knows whether the name is still being looked up', async () => {
    let answer!: () => void;
    const lookup: LookupFunction = (_host, options, callback) => {
      const address = { address: HOST, family: 4 };
      answer = () => (options.all ? callback(null, [address]) : callback(null, HOST, 4));
    };
    const port = await loopback.tcpProgram(() => undefined);
    const { transport, closed, until } = dialled(tcpDialer(lookup), port, 'gateway.test');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(transport.isResolving, true);
    answer();
    assert.ok(await until('open'));
    assert.equal(transport.isResolving, false);
    transport.close(0);
    await closed;
  });

  it('never looks up an address', async () => {
    const port = await loopback.tcpProgram(() => undefined);
    const { transport, closed } = dialled(dialTcp, port);
    assert.equal(transport.isResolving, false);
    transport.close(0);
    await closed;
  });

  it('may be closed while the name is looked up, and hears nothing of its address', async () => {
    let answer!: () => void;
    const lookup: LookupFunction = (_host, _options, callback) => (answer = () => callback(null, HOST, 4));
    const { transport, told, closed } = dialled(tcpDialer(lookup), 9, 'gateway.test');
    await new Promise((resolve) => setImmediate(resolve));
    transport.close(60_000);
    await closed;
    answer();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told, ['closed without an error']);
  });
});
