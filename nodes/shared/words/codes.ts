/** The codes that only the nodes have, in a table as the engine's, and what people are told of either. */
import { ERROR_CODES, type ErrorCode, type ErrorRow, type Told } from '../../../src/index.js';

interface NodeRow extends Omit<ErrorRow, 'class' | 'alsoClass'> {
  /** Null for what is told by an event and never thrown. */
  readonly class: 'StoreError' | null;
}

export const NODE_CODES = {
  USMP_STOPPED: { class: null, fault: 'local', client: { step: 'session', advice: null } },
  USMP_STORE_MEMORY: {
    class: 'StoreError',
    fault: 'local',
    client: { step: 'session', advice: 'USMP_STORE_MEMORY' },
  },
  USMP_STORE_UNKNOWN: {
    class: 'StoreError',
    fault: 'local',
    client: { step: 'session', advice: 'USMP_STORE_UNKNOWN' },
  },
} as const satisfies Readonly<Record<string, NodeRow>>;

export type NodeCode = keyof typeof NODE_CODES;

const TOLD: Readonly<Record<string, Pick<ErrorRow, 'client'>>> = { ...ERROR_CODES, ...NODE_CODES };

/** What is told of a code; of one that no client meets, nothing. */
export function toldOf(code: ErrorCode | NodeCode): Told | undefined {
  const client = TOLD[code]?.client;
  return client === false ? undefined : client;
}
