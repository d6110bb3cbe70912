/** Prints figures beside their aims. */
export function figure(row: string, what: string, seen: string, aim?: string, reached?: boolean): void {
  const beside = aim === undefined ? '' : ` (aim ${aim}: ${reached ? 'reached' : 'NOT reached'})`;
  console.log(`${row.padEnd(10)} ${what}: ${seen}${beside}`);
}

export const ms = (value: number): string => `${value.toFixed(1)} ms`;

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
