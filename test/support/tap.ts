/** The world of a client on real sockets in which time stands still, until all has come that is to come in time. */
import { EventEmitter, once } from 'node:events';
import { systemEnvironment, type ClientEnvironment } from '../../src/client/options.js';
import type { Dial } from '../../src/transport/transport.js';
import type { Protocol } from '../../src/transport/transport.js';
import { FakeClock } from './clock.js';
import { nameOf } from './path.js';

/** With it a server has taken the proof of a device over UDP. */
export const HAS_HELLO_ACK = 'UTACK of HELLO_ACK 2';

/** With it a server over UDP has taken the HELLO that asks to be let in. */
export const HAS_HELLO = 'UTACK of HELLO 1';

export class Tap {
  readonly clock = new FakeClock();
  readonly environment: ClientEnvironment;
  readonly #protocol: Protocol;
  readonly #passed = new Set<string>();
  readonly #passing = new EventEmitter();

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    const { dial } = systemEnvironment;
    this.environment = {
      ...systemEnvironment,
      clock: this.clock,
      dial: { ...dial, udp: this.#tapped(dial.udp) },
    };
  }

  /**
   * What comes of an attempt or a session that meets silence: over TCP the other side closes by itself, over UDP time
   * has to tell.
   * @param last the last datagram before the silence, as `nameOf` names it; by default it is there already.
   */
  async end<T>(promise: Promise<T>, last?: string): Promise<T> {
    if (this.#protocol === 'tcp') return promise;
    while (last !== undefined && !this.#passed.has(last)) await once(this.#passing, 'datagram');
    return this.clock.until(promise);
  }

  #note(bytes: Uint8Array): void {
    this.#passed.add(nameOf(bytes));
    this.#passing.emit('datagram');
  }

  #tapped(dial: Dial): Dial {
    return (target, handlers) => {
      const data = (bytes: Uint8Array): void => {
        handlers.data(bytes);
        this.#note(bytes);
      };
      return dial(target, { ...handlers, data });
    };
  }
}
