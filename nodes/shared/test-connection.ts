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
import { adviceFor, reasonFor } from './explain.js';
import { connectionOptions, type Environment } from './settings.js';
import type { Words } from './text.js';

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
  readonly reason: Words;
  /** What to do about it; absent where the reason says it. */
  readonly advice?: Words;
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

/** @throws ArgumentError naming the field that is not usable. */
function optionsOf(
  typed: Typed,
  storedPsk: () => string | undefined,
  environment: Environment,
): ClientOptions {
  const { psk: typedPsk = STORED, ...settings } = typed;
  const psk = typedPsk === STORED ? storedPsk() : typedPsk;
  const options = connectionOptions({ id: '', ...settings }, psk, environment);
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

// ---- what became of it ----

const STEP_OF: Readonly<Record<string, Step>> = {
  USMP_HOST_NOT_FOUND: 'name',
  USMP_CONNECTION_REFUSED: 'connect',
  USMP_CONNECT_FAILED: 'connect',
  USMP_CONNECT_TIMEOUT: 'connect',
  USMP_UNREACHABLE: 'connect',
  USMP_AUTH: 'psk',
  USMP_GATEWAY_PROOF: 'psk',
  USMP_NO_SESSION_OK: 'psk',
  USMP_PSK_REJECTED: 'psk',
};

/** The step at which an error ended the attempt; once there was a session, every error is the session's. */
export function stepOf(error: USMPError, inSession: boolean): Step {
  return inSession ? 'session' : (STEP_OF[error.code] ?? 'hello');
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

/** Lets only so many tests through. */
class Turnstile {
  readonly #inside = new Set<string>();
  #entries: number[] = [];

  /** @returns why not. */
  enter(id: string, now = performance.now()): Words | undefined {
    this.#entries = this.#entries.filter((entry) => now - entry < MINUTE_MS);
    if (this.#inside.has(id)) return { key: 'test.running' };
    if (this.#inside.size >= MAX_AT_ONCE || this.#entries.length >= MAX_PER_MINUTE) {
      return { key: 'test.tooMany' };
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

/**
 * Handles `POST /usmp/test-connection`: 200 with a `Report`, or 429 with `Words`. Texts are given as words, since the
 * browser may show another language than the runtime does.
 */
export function testConnection(RED: NodeAPI): Handler {
  const turnstile = new Turnstile();

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
    return result.ok ? result : failureOf(result.error, result.inSession, client.protocol);
  }

  async function answer(body: unknown): Promise<{ status: number; content: Report | Words }> {
    let id: string | undefined;
    try {
      const typed = checkBody(body);
      const refusal = turnstile.enter(typed.id ?? '');
      if (refusal) return { status: 429, content: refusal };
      id = typed.id ?? '';
      return { status: 200, content: await test(typed) };
    } catch (error) {
      if (error instanceof ArgumentError) return { status: 200, content: settingFailure(error) };
      throw error;
    } finally {
      if (id !== undefined) turnstile.leave(id);
    }
  }

  return (request, response, next) => {
    answer(request.body).then(({ status, content }) => response.status(status).json(content), next);
  };
}
