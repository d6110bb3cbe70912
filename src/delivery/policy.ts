/**
 * How much a courier asks of the other side, which depends on what that is: a gateway or a device (protocol §7). When it
 * asks for a receipt depends on neither: at once, unless one is under way, whose PONG is waited for first. So a sender
 * that waits for each outcome runs at one round trip a message, and a stream of them shares a PING for each round trip.
 */

export interface DeliveryPolicy {
  /** Messages under way at most. Those without receipt are sent twice when a session dies at the wrong moment. */
  readonly window: number;
  /** A PING that came to nothing is asked for again after so many milliseconds, and so is a place in a full queue. */
  readonly retryMs: number;
}

export const GATEWAY_POLICY: DeliveryPolicy = {
  /** A gateway reads on while its application works, so a path may be filled: 64 short messages are about 30 KB. */
  window: 64,
  /** Four a second: half of the eight PINGs a second without a message between them that the reference bears (§3.5). */
  retryMs: 250,
};

export const DEVICE_POLICY: DeliveryPolicy = {
  /**
   * The Arduino wrapper holds one message that the sketch has not taken, and reads nothing more until it has: over UDP
   * whatever is sent meanwhile is repeated in vain, and five times are the end of the session (§4, §7). So the next
   * message leaves when the receipt shows that the one before was taken.
   */
  window: 1,
  /** Once a second: a device that does not answer is busy or out of reach, and its radio costs it current. */
  retryMs: 1_000,
};
