import assert from 'node:assert/strict';
import { Pace } from '../../src/party/pace.js';
import { SendQueue, type Unit } from '../../src/party/send-queue.js';

const message = (ticket: number): Unit => ({ kind: 'message', ticket, data: new Uint8Array() });
const ping = (ticket: number): Unit => ({ kind: 'ping', tickets: [ticket] });
const rekey = (ticket: number): Unit => ({ kind: 'rekey', ticket, force: false });

/** A unit in words: `message 1`, `ping 1,2`, `pong`. */
const named = (unit: Unit | undefined): string | undefined => {
  if (!unit) return undefined;
  if (unit.kind === 'ping') return `ping ${unit.tickets.join()}`;
  return 'ticket' in unit ? `${unit.kind} ${unit.ticket}` : unit.kind;
};

/** So many PINGs or PONGs have just been sent. */
function world(controls = 0, now = 0) {
  const pace = new Pace();
  for (let i = 0; i < controls; i++) pace.controlSent(now);
  const queue = new SendQueue(pace);
  const all = (at: number): string[] => {
    const units: string[] = [];
    for (let unit = queue.next(at); unit; unit = queue.next(at)) units.push(named(unit)!);
    return units;
  };
  return { pace, queue, all };
}

describe('the send queue', () => {
  it('gives units out in their order', () => {
    const { queue, all } = world();
    for (const unit of [message(1), ping(2), message(3), rekey(4)]) queue.add(unit);
    queue.addBye();
    assert.equal(queue.isEmpty, false);
    assert.deepEqual(all(0), ['message 1', 'ping 2', 'message 3', 'rekey 4', 'bye']);
    assert.equal(queue.isEmpty, true);
  });

  it('puts a PONG before all else, as many as were asked for', () => {
    const { queue, all } = world();
    queue.add(message(1));
    assert.ok(queue.addPong(false) && queue.addPong(false));
    assert.deepEqual(all(0), ['pong', 'pong', 'message 1']);
  });

  it('makes one of PINGs with nothing between them', () => {
    const { queue, all } = world();
    for (const unit of [ping(1), ping(2), message(3), ping(4)]) queue.add(unit);
    assert.deepEqual(all(0), ['ping 1,2', 'message 3', 'ping 4']);
  });

  it('puts back what has to go first', () => {
    const { queue, all } = world();
    queue.add(message(1));
    queue.putBack(message(0));
    assert.deepEqual(all(0), ['message 0', 'message 1']);
  });

  it('takes messages out, and leaves all else', () => {
    const { queue, all } = world();
    for (const unit of [message(1), ping(2), message(3), rekey(4)]) queue.add(unit);
    assert.deepEqual(queue.withdraw(), [1, 3]);
    assert.deepEqual([queue.has('message'), queue.has('ping'), queue.has('bye')], [false, true, false]);
    assert.deepEqual(all(0), ['ping 2', 'rekey 4']);
  });

  it('is full with 1,000, but for another who shares a PING, and BYE', () => {
    const { queue } = world();
    for (let i = 0; i < 999; i++) queue.add(message(i));
    queue.add(ping(999));
    assert.throws(() => queue.add(message(1_000)), { code: 'USMP_QUEUE_FULL', fault: 'local' });
    queue.add(ping(1_001));
    queue.addBye();
    assert.equal(queue.has('bye'), true);
    queue.next(0);
    queue.next(0);
    queue.add(message(1_002));
    assert.throws(() => queue.add(message(1_003)), { code: 'USMP_QUEUE_FULL' });
  });

  it('holds 32 PONGs that cannot leave, and says so of one more', () => {
    const { queue, all } = world();
    for (let i = 0; i < 32; i++) assert.equal(queue.addPong(false), true);
    assert.equal(queue.addPong(false), false);
    assert.equal(all(0).length, 33);
    assert.equal(queue.addPong(false), true);
  });
});

describe('the send queue at the pace of the peer', () => {
  it('has a PING wait for it, and says until when', () => {
    const { queue, all } = world(4, 100);
    queue.add(ping(1));
    assert.equal(queue.dueAt, 1_100);
    assert.deepEqual(all(1_099), []);
    assert.deepEqual(all(1_100), ['ping 1']);
    assert.equal(queue.dueAt, Infinity);
  });

  it('lets a PONG pass at once that is the receipt for a message, and does not count it', () => {
    const { queue, all } = world(7, 100);
    queue.addPong(false);
    queue.addPong(true);
    assert.equal(queue.dueAt, -Infinity);
    assert.deepEqual(all(200), ['pong']);
    assert.equal(queue.dueAt, 1_100);
    assert.deepEqual(all(1_099), []);
    assert.deepEqual(all(1_100), ['pong']);
  });

  it('lets the next message pass a PING that waits, after which the peer counts anew', () => {
    const { pace, queue } = world(4);
    for (const unit of [ping(1), message(2), message(3)]) queue.add(unit);
    assert.equal(named(queue.next(10)), 'message 2');
    pace.messageSent();
    assert.equal(named(queue.next(10)), 'ping 1');
    assert.equal(named(queue.next(10)), 'message 3');
  });

  it('lets BYE pass as well, but never a REKEY, nor anything past that', () => {
    const { queue } = world(4);
    queue.add(ping(1));
    queue.addBye();
    assert.equal(named(queue.next(10)), 'bye');
    queue.add(rekey(2));
    queue.add(message(3));
    assert.equal(queue.next(10), undefined);
    assert.equal(named(queue.next(1_000)), 'ping 1');
  });

  it('has nobody wait when no PING stands in front', () => {
    const { queue } = world(4);
    queue.add(message(1));
    queue.add(ping(2));
    assert.equal(queue.dueAt, Infinity, 'the message waits for the transport alone');
    assert.equal(named(queue.next(10)), 'message 1');
    assert.equal(queue.dueAt, 1_000);
  });

  it('gives a PONG and an urgent PING the room that other PINGs leave', () => {
    const { queue, all } = world(6, 100);
    queue.addPong(false);
    queue.addUrgentPing();
    queue.add(ping(1));
    assert.equal(queue.dueAt, -Infinity);
    assert.deepEqual(all(100), ['pong', 'ping ']);
    assert.equal(queue.dueAt, 1_100);
  });

  it('keeps even those back where the peer would drop the session', () => {
    const { queue, all } = world(7, 100);
    queue.addPong(false);
    queue.addUrgentPing();
    assert.equal(queue.dueAt, 1_100);
    assert.deepEqual(all(1_099), []);
    assert.deepEqual(all(1_100), ['pong', 'ping ']);
  });
});

describe('the send queue on hold', () => {
  it('lets out nothing but the urgent PING, before PONGs, and PONGs', () => {
    const { queue, all } = world();
    queue.setHeld(true);
    queue.addPong(false);
    queue.addUrgentPing();
    queue.add(ping(1));
    queue.add(message(2));
    queue.addBye();
    assert.deepEqual(all(0), ['ping ', 'pong']);
    assert.equal(queue.dueAt, Infinity);
    queue.setHeld(false);
    assert.deepEqual(all(0), ['ping 1', 'message 2', 'bye']);
  });
});
