/**
 * What may stand in the fields of the dialogs: one set of rules, by which the dialogs judge what is typed and the
 * runtime what was deployed. Runs in a browser too.
 */
import { checkChoice, checkHost, DAY_SECONDS, MAX_PORT } from '../../../src/check.js';
import { LIMITS } from '../../../src/client/limits.js';
import { PSK_FORMATS } from '../../../src/crypto/psk.js';
import { ArgumentError } from '../../../src/errors.js';
import { formatDeviceId } from '../../../src/wire/device-id.js';

export { hostAndPort } from '../../../src/check.js';
export { pskHint } from '../../../src/crypto/psk.js';

/** A field as Node-RED hands it over: text, unless somebody wrote the flow by hand. */
export type Typed = string | number | null | undefined;

export const textOf = (typed: Typed): string => String(typed ?? '');

/** @returns NAME, where the whole text is `${NAME}` or, of old, `$(NAME)`; Node-RED knows such a text alike. */
export function environmentName(text: string): string | undefined {
  const match = /^\$(?:\{(\S+)\}|\((\S+)\))$/.exec(text);
  return match?.[1] ?? match?.[2];
}

interface NumberRule {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
  /** 0 switches it off, though it is below `min`. */
  readonly orOff?: boolean;
}

/** How many of the engine's units one of the dialogs' is. */
export const UNITS = {
  /** KiB */
  outboxSize: 1024,
  /** Minutes */
  rekeyAfter: 60,
} as const;

/** The fields that hold a number, in the units of the dialogs. A blank one stands for the default. */
export const NUMBERS = {
  port: { min: 1, max: MAX_PORT, whole: true },
  keepalive: LIMITS.keepalive,
  connectTimeout: LIMITS.connectTimeout,
  handshakeTimeout: LIMITS.handshakeTimeout,
  retryMin: LIMITS.retryMin,
  retryMax: LIMITS.retryMax,
  retryJitter: { ...LIMITS.retryJitter, whole: true },
  outboxCount: { ...LIMITS.outboxCount, whole: true },
  outboxSize: { min: 1, max: LIMITS.outboxBytes.max / UNITS.outboxSize, whole: true },
  outboxAge: LIMITS.outboxAge,
  rekeyAfter: { min: 0, max: LIMITS.rekeyAfter.max / UNITS.rekeyAfter },
  rekeyFrames: { ...LIMITS.rekeyFrames, whole: true },
  // Pinging more often is no use, and a gateway ends a session that sends many PINGs in a second (protocol §3.5.2).
  interval: { min: 1, max: DAY_SECONDS, orOff: true },
} as const satisfies Record<string, NumberRule>;

export type NumberField = keyof typeof NUMBERS;

/** @returns undefined when the field is blank. @throws ArgumentError naming the field. */
export function readNumber(field: NumberField, typed: string): number | undefined {
  const text = typed.trim();
  if (text === '') return undefined;
  const { min, max, whole = false, orOff = false }: NumberRule = NUMBERS[field];
  const value = (whole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(text) ? Number(text) : NaN;
  if ((value >= min && value <= max) || (orOff && value === 0)) return value;
  const problem = { kind: whole ? 'whole' : 'number', values: { min, max } };
  throw new ArgumentError(field, `expected a ${whole ? 'whole ' : ''}number from ${min} to ${max}`, problem);
}

/** @throws ArgumentError naming `host`. */
export const readHost = (typed: string): string => checkHost('host', typed.trim());

/** @returns it as `aa:bb:cc:dd:ee:ff`; undefined when the field is blank. @throws ArgumentError naming `deviceId`. */
export const readDeviceId = (typed: string): string | undefined =>
  typed.trim() === '' ? undefined : formatDeviceId(typed);

/** What the fields with a fixed choice offer. */
export const CHOICES = {
  protocol: ['tcp', 'udp'],
  suite: ['aes-256-gcm', 'chacha20-poly1305'],
  pskFormat: PSK_FORMATS,
} as const;

type Choice<F extends keyof typeof CHOICES> = (typeof CHOICES)[F][number];

/** @returns undefined when the field is blank. @throws ArgumentError naming the field. */
export const readChoice = <F extends keyof typeof CHOICES>(field: F, typed: string): Choice<F> | undefined =>
  typed === '' ? undefined : checkChoice<Choice<F>>(field, typed, CHOICES[field]);

/** @throws ArgumentError naming `retryMax`, when that is given and shorter than the first wait. */
export function checkRetryOrder(retryMin: number | undefined, retryMax: number | undefined): void {
  if (retryMin === undefined || retryMax === undefined || retryMax >= retryMin) return;
  throw new ArgumentError('retryMax', 'the longest wait is shorter than the first', { kind: 'retryOrder' });
}
