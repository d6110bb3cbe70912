import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(__dirname, '../..');

function bench(...args: string[]): Promise<{ stdout: string }> {
  const command = ['--import', 'tsx', 'bench/fleet.ts', ...args];
  return promisify(execFile)(process.execPath, command, { cwd: root });
}

describe('the bench of a fleet', function () {
  this.timeout(120_000);

  it('plays rows at a tiny scale, prints each figure beside its aim, and ends', async () => {
    const { stdout } = await bench('--only', 'limits,idle', '--scale', '0.001');
    for (const row of ['limits tcp', 'limits udp', 'limits both', 'idle tcp', 'idle udp', 'idle both']) {
      assert.match(stdout, new RegExp(`^${row} .*\\(aim .*reached\\)$`, 'm'));
    }
  });

  it('names the rows that there are when asked for another', async () => {
    await assert.rejects(bench('--only', 'nothing'), /no row nothing; there are storm, rebind/);
  });
});
