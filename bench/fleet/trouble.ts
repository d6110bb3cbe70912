/** Starts those who make trouble, in a process of their own, so that it is the gateway's time that is measured. */
import type { ServerProtocol } from '../../src/index.js';
import { start } from './child.js';
import type { Gateway } from './gateway.js';

/** What they do to the gateway; each ends when it is told to. */
export type Mischief =
  /** So many new devices at once, which stay. */
  | { readonly type: 'storm'; readonly size: number; readonly timeout: number }
  /** HELLOs without cookie, from here. */
  | { readonly type: 'flood'; readonly perSecond: number; readonly from: string }
  /** Connections that say nothing, and come again as soon as they are thrown out. */
  | { readonly type: 'silent'; readonly addresses: number; readonly each: number }
  /** Connect and close. */
  | { readonly type: 'health'; readonly everyMs: number }
  | { readonly type: 'wrongPsk'; readonly everyMs: number }
  /** These datagrams from elsewhere, in hex, so many in all. */
  | {
      readonly type: 'datagrams';
      readonly frame: string;
      readonly isNumbered: boolean;
      readonly count: number;
    }
  /** Strangers who take all that they get without a key: connections, HELLOs, and over UDP cookies too. */
  | { readonly type: 'strangers'; readonly count: number };

export interface Told {
  /** Of whatever it is that they do. */
  readonly count: number;
  readonly seconds: number;
}

export interface Orders {
  readonly port: number;
  readonly protocol: ServerProtocol;
  readonly mischief: Mischief;
}

export interface Trouble {
  /** Begins. @returns what came of it where it has an end of its own, and otherwise at once. */
  begin(): Promise<Told>;
  /** @returns what they have done so far. */
  tell(): Promise<Told>;
  end(): Promise<void>;
}

/** They are ready, and wait for `begin`. */
export async function troubleFor({ port, protocol }: Gateway, mischief: Mischief): Promise<Trouble> {
  const child = start('trouble-process.ts', { port, protocol, mischief } satisfies Orders);
  await child.ask();
  return {
    begin: () => child.ask<Told>('begin'),
    tell: () => child.ask<Told>('tell'),
    end: () => child.end('end'),
  };
}
