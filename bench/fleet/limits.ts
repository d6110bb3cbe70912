/** The rows about who gets in where there is little room, or more than one way: limits, lookup, transports. */
import { device, disconnectAll, echo, entered, type Device } from './devices.js';
import { at } from './dials.js';
import { ROOM, startGateway } from './gateway.js';
import { figure, ms } from './report.js';
import { scaled, sleep, type Scene } from './scene.js';

/** Sessions from one address, by default. */
const PER_ADDRESS = 5;
const TRY = { timeout: 2 };

async function sixth({ protocol }: Scene): Promise<void> {
  const gateway = await startGateway({ protocol });
  const clients = Array.from({ length: PER_ADDRESS + 1 }, () => device(gateway, TRY));
  const outcomes: boolean[] = [];
  for (const client of clients) outcomes.push(await entered(client));
  await sleep(200);
  const isLastIn = outcomes.at(-1) === true;
  const seen = isLastIn ? 'told as connected, then closed' : 'refused';
  figure(`limits ${protocol}`, '6th session of an address', seen, 'refused', !isLastIn);
  await disconnectAll(clients);
  await gateway.close();
}

async function secondAddress({ protocol }: Scene): Promise<void> {
  const gateway = await startGateway({ protocol });
  const id = '0a0000000002';
  const transport = protocol === 'both' ? 'tcp' : protocol;
  const atHome = device(gateway, { ...TRY, id, protocol: transport });
  const clients = Array.from({ length: PER_ADDRESS }, () =>
    device(gateway, { ...TRY, dial: at('127.0.0.2').dial }),
  );
  const away = device(gateway, { ...TRY, id, protocol: transport, dial: at('127.0.0.2').dial });
  await atHome.connect();
  for (const client of clients) await client.connect();
  const isIn = await entered(away);
  const back = await Promise.race([echo(atHome).catch(() => undefined), sleep(2_000)]);
  const seen = `new one ${isIn ? 'in' : 'refused'}, old one ${back === undefined ? 'gone' : 'lives'}`;
  const what = 'a device that comes from a second address, which is at its limit';
  figure(`limits ${protocol}`, what, seen, 'refused, lives', !isIn && back !== undefined);
  await disconnectAll([atHome, ...clients, away]);
  await gateway.close();
}

async function sevenIds({ protocol }: Scene): Promise<void> {
  if (protocol === 'tcp') return; // over TCP the gateway learns that they are gone
  const gateway = await startGateway({ protocol });
  const place = at('127.0.0.1', 40_404);
  const SEVEN = 7;
  let count = 0;
  for (let n = 0; n < SEVEN; n++) {
    const client = device(gateway, { ...TRY, protocol: 'udp', dial: place.dial });
    if (await entered(client)) {
      await echo(client);
      count += 1;
    }
    await place.powerOff();
  }
  const { sessions } = await gateway.measure();
  const seen = `${count} in, ${sessions} session at the end`;
  const what = `${SEVEN} device ids in turn from one address and port`;
  figure(`limits ${protocol}`, what, seen, '7 in, 1 session', count === SEVEN && sessions === 1);
  await gateway.close();
}

export async function limits(scene: Scene): Promise<void> {
  await sixth(scene);
  await secondAddress(scene);
  await sevenIds(scene);
}

export async function lookup({ protocol }: Scene): Promise<void> {
  for (const how of ['throws', 'slow'] as const) {
    const gateway = await startGateway({ protocol, lookup: how, ...ROOM });
    const client = device(gateway, { timeout: 4 });
    const first = await entered(client);
    const then = first || (await entered(client));
    const seen = `first try ${first ? 'in' : 'refused'}, then ${then ? 'in' : 'refused'}`;
    figure(`lookup ${protocol}`, how, seen, 'in', then);
    console.log(`  the server told: ${JSON.stringify((await gateway.measure()).refusals)}`);
    await client.disconnect(500);
    await gateway.close();
  }
}

/** Devices that change from TCP to UDP and back: one session each, whichever way they come. */
export async function transports({ protocol, scale }: Scene): Promise<void> {
  if (protocol !== 'both') return;
  const gateway = await startGateway({ protocol, ...ROOM });
  const count = scaled(50, scale);
  const left: Device[] = [];
  let [slowest, isOne] = [0, true];
  for (let n = 0; n < count; n++) {
    const id = `0b${n.toString(16).padStart(10, '0')}`;
    for (const way of ['tcp', 'udp', 'tcp'] as const) {
      const client = device(gateway, { id, protocol: way, timeout: 4 });
      const start = performance.now();
      await client.connect();
      await echo(client);
      slowest = Math.max(slowest, performance.now() - start);
      left.push(client);
    }
    isOne &&= (await gateway.measure()).sessions === n + 1;
  }
  const seen = `${isOne ? 'one' : 'NOT one'} session each, in and answered within ${ms(slowest)}`;
  figure(
    'transports',
    `${count} devices from TCP to UDP and back`,
    seen,
    'one, 500 ms',
    isOne && slowest < 500,
  );
  await disconnectAll(left);
  await gateway.close();
}
