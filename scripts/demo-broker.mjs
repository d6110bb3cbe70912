// The MQTT broker of the demo, for the example that bridges USMP and MQTT: MQTT 3.1.1, as much of it as programs need
// that publish and subscribe. It delivers at QoS 0 and keeps nothing: no retained messages, no sessions.
import { once } from 'node:events';
import { createServer } from 'node:net';

const CONNECT = 1;
const CONNACK = 2;
const PUBLISH = 3;
const PUBACK = 4;
const PUBREC = 5;
const PUBREL = 6;
const PUBCOMP = 7;
const SUBSCRIBE = 8;
const SUBACK = 9;
const UNSUBSCRIBE = 10;
const UNSUBACK = 11;
const PINGREQ = 12;
const PINGRESP = 13;

const MAX_PACKET_BYTES = 256 * 1024;
/** A program that reads no more is let go of when so much waits for it. */
const MAX_WAITING_BYTES = 1024 * 1024;
const WRONG_VERSION = 1;
/** 3.1 and 3.1.1. */
const VERSIONS = [3, 4];

function packet(type, ...parts) {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const length = [];
  for (let rest = body.length; length.length === 0 || rest > 0; rest = Math.floor(rest / 128))
    length.push((rest % 128) | (rest >= 128 ? 128 : 0));
  return Buffer.from([type << 4, ...length, ...body]);
}

/** Text and bytes with their length before them. */
const lengthAndBytes = (bytes) => [Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes];

/** Reads a packet from its begin to its end. @throws RangeError when it ends too early. */
class Reader {
  #at = 0;
  constructor(bytes) {
    this.bytes = bytes;
  }
  get done() {
    return this.#at >= this.bytes.length;
  }
  take(length) {
    if (this.#at + length > this.bytes.length) throw new RangeError('the packet ends too early');
    return this.bytes.subarray(this.#at, (this.#at += length));
  }
  byte() {
    return this.take(1)[0];
  }
  text() {
    return this.take(this.take(2).readUInt16BE());
  }
  rest() {
    return this.take(this.bytes.length - this.#at);
  }
}

/** @returns the first packet of `bytes` and what comes behind it, or undefined until it is there. @throws RangeError */
function firstPacket(bytes) {
  let length = 0;
  for (let i = 1; i < bytes.length; i++) {
    length += (bytes[i] & 127) * 128 ** (i - 1);
    if (length > MAX_PACKET_BYTES || i > 4) throw new RangeError('the packet is too long');
    if (bytes[i] >= 128) continue;
    const end = i + 1 + length;
    if (bytes.length < end) return undefined;
    const [type, flags] = [bytes[0] >> 4, bytes[0] & 15];
    return { type, flags, body: new Reader(bytes.subarray(i + 1, end)), behind: bytes.subarray(end) };
  }
  return undefined;
}

/** Whether a filter, which may have wildcards, is for a topic. */
function matches(filter, topic) {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  const many = wanted.indexOf('#');
  if (many < 0 ? wanted.length !== levels.length : levels.length < many) return false;
  return wanted.every((level, i) => ['#', '+', levels[i]].includes(level) || (many >= 0 && i > many));
}

/**
 * Starts it on a free port of 127.0.0.1.
 * @returns the port, and `close`.
 */
export async function startBroker() {
  /** Each connection, and what it has subscribed to. */
  const clients = new Map();

  function publish(topic, payload) {
    const message = packet(PUBLISH, ...lengthAndBytes(topic), payload);
    for (const [socket, filters] of clients) {
      if (![...filters].some((filter) => matches(filter, topic.toString()))) continue;
      if (socket.writableLength > MAX_WAITING_BYTES) socket.destroy();
      else socket.write(message);
    }
  }

  const HANDLERS = {
    [CONNECT](socket, body) {
      body.text(); // the name of the protocol
      const known = VERSIONS.includes(body.byte());
      socket.write(packet(CONNACK, [0, known ? 0 : WRONG_VERSION]));
      if (known) clients.set(socket, new Set());
      else socket.end();
    },
    [PUBLISH](socket, body, flags) {
      const qos = (flags >> 1) & 3;
      const topic = body.text();
      if (qos > 0) socket.write(packet(qos === 1 ? PUBACK : PUBREC, body.take(2)));
      publish(topic, body.rest());
    },
    [PUBREL](socket, body) {
      socket.write(packet(PUBCOMP, body.take(2)));
    },
    [SUBSCRIBE](socket, body) {
      const id = body.take(2);
      const granted = [];
      while (!body.done) {
        clients.get(socket).add(body.text().toString());
        body.byte(); // the QoS that it would like
        granted.push(0);
      }
      socket.write(packet(SUBACK, id, granted));
    },
    [UNSUBSCRIBE](socket, body) {
      const id = body.take(2);
      while (!body.done) clients.get(socket).delete(body.text().toString());
      socket.write(packet(UNSUBACK, id));
    },
    [PINGREQ](socket) {
      socket.write(packet(PINGRESP));
    },
  };

  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true));
    let waiting = Buffer.alloc(0);
    socket.on('error', () => undefined); // followed by close
    socket.on('close', () => {
      sockets.delete(socket);
      clients.delete(socket);
    });
    socket.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      try {
        while (waiting.length > 0) {
          // CONNECT comes first, and only once.
          if (clients.has(socket) === (waiting[0] >> 4 === CONNECT)) return socket.destroy();
          const next = firstPacket(waiting);
          if (!next) return;
          waiting = next.behind;
          HANDLERS[next.type]?.(socket, next.body, next.flags);
        }
      } catch {
        socket.destroy(); // this is not MQTT
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
