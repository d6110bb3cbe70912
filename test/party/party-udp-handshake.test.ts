/** The handshake over datagrams that get lost, and who repeats what until when (protocol §2.5, §4.3). */
import assert from 'node:assert/strict';
import { first, losing, named } from '../support/path.js';
import { Duo, type DuoOptions, type End } from '../support/wire-tap.js';

const udp = (options: DuoOptions = {}): Duo => new Duo({ ...options, over: 'datagram' });

describe('a handshake over UDP', () => {
  const names = (end: End): string[] => end.sent.map(({ name }) => name);
  const count = (end: End, name: string): number => names(end).filter((each) => each === name).length;

  it('repeats HELLO when HELLO_RETRY is lost, although its UTACK came', () => {
    const duo = udp({ path: losing(first(named('HELLO_RETRY 0'))) }).establish();
    assert.equal(count(duo.client, 'HELLO 0'), 2);
    assert.equal(count(duo.client, 'HELLO 1'), 1);
    assert.equal(count(duo.server, 'UTACK of HELLO 0'), 2);
  });

  it('repeats the HELLO with the cookie until CHALLENGE comes, and not after', () => {
    let lost = 0;
    const path = losing((passing) => named('CHALLENGE 0')(passing) && ++lost <= 3);
    const duo = udp({ path }).establish();
    assert.ok(count(duo.client, 'HELLO 1') >= 2);
    const seen = duo.wire.findIndex(({ name }) => name === 'UTACK of CHALLENGE 0');
    assert.ok(!duo.wire.slice(seen).some(({ name }) => name.startsWith('HELLO ')));
  });

  it('acknowledges a repeated CHALLENGE and sends no cookie HELLO again', () => {
    const duo = udp({ path: losing(first(named('UTACK of CHALLENGE 0'))) });
    // HELLO_ACK is lost until CHALLENGE is repeated.
    const ack = named('HELLO_ACK 2');
    const lost = duo.path;
    duo.path = (passing) => (ack(passing) && count(duo.server, 'CHALLENGE 0') < 2 ? [] : lost(passing));
    duo.establish();
    assert.ok(count(duo.server, 'CHALLENGE 0') >= 2);
    assert.equal(count(duo.client, 'UTACK of CHALLENGE 0'), count(duo.server, 'CHALLENGE 0'));
    assert.equal(count(duo.client, 'HELLO 1'), 1);
  });

  it('repeats HELLO_ACK until SESSION_OK comes, although its UTACK came', () => {
    let lost = 0;
    const duo = udp({
      path: losing((passing) => named('SESSION_OK 0')(passing) && ++lost <= 6),
    }).establish();
    assert.ok(count(duo.client, 'HELLO_ACK 2') >= 2);
    assert.equal(count(duo.server, 'UTACK of HELLO_ACK 2'), count(duo.client, 'HELLO_ACK 2'));
    assert.ok(duo.ends.every((end) => end.count('established') === 1));
  });

  it('takes CHALLENGE directly after the first HELLO (protocol §7.1)', () => {
    const duo = udp({ asksCookie: false }).establish();
    assert.ok(!duo.wire.some(({ name }) => name.startsWith('HELLO_RETRY') || name === 'HELLO 1'));
  });

  it('takes a sealed frame for the UTACK of SESSION_OK, and then sends its own', () => {
    const duo = udp({ path: losing(named('UTACK of SESSION_OK 0')) }).start();
    duo.until(() => duo.server.has('established'));
    duo.server.send('from the server');
    duo.until(() => duo.client.has('established'));
    duo.client.send('from the client');
    duo.quiet();
    assert.deepEqual([duo.client.texts, duo.server.texts], [['from the server'], ['from the client']]);
  });

  it('sends no message of the server before SESSION_OK is known to have arrived', () => {
    const duo = udp({ path: losing(named('SESSION_OK 0')) }).start();
    duo.until(() => duo.server.has('established'));
    duo.server.send('too early');
    duo.run(2_000);
    assert.ok(!duo.wire.some(({ name }) => name.startsWith('DATA')));
  });

  it('ends both sides by themselves when the path is dead', () => {
    const duo = udp({ path: losing(() => true) }).start();
    duo.quiet();
    assert.deepEqual([duo.client.code, duo.server.code], ['USMP_NO_ANSWER', 'USMP_NO_ANSWER']);
  });

  it('says that the PSK was rejected when there is silence after HELLO_ACK', () => {
    const duo = udp({ path: losing(named('SESSION_OK 0')) }).start();
    duo.quiet();
    assert.equal(duo.client.code, 'USMP_PSK_REJECTED');
  });
});
