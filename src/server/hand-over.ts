/** What other settings rule out: which sessions can not go on under them, and whether the port has to be opened anew. */
import { USMPError } from '../errors.js';
import type { CheckedServerOptions } from './options.js';
import type { ServerSession } from './server-session.js';

type Settings = Pick<
  CheckedServerOptions,
  'host' | 'port' | 'protocol' | 'suite' | 'maxSessions' | 'maxSessionsPerAddress'
>;

/** Whether another address, port or protocol is to be listened on. */
export const needsOtherListener = (before: Settings, after: Settings): boolean =>
  before.host !== after.host || before.port !== after.port || before.protocol !== after.protocol;

const ruledOut = (why: string): USMPError =>
  new USMPError(`the settings of the server were changed: ${why}`, {
    code: 'USMP_SETTINGS_CHANGED',
    fault: 'local',
  });

/**
 * The sessions that end, and why. Keys are judged elsewhere.
 * @param sessions the oldest first: it is the newest that a smaller limit ends.
 */
export function sessionsRuledOut(
  sessions: Iterable<ServerSession>,
  before: Settings,
  after: Settings,
): Map<ServerSession, USMPError> {
  const ending = new Map<ServerSession, USMPError>();
  const perAddress = new Map<string, number>();
  let count = 0;
  const isOtherListener = needsOtherListener(before, after);
  const reasonFor = ({ protocol, remoteAddress }: ServerSession): USMPError | undefined => {
    if (before.suite !== after.suite) return ruledOut('another cipher suite');
    // Sessions over UDP share the socket that is listened on; those over TCP have their own.
    if (isOtherListener && protocol === 'udp') return ruledOut('another address, port or protocol');
    if (protocol === 'tcp' && after.protocol === 'udp') return ruledOut('no TCP');
    const ofAddress = perAddress.get(remoteAddress) ?? 0;
    if (count >= after.maxSessions || ofAddress >= after.maxSessionsPerAddress)
      return ruledOut('a smaller limit');
    count += 1;
    perAddress.set(remoteAddress, ofAddress + 1);
    return undefined;
  };
  for (const session of sessions) {
    const reason = reasonFor(session);
    if (reason) ending.set(session, reason);
  }
  return ending;
}
