/** A device over UDP whose NAT gives it another address: its session goes on; and what strangers make of that. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:dgram';
import { systemRandom } from '../../src/crypto/random.js';
import type { USMPServer } from '../../src/server/usmp-server.js';
import { FrameType } from '../../src/wire/constants.js';
import { encodeFrame } from '../../src/wire/frame.js';
import { BoundDial } from '../support/bound-dial.js';
import { FakeClock, settle } from '../support/clock.js';
import { eventually, HOST, useLoopback, type Loopback } from '../support/loopback.js';
import { nameOf } from '../support/path.js';

/** Between a client and a server, as a NAT: what it forwards comes from a port of its own, which can change. */
class Nat {
  readonly toServer: Uint8Array[] = [];
  readonly toClient: { readonly bytes: Uint8Array; readonly via: Socket }[] = [];
  port = 0;
  outside!: Socket;
  #inside!: Socket;
  #clientPort = 0;
  #serverPort = 0;
  readonly #loopback: Loopback;
  readonly #spare: Socket[] = [];
  #isOver = false;

  constructor(loopback: Loopback) {
    this.#loopback = loopback;
  }

  async open(server: USMPServer): Promise<this> {
    this.#serverPort = server.port!;
    this.#inside = await this.#loopback.udpSocket();
    this.port = this.#inside.address().port;
    this.#inside.on('message', (bytes: Buffer, { port }) => {
      this.#clientPort = port;
      this.toServer.push(Uint8Array.from(bytes));
      this.inject(bytes, this.outside);
    });
    // Made now, so that they are there until the client has said BYE.
    for (let n = 0; n < 5; n++) this.#spare.push(await this.#loopback.udpSocket());
    await this.rebind();
    this.#loopback.after(() => (this.#isOver = true));
    return this;
  }

  /** When all is acknowledged that has come so far; what comes to the old port is lost from now on. */
  async rebind(): Promise<void> {
    const isUtack = (bytes: Uint8Array): boolean => nameOf(bytes).startsWith('UTACK');
    const owed = (): number => this.toClient.filter(({ bytes }) => !isUtack(bytes)).length;
    assert.ok(await eventually(() => this.toServer.filter(isUtack).length >= owed()));
    const socket = this.#spare.shift();
    assert.ok(socket);
    this.outside = socket;
    socket.on('message', (bytes: Buffer) => {
      this.toClient.push({ bytes: Uint8Array.from(bytes), via: socket });
      if (socket === this.outside && !this.#isOver) this.#inside.send(bytes, this.#clientPort, HOST);
    });
  }

  inject(bytes: Uint8Array, from: Socket): void {
    if (!this.#isOver) from.send(bytes, this.#serverPort, HOST);
  }
}

describe('a session over UDP whose device changes its address', () => {
  const loopback = useLoopback();

  /** Time stands still, so that all that happens does so without a repeat. */
  async function world() {
    const clock = new FakeClock();
    const server = await loopback.serve({ protocol: 'udp' }, { clock, random: systemRandom });
    let sessions = 0;
    server.on('session', () => (sessions += 1));
    const nat = await new Nat(loopback).open(server);
    const { client, session } = await loopback.pair(server, { protocol: 'udp', port: nat.port });
    await client.ping();
    return { clock, server, nat, client, session, count: () => sessions };
  }

  it('goes on within one round trip and without a new handshake', async () => {
    const { nat, client, session, count } = await world();
    for (let n = 0; n < 3; n++) {
      await nat.rebind();
      const before = nat.toServer.length;
      await client.send(`from elsewhere ${n}`);
      assert.deepEqual(
        nat.toServer
          .slice(before)
          .map(nameOf)
          .filter((name) => name.startsWith('DATA')).length,
        1,
      );
      assert.equal((await session.recv()).toString(), `from elsewhere ${n}`);
      assert.equal(session.remotePort, nat.outside.address().port);
      await session.send('to where it is now');
      assert.equal((await client.recv()).toString(), 'to where it is now');
      await client.ping();
    }
    assert.equal(count(), 1);
    assert.equal(nat.toServer.filter((bytes) => nameOf(bytes).startsWith('HELLO ')).length, 2);
  });

  it('answers the very frame that shows it where that came from', async () => {
    const { nat, client } = await world();
    await nat.rebind();
    await client.ping();
    const names = nat.toClient.filter(({ via }) => via === nat.outside).map(({ bytes }) => nameOf(bytes));
    assert.deepEqual(
      names.map((name) => name.split(' ')[0]),
      ['UTACK', 'PONG'],
    );
  });

  it('gets again at once what went to where it was, once for a move', async () => {
    const { nat, client, session } = await world();
    await nat.rebind();
    const lost = nat.toClient.length;
    const sent = session.send('to where it was');
    assert.ok(await eventually(() => nat.toClient.length > lost));
    const before = nat.toClient.length;
    await client.send('from elsewhere');
    assert.equal((await client.recv({ timeout: 5 })).toString(), 'to where it was');
    await sent;
    await client.send('and again');
    const again = nat.toClient.slice(before).filter(({ bytes }) => nameOf(bytes).startsWith('DATA'));
    assert.deepEqual([again.length, session.repeats], [1, 1]);
  });

  it('is not moved by a repeat from elsewhere, which is acknowledged there', async () => {
    const { nat, client, session } = await world();
    await client.send('recorded');
    await session.recv();
    const home = session.remotePort;
    const stranger = await loopback.udpSocket();
    const answers: Buffer[] = [];
    stranger.on('message', (bytes: Buffer) => answers.push(bytes));
    const recorded = nat.toServer.filter((bytes) => /^(DATA|PING)/.test(nameOf(bytes)));
    for (let n = 0; n < 100; n++) for (const bytes of recorded) nat.inject(bytes, stranger);
    assert.ok(await eventually(() => answers.length > 0));
    assert.ok(answers.every((bytes) => nameOf(bytes).startsWith('UTACK')));
    assert.equal(session.remotePort, home);
    await session.send('still here');
    assert.equal((await client.recv()).toString(), 'still here');
  });

  it('is not moved, and answers nothing, when what comes from elsewhere is forged', async () => {
    const { nat, client, session } = await world();
    await client.send('original');
    await session.recv();
    const home = session.remotePort;
    const stranger = await loopback.udpSocket();
    let answers = 0;
    stranger.on('message', () => (answers += 1));
    const id = Uint8Array.from(Buffer.from(session.sessionId, 'hex'));
    for (let seq = 0; seq < 200; seq++) {
      const payload = systemRandom(40);
      new DataView(payload.buffer).setUint32(0, seq, true);
      payload.set(id.subarray(0, 8), 4);
      for (const type of [FrameType.DATA, FrameType.PING, FrameType.BYE])
        nat.inject(encodeFrame({ type, seq, payload }), stranger);
    }
    await client.ping(); // comes in behind them
    await settle();
    assert.deepEqual([answers, session.remotePort, session.connected], [0, home, true]);
    await session.send('still here');
    assert.equal((await client.recv()).toString(), 'still here');
  });

  it('leaves with BYE from wherever it is', async () => {
    const { nat, client, server } = await world();
    await nat.rebind();
    await client.disconnect();
    assert.ok(await eventually(() => server.sessions.size === 0));
  });

  it('has each an id whose first half no other live session has', async () => {
    const clock = new FakeClock();
    // The first random 16 bytes are those of a cookie's key or a session's id; each comes twice.
    let last: Uint8Array | undefined;
    const random = (count: number): Uint8Array => {
      if (count !== 16) return systemRandom(count);
      const repeated = last;
      last = repeated ? undefined : systemRandom(count);
      return Uint8Array.from(repeated ?? last!);
    };
    const server = await loopback.serve({ protocol: 'udp' }, { clock, random });
    for (let n = 0; n < 4; n++) await loopback.pair(server, { protocol: 'udp' });
    const halves = new Set([...server.sessions.values()].map(({ sessionId }) => sessionId.slice(0, 16)));
    assert.equal(halves.size, 4);
  });

  it('gives its place to another device that opens one from the same address and port', async () => {
    const clock = new FakeClock();
    const server = await loopback.serve({ protocol: 'udp' }, { clock, random: systemRandom });
    const ids = [1, 2, 3, 4, 5, 6, 7].map((n) => `a4:cf:12:00:00:0${n}`); // more than one address may have
    const port = await loopback.freePort();
    const reasons: (string | undefined)[] = [];
    for (const deviceId of ids) {
      const dial = new BoundDial(port);
      const { client, session } = await loopback.pair(
        server,
        { protocol: 'udp', deviceId },
        dial.environment,
      );
      session.on('close', (reason) => reasons.push(reason?.code));
      await client.ping();
      assert.deepEqual([...server.sessions.keys()], [deviceId], 'the only one at this address and port');
      if (deviceId === ids.at(-1)) continue;
      dial.crash();
      await client.disconnect();
    }
    assert.deepEqual(reasons, Array<string>(6).fill('USMP_REPLACED'));
  });
});
