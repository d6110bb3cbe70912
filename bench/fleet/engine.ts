/**
 * The engine as it ships, from `dist/`: what runs TypeScript here gives each closure a name of its own, which takes 10 KB
 * a session more.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const built = path.resolve(__dirname, '../../dist/src/index.js');
if (!existsSync(built)) throw new Error('the bench measures the built package: run `npm run build` first');

export const { USMPClient, USMPServer } = createRequire(__filename)(
  built,
) as typeof import('../../src/index.js');
