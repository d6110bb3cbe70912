import assert from 'node:assert/strict';
import { Listening, type Where } from '../../src/server/listen.js';
import type { Listener } from '../../src/server/listener.js';
import type { ServerProtocol } from '../../src/server/options.js';
import { Port } from '../../src/server/port.js';
import { PROTOCOLS, type Protocol } from '../../src/transport/transport.js';
import { settle } from '../support/clock.js';

const where = (protocol: ServerProtocol, port = 9_000): Where => ({ host: '0.0.0.0', port, protocol });

/** A port whose opening is told when to go on. */
function world() {
  const log: string[] = [];
  const state = { wanted: where('tcp'), fails: false };
  const steps: (() => void)[] = [];
  const listener = (protocol: Protocol): Listener => ({
    port: state.wanted.port,
    close: () => Promise.resolve(void log.push(`-${protocol}`)),
  });
  const port = new Port<string>(async (staying) => {
    await new Promise<void>((resolve) => steps.push(resolve));
    if (state.fails) throw new Error('taken');
    const { protocol } = state.wanted;
    const listeners = new Map(staying?.listeners);
    for (const each of protocol === 'both' ? PROTOCOLS : [protocol]) {
      if (listeners.has(each)) continue;
      log.push(`+${each}`);
      listeners.set(each, listener(each));
    }
    return new Listening(state.wanted, listeners);
  });
  const go = async (): Promise<void> => {
    await settle();
    for (const step of steps.splice(0)) step();
    await settle();
  };
  const change = (after: Where): Promise<void> => {
    state.wanted = after;
    return port.change(after, (leaving) => leaving.close());
  };
  const close = (): Promise<string | undefined> =>
    port.close(async (listening) => {
      await listening.close();
      return 'closed';
    });
  const open = async (): Promise<void> => {
    const opened = port.open();
    await go();
    await opened;
  };
  return {
    port,
    log,
    state,
    go,
    change,
    close,
    open,
    protocols: () => [...(port.listening?.listeners.keys() ?? [])],
  };
}

describe('the port of a server', () => {
  it('is opened once, whoever asks for it meanwhile', async () => {
    const { port, log, go } = world();
    const all = [port.open(), port.open()];
    assert.equal(port.at, 'starting');
    await go();
    await Promise.all([...all, port.open()]);
    assert.deepEqual([port.at, log], ['listening', ['+tcp']]);
  });

  it('opens what is missing and closes what is not wanted, and what stays is listened on all the time', async () => {
    const { open, change, go, log, port, protocols } = world();
    await open();
    const both = change(where('both'));
    assert.deepEqual([port.at, protocols()], ['changing', ['tcp']]);
    await go();
    await both;
    assert.deepEqual(
      [log.splice(0), protocols()],
      [
        ['+tcp', '+udp'],
        ['tcp', 'udp'],
      ],
    );
    const udp = change(where('udp'));
    await go();
    await udp;
    assert.deepEqual([log.splice(0), protocols()], [['-tcp'], ['udp']]);
    await change(where('udp'));
    const other = change(where('udp', 9_001));
    await go();
    await other;
    assert.deepEqual([log, port.listening?.port], [['-udp', '+udp'], 9_001]);
  });

  it('goes on with what stays when the rest can not be opened, and is closed when nothing does', async () => {
    const { open, change, go, state, port, protocols } = world();
    await open();
    state.fails = true;
    const both = assert.rejects(change(where('both')), /taken/);
    await go();
    await both;
    assert.deepEqual([port.at, protocols()], ['listening', ['tcp']]);
    const other = assert.rejects(change(where('tcp', 9_001)), /taken/);
    await go();
    await other;
    assert.deepEqual([port.at, protocols()], ['closed', []]);
  });

  it('does one after the other what is asked for at the same time', async () => {
    const { open, change, close, go, port, log } = world();
    await open();
    const all = [change(where('both')), change(where('udp')), close()];
    for (let n = 0; n < 3; n++) await go();
    await Promise.all(all);
    assert.equal(port.at, 'closed');
    assert.deepEqual(new Set(log.slice(-2)), new Set(['-tcp', '-udp']));
    assert.equal(await close(), undefined, 'it was');
  });

  it('is opened again after a close that is under way, and not changed while it is closed', async () => {
    const { open, change, close, go, port } = world();
    await change(where('udp'));
    assert.equal(port.at, 'closed');
    await open();
    const closed = close();
    const again = port.open();
    assert.equal(await closed, 'closed');
    await go();
    await again;
    assert.equal(port.at, 'listening');
  });
});
