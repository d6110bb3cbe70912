/** Arguments as they were typed, against what a command knows. */
import { parseArgs } from 'node:util';
import { UsageError, type Exit, type World } from './world.js';

export interface Option {
  /** What stands for its value in the help; without it the option is a switch. */
  readonly value?: string;
  readonly help: string;
}

export interface Command {
  readonly name: string;
  /** What follows the name, in the help. */
  readonly usage: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What else there is to know. */
  readonly notes: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  run(given: Given, world: World): Promise<Exit>;
}

/** What was given to a command. */
export class Given {
  readonly #options: ReadonlyMap<string, readonly string[]>;

  constructor(
    options: ReadonlyMap<string, readonly string[]>,
    /** What is no option, in its order. */
    readonly operands: readonly string[],
  ) {
    this.#options = options;
  }

  has(name: string): boolean {
    return this.#options.has(name);
  }

  /** Each value of an option that may be given several times. */
  all(name: string): readonly string[] {
    return this.#options.get(name) ?? [];
  }

  /** The last one counts, as usual. */
  value(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** NaN for what is no number, which is refused where the limits are known. */
  number(name: string): number | undefined {
    const text = this.value(name);
    return text === undefined ? undefined : toNumber(text);
  }
}

export const toNumber = (text: string): number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN);

const HELP: Option = { help: 'shows this' };

/** @throws UsageError for an option that the command does not have, or whose value is missing. Values are not shown. */
export function parse({ name, options: own }: Command, argv: readonly string[]): Given {
  const known: Readonly<Record<string, Option>> = { ...own, help: HELP };
  const { tokens } = parseArgs({
    args: [...argv],
    options: {
      ...Object.fromEntries(
        Object.entries(known).map(([each, { value }]) => [
          each,
          { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple: true },
        ]),
      ),
      help: { type: 'boolean', short: 'h' },
    },
    strict: false, // its own errors would not say what there is
    allowPositionals: true,
    tokens: true,
  });
  const options = new Map<string, string[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (!option) {
      const there = Object.keys(known).map((each) => `--${each}`);
      throw new UsageError(
        `unknown option ${token.rawName}: ${name} has ${there.join(', ')}; what follows -- is no option`,
      );
    }
    options.set(token.name, [...(options.get(token.name) ?? []), valueOf(token, option)]);
  }
  return new Given(options, operands);
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function valueOf({ rawName, value, inlineValue }: OptionToken, option: Option): string {
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return '';
  }
  // An option that comes in place of the value means that the value was forgotten.
  const isForgotten = value === undefined || (inlineValue === false && /^-./.test(value));
  if (isForgotten) throw new UsageError(`${rawName} needs a value: ${rawName} ${option.value}`);
  return value;
}
