/** What several commands are told alike: the gateway, and how to talk to it. */
import {
  ArgumentError,
  DEFAULT_SUITE,
  PROTOCOLS,
  SUITES,
  type ClientOptions,
  type Protocol,
} from '../../src/index.js';
import { toNumber, type Given, type Option } from './arguments.js';
import { choose, KEY_OPTIONS, readKey } from './key.js';
import { UsageError, type World } from './world.js';

export const SUITE_OPTION: Option = {
  value: SUITES.join('|'),
  help: `as the other side has it (${DEFAULT_SUITE})`,
};

export const CLIENT_OPTIONS: Readonly<Record<string, Option>> = {
  protocol: { value: PROTOCOLS.join('|'), help: 'as the gateway listens (tcp)' },
  suite: SUITE_OPTION,
  'device-id': { value: 'ID', help: 'who this is to the gateway, such as a4:cf:12:00:00:01 (random)' },
  ...KEY_OPTIONS,
};

export interface Target {
  readonly host: string;
  readonly port?: number;
}

/** `gw.local`, `gw.local:9000`, `[fe80::1]:9000` or `fe80::1`. What is wrong with it, the engine finds. */
export function targetOf(text: string): Target {
  const [, host, port] = /^(\[[^\]]*\]|[^:/]*):([^:/]*)$/.exec(text) ?? [];
  return host === undefined || port === undefined ? { host: text } : { host, port: toNumber(port) };
}

/** The gateway is the first operand. */
export function gatewayOf({ operands: [gateway] }: Given): string {
  if (gateway === undefined || gateway === '') {
    throw new UsageError('the gateway is missing: host or host:port, such as 192.168.1.10:9000');
  }
  return gateway;
}

/** @throws UsageError when there is more than the gateway; what it is is not shown, as it may be a key. */
export function gatewayOnly(given: Given): string {
  if (given.operands.length > 1)
    throw new UsageError('there is something behind the gateway that belongs nowhere');
  return gatewayOf(given);
}

export interface Wanted extends ClientOptions {
  readonly protocol: Protocol;
}

/** @throws UsageError, ArgumentError, Interrupted. */
export async function clientOptions(gateway: string, given: Given, world: World): Promise<Wanted> {
  const deviceId = given.value('device-id');
  const settings = {
    ...targetOf(gateway),
    protocol: choose('protocol', given.value('protocol') ?? 'tcp', PROTOCOLS),
    suite: choose('suite', given.value('suite') ?? DEFAULT_SUITE, SUITES),
    ...(deviceId !== undefined && { deviceId }),
  };
  return { ...settings, psk: await readKey(given, world) };
}

/** What a number may be, and what it is when it is not given. */
export interface Range {
  readonly standard: number;
  readonly min: number;
  readonly max: number;
  readonly isWhole?: boolean;
}

/** @throws ArgumentError naming the option. */
export function within({ standard, min, max, isWhole = false }: Range, name: string, given: Given): number {
  const value = given.number(name) ?? standard;
  if (value >= min && value <= max && (Number.isInteger(value) || !isWhole)) return value;
  const problem = { kind: isWhole ? 'whole' : 'number', values: { min, max } };
  throw new ArgumentError(name, `expected a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}`, problem);
}
