/**
 * "Test connection" of a gateway's dialog: opens a session with settings that are not deployed yet, and says which
 * step failed and what to do about it.
 */
import type { Node, NodeAPI } from 'node-red';
import {
  ArgumentError,
  USMPClient,
  USMPError,
  USMPTimeoutError,
  type ClientOptions,
  type Protocol,
} from '../../src/index.js';
import { connectionOptions, type ClientSettings } from './settings.js';
import { reasonText, translator, type Translate } from './text.js';

/** How far an attempt got: the settings, the host's name, the connection, HELLO, the proofs, the session. */
export const STEPS = ['settings', 'name', 'connect', 'hello', 'psk', 'session'] as const;
export type Step = (typeof STEPS)[number];

export interface Success {
  readonly ok: true;
  readonly rttMs: number;
  readonly sessionId: string;
}

export interface Failure {
  readonly ok: false;
  readonly step: Step;
  readonly code: string;
  /** The setting that is not usable. */
  readonly field?: string;
  readonly reason: string;
  readonly advice: string;
}

export type Report = Success | Failure;

/** Seconds for the connection and for the handshake, at most: somebody sits and waits. */
const LONGEST_SECONDS = 5;
/** Seconds for the answer to the PING. */
const PONG_SECONDS = 3;
/** The whole test ends within 12 s; saying BYE takes 0.8 s of them. */
const LIMIT_MS = 11_000;

const MAX_AT_ONCE = 3;
const MAX_PER_MINUTE = 20;
const MINUTE_MS = 60_000;

/** What Node-RED puts into a password field instead of a stored value. */
const STORED = '__PWRD__';

// ---- what is asked for ----

const TEXTS = ['id', 'host', 'protocol', 'deviceId', 'suite', 'pskFormat', 'psk'] as const;
const NUMBERS = ['port', 'connectTimeout', 'handshakeTimeout'] as const;
const SETTINGS: readonly string[] = [...TEXTS, ...NUMBERS].filter((field) => field !== 'id');

type Typed = Partial<
  Record<(typeof TEXTS)[number], string> & Record<(typeof NUMBERS)[number], string | number>
>;

/** A setting that is not usable, for a reason that the catalogue has words for. */
class SettingError extends ArgumentError {
  constructor(
    field: string,
    message: string,
    readonly advice: (t: Translate) => string,
  ) {
    super(field, message);
  }
}

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

/** Finds a variable of the environment. */
type Environment = (name: string) => string | number | boolean | undefined;

/** Node-RED replaces `${NAME}` (or, of old, `$(NAME)`) only when it makes a node. */
function resolve<T>(field: string, value: T, environment: Environment): T | string {
  const match = /^\$(?:\{(\S+)\}|\((\S+)\))$/.exec(String(value));
  const name = match?.[1] ?? match?.[2];
  if (name === undefined) return value;
  const found = environment(name);
  if (found !== undefined) return String(found);
  throw new SettingError(field, `the environment variable ${name} is not set`, (t) =>
    t('error.envUnset', { name }),
  );
}

/** @throws ArgumentError naming the field that is not usable. */
function optionsOf(
  typed: Typed,
  storedPsk: () => string | undefined,
  environment: Environment,
): ClientOptions {
  const { psk: typedPsk = STORED, ...others } = typed;
  const psk = resolve('psk', typedPsk === STORED ? (storedPsk() ?? '') : typedPsk, environment);
  const resolved = Object.entries(others).map(([field, value]) => [
    field,
    resolve(field, value, environment),
  ]);
  if (psk === '') {
    throw new SettingError('psk', 'the pre-shared key is not set', (t) => t('error.pskMissing'));
  }
  const settings = Object.fromEntries(resolved) as Partial<ClientSettings>;
  const options = connectionOptions({ id: '', ...settings }, psk);
  new USMPClient(options); // checks the times as they are typed
  return {
    ...options,
    connectTimeout: capped(options.connectTimeout),
    handshakeTimeout: capped(options.handshakeTimeout),
    pongTimeout: PONG_SECONDS,
  };
}

const capped = (seconds = LONGEST_SECONDS): number => Math.min(seconds, LONGEST_SECONDS);

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

// ---- what became of it, in words ----

const STEP_OF: Readonly<Record<string, Step>> = {
  USMP_ARGUMENT: 'settings',
  USMP_HOST_NOT_FOUND: 'name',
  USMP_CONNECTION_REFUSED: 'connect',
  USMP_CONNECT_FAILED: 'connect',
  USMP_CONNECT_TIMEOUT: 'connect',
  USMP_UNREACHABLE: 'connect',
  USMP_AUTH: 'psk',
  USMP_GATEWAY_PROOF: 'psk',
  USMP_PSK_REJECTED: 'psk',
};

/** The step at which an error ended the attempt; once there was a session, every error is the session's. */
export function stepOf(error: USMPError, inSession: boolean): Step {
  return inSession ? 'session' : (STEP_OF[error.code] ?? 'hello');
}

/** The errors that have an advice of their own; for the others there is that of the step. */
const ADVISED = new Set([
  'USMP_CLOSED_BEFORE_CHALLENGE',
  'USMP_CONNECTION_REFUSED',
  'USMP_GATEWAY_PROOF',
  'USMP_MAGIC',
  'USMP_NO_ANSWER',
  'USMP_WIRE_VERSION_1',
]);

/** The catalogue's key, below `advice.`, of what to do about an error. */
export function adviceKey(error: USMPError, step: Step, protocol: Protocol): string {
  // Over UDP there is no connection that could fail: HELLO is the first that gets lost.
  if (step === 'hello' && protocol === 'udp' && error.code === 'USMP_NO_ANSWER') return 'udpNoAnswer';
  return step !== 'session' && ADVISED.has(error.code) ? error.code : step;
}

export function explain(error: USMPError, inSession: boolean, protocol: Protocol, t: Translate): Failure {
  const step = stepOf(error, inSession);
  const advice = t(`advice.${adviceKey(error, step, protocol)}`);
  return { ok: false, step, code: error.code, reason: reasonText(t, error), advice };
}

/** @param label the field's name in the dialog. */
export function explainSetting(error: ArgumentError, label: string, t: Translate): Failure {
  const { field, code } = error;
  // What came instead is left out: it may come from the environment, where it is for the server's eyes only.
  const reason = error.message.replace(`${field}: `, '').replace(/, got [^]*$/, '');
  const advice =
    error instanceof SettingError ? error.advice(t) : t('error.settingInvalid', { name: label, reason });
  return { ok: false, step: 'settings', code, field, reason: reasonText(t, error), advice };
}

// ---- the endpoint ----

/** Lets only so many tests through. */
class Turnstile {
  readonly #inside = new Set<string>();
  #entries: number[] = [];

  /** @returns why not, as a function that tells. */
  enter(id: string, now = performance.now()): ((t: Translate) => string) | undefined {
    this.#entries = this.#entries.filter((entry) => now - entry < MINUTE_MS);
    if (this.#inside.has(id)) return (t) => t('test.running');
    if (this.#inside.size >= MAX_AT_ONCE || this.#entries.length >= MAX_PER_MINUTE) {
      return (t) => t('test.tooMany');
    }
    this.#inside.add(id);
    this.#entries.push(now);
    return undefined;
  }

  leave(id: string): void {
    this.#inside.delete(id);
  }
}

type Handler = ReturnType<NodeAPI['auth']['needsPermission']>;

/** Handles `POST /usmp/test-connection`: 200 with a `Report`, or 429 with a text. */
export function testConnection(RED: NodeAPI): Handler {
  const t = translator(RED);
  const turnstile = new Turnstile();

  const label = (field: string): string =>
    includes(SETTINGS, field) ? RED._(`node-red-contrib-usmp/usmp-client:usmp-client.label.${field}`) : field;

  async function test(typed: Typed): Promise<Report> {
    const { id = '' } = typed;
    const storedPsk = (): string | undefined => {
      const { psk } = (RED.nodes.getCredentials(id) as { psk?: unknown } | undefined) ?? {};
      return typeof psk === 'string' ? psk : undefined;
    };
    // A node that runs also has the variables of its flow and the global ones.
    const node = RED.nodes.getNode(id) as Node | null;
    const environment: Environment = (name) => (node ? RED.util.getSetting(node, name) : process.env[name]);
    const client = new USMPClient(optionsOf(typed, storedPsk, environment));
    const result = await attempt(client);
    return result.ok ? result : explain(result.error, result.inSession, client.protocol, t);
  }

  async function answer(body: unknown): Promise<Report | string> {
    let id: string | undefined;
    try {
      const typed = checkBody(body);
      const refusal = turnstile.enter(typed.id ?? '');
      if (refusal) return refusal(t);
      id = typed.id ?? '';
      return await test(typed);
    } catch (error) {
      if (error instanceof ArgumentError) return explainSetting(error, label(error.field), t);
      throw error;
    } finally {
      if (id !== undefined) turnstile.leave(id);
    }
  }

  return (request, response, next) => {
    answer(request.body).then((report) => {
      if (typeof report === 'string') response.status(429).type('text/plain').send(report);
      else response.json(report);
    }, next);
  };
}
