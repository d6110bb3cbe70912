/** Which close of a node is a deploy, and what becomes of what a life leaves behind. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Lives } from '../../../nodes/shared/exchange/lives.js';
import { FakeClock } from '../../support/clock.js';

const SECOND = 1000;

class Heritage {
  windUps = 0;
  abandons = 0;

  windUp(): Promise<void> {
    this.windUps += 1;
    return Promise.resolve();
  }

  abandon(): void {
    this.abandons += 1;
  }
}

function world() {
  const events = new EventEmitter();
  const clock = new FakeClock();
  const lives = new Lives<Heritage>(events, clock);
  const told: string[] = [];
  lives.watch({ onDeploy: () => told.push('deploy'), onDeployed: () => told.push('deployed') });
  return {
    clock,
    lives,
    told,
    stopping: (config: object) => events.emit('flows:stopping', { config }),
    stopped: () => events.emit('flows:stopped', {}),
    started: (config?: object) => events.emit('flows:started', { config }),
  };
}
/** Flows of this config run. */
function running(config: object) {
  const made = world();
  made.started(config);
  made.told.length = 0;
  return made;
}

describe('the lives of a config node', () => {
  const [old, fresh] = [{ rev: 1 }, { rev: 2 }];

  const closes: [string, object | undefined, object, boolean][] = [
    ['a deploy', old, fresh, true],
    ['a stop of the flows, or the end of Node-RED', old, old, false],
    ['a close while no flows were seen to start', undefined, fresh, false],
  ];
  for (const [what, started, config, isDeploy] of closes) {
    it(`make way for others ${isDeploy ? '' : 'not '}at ${what}`, () => {
      const made = started ? running(started) : world();
      made.stopping(config);
      assert.equal(made.lives.isDeploying, isDeploy);
      assert.deepEqual(made.told, isDeploy ? ['deploy'] : []);
      made.stopped();
      made.started(config);
      assert.equal(made.clock.pending, 0);
    });
  }

  it('leave to the next one what they have, once', () => {
    const { lives, stopping, stopped, started, told } = running(old);
    const heritage = new Heritage();
    stopping(fresh);
    lives.park('gw', heritage);
    stopped();
    assert.equal(lives.take('other'), undefined);
    assert.equal(lives.take('gw'), heritage);
    assert.equal(lives.take('gw'), undefined);
    started(fresh);
    assert.deepEqual(told, ['deploy', 'deployed']);
    assert.equal(heritage.windUps, 0);
    assert.equal(lives.isDeploying, false);
  });

  it('have it wound up when no other comes', () => {
    const { lives, clock, stopping, stopped, started } = running(old);
    const heritage = new Heritage();
    stopping(fresh);
    lives.park('gw', heritage);
    stopped();
    started(fresh);
    started(fresh);
    assert.equal(heritage.windUps, 1);
    assert.equal(clock.pending, 0);
  });

  it('have it wound up when the new flows do not start for 20 s, however long the old ones took to close', async () => {
    const { lives, clock, stopping, stopped, told } = running(old);
    const heritage = new Heritage();
    stopping(fresh);
    lives.park('gw', heritage);
    await clock.advance(60 * SECOND);
    stopped();
    await clock.advance(19 * SECOND);
    assert.equal(heritage.windUps, 0);
    await clock.advance(SECOND);
    assert.equal(heritage.windUps, 1);
    assert.deepEqual(told, ['deploy', 'deployed']);
    assert.equal(lives.isDeploying, false);
  });

  it('have it wound up when the new flows are stopped as they start', () => {
    const { lives, clock, stopping, stopped } = running(old);
    const heritage = new Heritage();
    stopping(fresh);
    lives.park('gw', heritage);
    stopped();
    stopping(fresh);
    assert.equal(lives.isDeploying, false);
    assert.equal(heritage.windUps, 1);
    assert.equal(clock.pending, 0);
  });

  it('wait for the last of several deploys, one of which still starts when the next one comes', () => {
    const { lives, clock, stopping, stopped, started, told } = running(old);
    const heritage = new Heritage();
    const newest = { rev: 3 };
    stopping(fresh);
    lives.park('gw', heritage);
    stopped();
    stopping(newest);
    started(newest); // of the flows before, which tell the newest config
    assert.equal(heritage.windUps, 0);
    stopped();
    assert.equal(lives.take('gw'), heritage);
    started(newest);
    assert.deepEqual(told, ['deploy', 'deployed']);
    stopping(newest);
    assert.equal(lives.isDeploying, false);
    assert.equal(clock.pending, 0);
  });

  it('do at the end of a deploy what was put off until then, and otherwise at once', () => {
    const { lives, stopping, stopped, started } = running(old);
    const done: string[] = [];
    lives.afterDeploy(() => done.push('at once'));
    stopping(fresh);
    lives.afterDeploy(() => done.push('later'));
    stopped();
    assert.deepEqual(done, ['at once']);
    started(fresh);
    started(fresh);
    assert.deepEqual(done, ['at once', 'later']);
  });

  it('tell those who watch, until they do no more', () => {
    const { lives, stopping, stopped, started, told } = running(old);
    const others: string[] = [];
    const end = lives.watch({
      onDeploy: () => others.push('deploy'),
      onDeployed: () => others.push('deployed'),
    });
    stopping(fresh);
    end();
    stopped();
    started(fresh);
    assert.deepEqual([told, others], [['deploy', 'deployed'], ['deploy']]);
  });

  it('have it abandoned when the process ends in the middle of a deploy, and listen for that no longer than it lasts', () => {
    const before = process.listenerCount('exit');
    const { lives, stopping, stopped, started } = running(old);
    const heritage = new Heritage();
    stopping(fresh);
    lives.park('gw', heritage);
    const [onExit] = process.listeners('exit').slice(-1);
    assert.equal(process.listenerCount('exit'), before + 1);
    onExit!.call(process, 0);
    assert.equal(heritage.abandons, 1);
    stopped();
    started(fresh);
    assert.equal(process.listenerCount('exit'), before);
  });
});
