/**
 * "Test connection" of a gateway's dialog: opens a session with settings that are not deployed yet, and says which
 * step failed and what to do about it.
 */
import type { NodeAPI } from 'node-red';
import {
  ArgumentError,
  MIN_PSK_BYTES,
  USMPClient,
  USMPError,
  USMPTimeoutError,
  type ErrorStep,
  type Protocol,
} from '../../../src/index.js';
import { environmentOf, storedPsk } from './deployed.js';
import { blankDeviceId } from './device-id.js';
import { toldOf } from '../words/codes.js';
import { adviceFor, reasonFor } from '../words/explain.js';
import { askerOf, permissionCheck, type Handler, type Request } from './permission.js';
import { environmentName } from './rules.js';
import { gatewaySettings, pskPurpose, readPsk, type Environment, type Place } from './settings.js';
import type { Words } from '../words/text.js';
import { Turnstile } from './turnstile.js';

/** How far an attempt got: the settings, the host's name, the connection, HELLO, the proofs, the session. */
export const STEPS = [
  'settings',
  'name',
  'connect',
  'hello',
  'psk',
  'session',
] as const satisfies readonly Step[];
export type Step = 'settings' | ErrorStep;

/** What comes with either outcome once it was tried. */
interface Tried {
  /** The one that the gateway was told. */
  readonly deviceId?: string;
  /** What is odd about the settings, though they can be used. */
  readonly hint?: Words;
}

export interface Success extends Tried {
  readonly ok: true;
  readonly rttMs: number;
  readonly sessionId: string;
}

export interface Failure extends Tried {
  readonly ok: false;
  readonly step: Step;
  readonly code: string;
  /** The setting that is not usable. */
  readonly field?: string;
  readonly reason: Words;
  /** What to do about it; absent where the reason says it. */
  readonly advice?: Words;
}

export type Report = Success | Failure;

/** Seconds for the connection, at most: somebody sits and waits. */
const CONNECT_SECONDS = 5;
/** Seconds for the handshake, at most. Over UDP it takes 5 s of silence to tell that a PSK was rejected. */
const HANDSHAKE_SECONDS = { tcp: 5, udp: 8 } as const;
/** Seconds for the answer to the PING. */
const PONG_SECONDS = 3;
/** The whole test ends within 12 s; saying BYE takes 0.8 s of them. */
const LIMIT_MS = 11_000;

/** What Node-RED puts into a password field instead of a stored value. */
const STORED = '__PWRD__';

// ---- what is asked for ----

const TEXTS = ['id', 'host', 'protocol', 'deviceId', 'suite', 'pskFormat', 'psk'] as const;
const NUMBERS = ['port', 'connectTimeout', 'handshakeTimeout'] as const;

type Typed = Partial<
  Record<(typeof TEXTS)[number], string> & Record<(typeof NUMBERS)[number], string | number>
>;

const includes = (fields: readonly string[], field: string): boolean => fields.includes(field);

/** @throws ArgumentError naming the first field that is unknown or of the wrong type. */
function checkBody(body: unknown): Typed {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ArgumentError('body', 'expected an object');
  }
  for (const [field, value] of Object.entries(body)) {
    const isNumber = includes(NUMBERS, field);
    if (!isNumber && !includes(TEXTS, field)) throw new ArgumentError(field, 'there is no such setting');
    if (typeof value === 'string' || (isNumber && typeof value === 'number')) continue;
    throw new ArgumentError(field, isNumber ? 'expected a number' : 'expected text');
  }
  return body;
}

/** Stands in for the PSK while the other settings are checked. */
const NO_PSK = new Uint8Array(MIN_PSK_BYTES);

/**
 * @param stored finds the PSK for its purpose, when none is typed.
 * @throws ArgumentError naming the field that is not usable.
 */
function clientFor(
  { psk: typedPsk = STORED, ...fields }: Typed,
  place: Place,
  stored: (purpose: string) => string | undefined,
): { client: USMPClient; hint: Words | undefined } {
  const { pskFormat, ...settings } = gatewaySettings(fields, place);
  // All else is checked as it is typed, before a stored PSK is so much as looked at: what is said of it tells of it.
  const purpose = pskPurpose(new USMPClient({ ...settings, psk: NO_PSK }), pskFormat);
  const { psk, hint } = readPsk(
    typedPsk === STORED ? stored(purpose) : typedPsk,
    pskFormat,
    place.environment,
  );
  const client = new USMPClient({
    ...settings,
    psk,
    connectTimeout: capped(CONNECT_SECONDS, settings.connectTimeout),
    handshakeTimeout: capped(HANDSHAKE_SECONDS[settings.protocol ?? 'tcp'], settings.handshakeTimeout),
    pongTimeout: PONG_SECONDS,
  });
  return { client, hint };
}

const capped = (longest: number, seconds = longest): number => Math.min(seconds, longest);

// ---- the attempt ----

export type Attempt =
  Success | { readonly ok: false; readonly error: USMPError; readonly inSession: boolean };

/** Opens a session, asks for one sign of life, and says BYE. */
export async function attempt(client: USMPClient, limitMs = LIMIT_MS): Promise<Attempt> {
  let inSession = false;
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
    void client.disconnect();
  }, limitMs);
  try {
    await client.connect();
    inSession = true;
    const { sessionId = '' } = client;
    const rtt = await client.ping();
    return { ok: true, rttMs: Math.round(rtt * 10) / 10, sessionId };
  } catch (error) {
    const reason = limit.signal.aborted ? new USMPTimeoutError('the test took too long') : error;
    if (reason instanceof USMPError) return { ok: false, error: reason, inSession };
    throw error;
  } finally {
    clearTimeout(timer);
    await client.disconnect();
  }
}

// ---- what became of it ----

/** The step at which an error ended the attempt; once there was a session, every error is the session's. */
export function stepOf(error: USMPError, inSession: boolean): Step {
  return inSession ? 'session' : (toldOf(error.code)?.step ?? 'hello');
}

export function failureOf(error: USMPError, inSession: boolean, protocol: Protocol): Failure {
  const step = stepOf(error, inSession);
  const general = { key: `advice.${step}` };
  const advice = inSession ? general : (adviceFor(error, protocol) ?? general);
  return { ok: false, step, code: error.code, reason: reasonFor(error), advice };
}

const settingFailure = (error: ArgumentError): Failure => {
  const { code, field } = error;
  return { ok: false, step: 'settings', code, field, reason: reasonFor(error) };
};

// ---- the endpoint ----

const isJson = ({ headers }: Request): boolean =>
  /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '');

/** For those who may not write flows: what is tried with a variable's value tells of the value, or sends it away. */
const noEnvironment: Environment = (_name, field) => {
  throw new ArgumentError(field, 'variables need flows.write', { kind: 'environmentForbidden' });
};

/**
 * Handles `POST /usmp/test-connection`: 200 with a `Report`; 415, when it is not JSON, or 429 with `Words`. Texts are
 * given as words, since the browser may show another language than the runtime does. A form of another web site can
 * send anything but JSON.
 */
export function testConnection(RED: NodeAPI): Handler {
  const turnstile = new Turnstile();
  const mayWriteFlows = permissionCheck(RED, 'flows.write');

  async function test(typed: Typed, environment: Environment): Promise<Report> {
    const { id = '' } = typed;
    const place = { deviceId: blankDeviceId(RED, id), environment };
    const { client, hint } = clientFor(typed, place, (purpose) => storedPsk(RED, id, purpose));
    const result = await attempt(client);
    const { deviceId, protocol } = client;
    return {
      ...(result.ok ? result : failureOf(result.error, result.inSession, protocol)),
      deviceId,
      ...(hint && { hint }),
    };
  }

  async function answer(request: Request): Promise<{ status: number; content: Report | Words }> {
    if (!isJson(request)) return { status: 415, content: { key: 'test.notJson' } };
    try {
      const typed = checkBody(request.body);
      const { id = '' } = typed;
      const hasVariable = Object.values(typed).some((value) => environmentName(String(value)) !== undefined);
      const environment =
        hasVariable && (await mayWriteFlows(request)) ? environmentOf(RED, id) : noEnvironment;
      const refusal = turnstile.enter(id, askerOf(request));
      if (refusal) return { status: 429, content: refusal };
      try {
        return { status: 200, content: await test(typed, environment) };
      } finally {
        turnstile.leave(id);
      }
    } catch (error) {
      if (error instanceof ArgumentError) return { status: 200, content: settingFailure(error) };
      throw error;
    }
  }

  return (request, response, next) => {
    answer(request).then(({ status, content }) => response.status(status).json(content), next);
  };
}
