/** Transports of a client that take all the time they have to close, as with a peer that does not read. */
import type { ClientEnvironment } from '../../src/client/options.js';
import type { Dial, TransportHandlers } from '../../src/transport/transport.js';

export const lingering = ({ dial, clock, random }: ClientEnvironment): ClientEnvironment => {
  const slow =
    (inner: Dial): Dial =>
    (target, handlers) => {
      let isHeld = false;
      let ended: (() => void) | undefined;
      const held: TransportHandlers = {
        ...handlers,
        closed(error) {
          ended = () => handlers.closed(error);
          if (!isHeld) ended();
        },
      };
      const transport = inner(target, held);
      return {
        ...transport,
        close(withinMs) {
          isHeld = true;
          transport.close(withinMs);
          clock.setTimer(withinMs, () => {
            isHeld = false;
            ended?.();
          });
        },
      };
    };
  return { clock, random, dial: { tcp: slow(dial.tcp), udp: slow(dial.udp) } };
};
