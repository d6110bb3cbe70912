/** A link of either kind, as a client or a server has it. */
import { DatagramLink, REPEATS } from '../../src/link/datagram-link.js';
import type { Link } from '../../src/link/link.js';
import { StreamLink } from '../../src/link/stream-link.js';
import type { Protocol } from '../../src/transport/transport.js';
import type { LinkKind } from '../../src/wire/constants.js';

export const LINK_KINDS: readonly LinkKind[] = ['stream', 'datagram'];

export const kindOf = (protocol: Protocol): LinkKind => (protocol === 'tcp' ? 'stream' : 'datagram');

export const newLink = (kind: LinkKind, role: 'client' | 'server'): Link =>
  kind === 'stream' ? new StreamLink() : new DatagramLink(REPEATS[role]);
