/** Why no connection to a gateway could be opened, in words and with a code. */
import { hostAndPort } from '../check.js';
import type { CodeOf } from '../error-codes.js';
import { ConnectionClosedError, USMPTimeoutError, type USMPError } from '../errors.js';
import { isClosedByPeer } from '../party/party.js';
import type { Protocol } from '../transport/transport.js';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** Whether the system says that the network failed, and not that the gateway closed the connection. */
export function isNetworkFailure({ cause }: USMPError): boolean {
  const error = cause as NodeJS.ErrnoException | undefined;
  return error?.code !== undefined && !isClosedByPeer(error);
}

/** The handshake succeeded, and then nothing that was sealed came, though a PING was sent (protocol §5.2). */
export function neverProven(cause: USMPError): USMPError {
  return new ConnectionClosedError(
    'the gateway accepted the PSK, but the session ended before its first sealed frame: it is set to another cipher ' +
      `suite, or it has no room for another session (${cause.message})`,
    { code: 'USMP_NEVER_PROVEN', cause },
  );
}

/** Session after session ended within seconds. */
export function shortSessions(deviceId: string, cause: USMPError): USMPError {
  return new ConnectionClosedError(
    `sessions end after a few seconds again and again: another client may be using device id ${deviceId}, and the two ` +
      `take turns (${cause.message})`,
    { code: 'USMP_SHORT_SESSIONS', cause, values: { deviceId } },
  );
}

/**
 * @param error what the system said, or undefined when it said nothing in time.
 * @param isResolving whether the address of the host name was still being looked up then.
 */
export function explainConnectFailure(
  { host, port, protocol }: Endpoint,
  error: NodeJS.ErrnoException | undefined,
  isResolving: boolean,
): USMPError {
  const where = `${hostAndPort(host, port)} (${protocol.toUpperCase()})`;
  if (!error && isResolving) {
    return new USMPTimeoutError(
      `no address found for the host name ${host} in time: check the DNS, or use the IP address`,
      { code: 'USMP_NAME_TIMEOUT' },
    );
  }
  switch (error?.syscall === 'getaddrinfo' ? 'ENOTFOUND' : error?.code) {
    case undefined:
    case 'ETIMEDOUT':
      return new USMPTimeoutError(
        `no answer from ${where}: check the host, and that no firewall is in between`,
        { code: 'USMP_CONNECT_TIMEOUT', cause: error },
      );
    case 'ECONNREFUSED':
      return failure(
        'USMP_CONNECTION_REFUSED',
        `connection refused by ${where}: is the gateway running on this port?`,
      );
    case 'ENOTFOUND':
      return failure(
        'USMP_HOST_NOT_FOUND',
        `no address found for the host name ${host}: check its spelling and the DNS`,
      );
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return failure('USMP_UNREACHABLE', `no route to ${where}: check the address and the network`);
    default:
      return failure('USMP_CONNECT_FAILED', `the connection to ${where} failed (${error?.code ?? ''})`);
  }

  function failure(code: CodeOf<'ConnectionClosedError'>, message: string): USMPError {
    return new ConnectionClosedError(message, { code, cause: error });
  }
}
