/**
 * The keys of a server's devices, and how they are looked up (protocol §2, §6.2). A device may have several keys while
 * one is being rolled. Keys are copied when they are found and wiped by whoever asked; nothing here prints one.
 */
import { types } from 'node:util';
import { isBytes, show } from '../check.js';
import { keyMark } from '../crypto/key-mark.js';
import { Secret, toPsk } from '../crypto/secret.js';
import { ArgumentError } from '../errors.js';
import { MAX_PSKS } from '../handshake/server.js';
import { formatDeviceId, toDeviceId } from '../wire/device-id.js';

type Key = string | Uint8Array;

/** One key, or up to four of them, while a device's key is being rolled: any of them lets it in. */
export type DeviceKeys = Key | readonly Key[];

type Found = DeviceKeys | null | undefined;

/** The keys of a device (`aa:bb:cc:dd:ee:ff`), or nothing (also: an empty list) when it is unknown. */
export type PskLookup = (deviceId: string) => Found | Promise<Found>;

/** One key for all devices, one or several for each device id, or a function that finds them. */
export type PskSource =
  Key | ReadonlyMap<string, DeviceKeys> | Readonly<Record<string, DeviceKeys>> | PskLookup;

export interface KeyFinder {
  /**
   * @returns fresh copies of the device's keys, which the caller wipes; undefined for an unknown device. Rejected with
   * whatever the look-up throws, and with ArgumentError naming `psk` when it gives something else than keys.
   */
  find(deviceId: Uint8Array): Promise<readonly Secret[] | undefined>;
  /** The ids (`aa:bb:cc:dd:ee:ff`) that have a key, where they can be told: not for one key for all, nor for a function. */
  readonly deviceIds: readonly string[];
}

/** @throws ArgumentError naming `psk`; ids and keys may have changed places, so neither is ever shown. */
export function keyFinder(source: PskSource): KeyFinder {
  if (typeof source === 'function') {
    return { find: async (deviceId) => toPsks(await source(formatDeviceId(deviceId))), deviceIds: [] };
  }
  if (typeof source === 'string' || isBytes(source)) {
    const psk = toPsk(source);
    return { find: () => Promise.resolve([new Secret(psk.bytes)]), deviceIds: [] };
  }
  const keys = new Map<string, readonly Secret[]>();
  for (const [id, given] of entriesOf(source)) {
    const psks = toPsks(given, toPsk);
    if (psks) keys.set(formatDeviceId(toDeviceIdOfPsk(id)), psks);
  }
  return {
    find: (deviceId) =>
      Promise.resolve(keys.get(formatDeviceId(deviceId))?.map(({ bytes }) => new Secret(bytes))),
    deviceIds: [...keys.keys()],
  };
}

/** Whether the key that this mark was made of is among the device's keys. @throws what `find` is rejected with. */
export async function isStillValid(finder: KeyFinder, deviceId: Uint8Array, mark: string): Promise<boolean> {
  const psks = (await finder.find(deviceId)) ?? [];
  const isValid = psks.some((psk) => keyMark(psk) === mark);
  for (const psk of psks) psk.wipe();
  return isValid;
}

function toPsks(given: unknown, missing?: (given: unknown) => Secret): readonly Secret[] | undefined {
  if (given === undefined || given === null) return missing ? [missing(given)] : undefined;
  if (!Array.isArray(given)) return [toPsk(given)];
  if (given.length > MAX_PSKS) {
    throw new ArgumentError('psk', `expected at most ${MAX_PSKS} keys for a device, got ${given.length}`);
  }
  return given.length === 0 ? undefined : given.map(toPsk);
}

/** A map, or an object that is nothing but one; anything else would be a server that lets nobody in. */
function entriesOf(source: unknown): [unknown, unknown][] {
  if (types.isMap(source)) return [...source];
  if (isRecord(source)) return Object.entries(source);
  const expected = 'expected a key, a map of device id to key, or a function of the device id';
  throw new ArgumentError('psk', `${expected}, got ${show(source)}`);
}

/** Made by a literal or without a prototype, in whatever realm. */
function isRecord(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function toDeviceIdOfPsk(id: unknown): Uint8Array {
  try {
    return toDeviceId(id);
  } catch {
    const expected = 'expected a map of device ids, such as a4:cf:12:00:00:01, to keys';
    throw new ArgumentError('psk', `${expected}, got ${show(id)} for a device id`);
  }
}
