/** Whether text lets bytes be read, in any of the ways in which programs write bytes down. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';

/** Four bytes in a row are taken for a leak: a shorter run can stand anywhere by chance. */
const RUN = 4;

function leaks(text: string, secret: Uint8Array): boolean {
  const flat = text.toLowerCase().replace(/[\s"]/g, '');
  const hexOnly = flat.replace(/[:,-]|0x/g, '');
  for (let at = 0; at + RUN <= secret.length; at++) {
    const run = secret.subarray(at, at + RUN);
    const digits = Buffer.from(run).toString('hex');
    // As JSON writes a typed array: {"0":192,"1":255}.
    const indexed = Array.from(run, (byte, i) => `${at + i}:${byte}`).join(',');
    if (hexOnly.includes(digits) || flat.includes(run.join(',')) || flat.includes(indexed)) return true;
  }
  return text.includes(Buffer.from(secret).toString('base64').slice(0, 8));
}

/** Everything that a log is likely to do with a value. */
export function renderings(value: unknown): { by: string; text: string }[] {
  return [
    { by: 'String()', text: String(value) },
    { by: 'JSON', text: JSON.stringify({ value }) },
    { by: 'util.inspect', text: inspect(value, { showHidden: true, depth: 9, maxArrayLength: null }) },
    { by: 'util.inspect inside another object', text: inspect({ in: { value } }, { depth: 9 }) },
    {
      by: 'util.inspect without custom inspection',
      text: inspect(value, { customInspect: false, showHidden: true, depth: 9, maxArrayLength: null }),
    },
  ];
}

export function assertHides(value: unknown, secrets: readonly Uint8Array[]): void {
  for (const { by, text } of renderings(value)) {
    for (const secret of secrets) assert.ok(!leaks(text, secret), `${by} shows it: ${text}`);
  }
}

/** That the check itself sees a leak where there is one. */
export function assertShows(value: unknown, secret: Uint8Array): void {
  assert.ok(renderings(value).some(({ text }) => leaks(text, secret)));
}
