/** What other settings rule out: which sessions can not go on under them. */
import { USMPError } from '../errors.js';
import { networkOf } from './network.js';
import type { CheckedServerOptions } from './options.js';
import type { ServerSession } from './server-session.js';

type Settings = Pick<CheckedServerOptions, 'protocol' | 'suite' | 'maxSessions' | 'maxSessionsPerAddress'>;

const ruledOut = (why: string): USMPError =>
  new USMPError(`the settings of the server were changed: ${why}`, {
    code: 'USMP_SETTINGS_CHANGED',
    fault: 'local',
  });

/**
 * The sessions that end, and why. Keys are judged elsewhere.
 * @param sessions the oldest first: it is the newest that a smaller limit ends.
 * @param isSamePort whether the address and port listened on stay the same.
 */
export function sessionsRuledOut(
  sessions: Iterable<ServerSession>,
  before: Settings,
  after: Settings,
  isSamePort: boolean,
): Map<ServerSession, USMPError> {
  const ending = new Map<ServerSession, USMPError>();
  const perAddress = new Map<string, number>();
  let count = 0;
  const reasonFor = ({ protocol, remoteAddress }: ServerSession): USMPError | undefined => {
    if (before.suite !== after.suite) return ruledOut('another cipher suite');
    // Sessions over UDP share the socket that is listened on; those over TCP have their own.
    if (protocol === 'udp' && !isSamePort) return ruledOut('another address or port');
    if (after.protocol !== 'both' && after.protocol !== protocol)
      return ruledOut(`no ${protocol.toUpperCase()}`);
    const network = networkOf(remoteAddress);
    const ofAddress = perAddress.get(network) ?? 0;
    if (count >= after.maxSessions || ofAddress >= after.maxSessionsPerAddress)
      return ruledOut('a smaller limit');
    count += 1;
    perAddress.set(network, ofAddress + 1);
    return undefined;
  };
  for (const session of sessions) {
    const reason = reasonFor(session);
    if (reason) ending.set(session, reason);
  }
  return ending;
}
