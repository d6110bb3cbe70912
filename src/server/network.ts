/**
 * Whom an address stands for, where shares are counted: an IPv4 address for itself, also one that is written as IPv6
 * (`::ffff:192.0.2.1`); of IPv6 the /64, since whoever has one address of it has them all.
 */
import { isIPv6 } from 'node:net';

const GROUPS = 8;
const NETWORK_GROUPS = 4;
/** The groups before an IPv4 address that is written as IPv6. */
const MAPPED = '0:0:0:0:0:ffff';

/** @returns what names the network; an address that is none stands for itself. */
export function networkOf(address: string): string {
  const [bare = ''] = address.split('%', 1); // the zone is this computer's own affair
  if (!isIPv6(bare)) return bare;
  const groups = groupsOf(bare);
  if (groups.slice(0, -2).join(':') === MAPPED)
    return groups
      .slice(-2)
      .flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff])
      .join('.');
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

/** Eight groups of an address that is known to be sound, without leading zeros. */
function groupsOf(address: string): string[] {
  const [before = '', after] = address.toLowerCase().split('::');
  const head = halfOf(before);
  const tail = after === undefined ? [] : halfOf(after);
  return [...head, ...Array<string>(GROUPS - head.length - tail.length).fill('0'), ...tail];
}

const halfOf = (half: string): string[] =>
  half === ''
    ? []
    : half.split(':').flatMap((group) => (group.includes('.') ? groupsOfIPv4(group) : shortOf(group)));

const shortOf = (group: string): string => parseInt(group, 16).toString(16);

function groupsOfIPv4(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d].map((group) => group.toString(16));
}
