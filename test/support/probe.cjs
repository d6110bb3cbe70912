/**
 * Runs inside a Node-RED under test: nodes that keep what they get or close slowly, and what the runtime knows, for the
 * test process to ask for.
 */
const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = require('node:timers');

module.exports = (RED) => {
  /** What happened, in its order, by kind. */
  const seen = { done: [], sink: [], status: [] };
  /** Those who wait for more of it. */
  const checks = new Set();

  function saw(kind, entry) {
    seen[kind].push(entry);
    for (const check of checks) check();
  }

  const errorOf = (error) => error && { message: error.message ?? String(error), code: error.code };

  RED.hooks.add('onComplete.probe', ({ msg: { payload, action }, error, node }) => {
    const isAlive = RED.nodes.getNode(node.id) === node.node;
    saw('done', { id: node.id, payload, action, isAlive, error: errorOf(error) });
  });
  RED.events.on('node-status', ({ id, status }) => saw('status', { id, ...status }));

  RED.nodes.registerType('probe sink', function (def) {
    RED.nodes.createNode(this, def);
    this.on('input', ({ payload, topic, usmp, stats, error }, _send, done) => {
      saw('sink', { id: this.id, payload, topic, usmp, stats, error: errorOf(error) });
      done();
    });
    // What Node-RED has on its way to a node when that closes is lost, unless the node takes a moment for it.
    this.on('close', (done) => setImmediate(done));
  });
  /** Closes after so many milliseconds, or when it is told to. */
  const closing = [];
  RED.nodes.registerType('probe slow', function (def) {
    RED.nodes.createNode(this, def);
    this.on('close', (done) => (def.ms === undefined ? closing.push(done) : setTimeout(done, def.ms)));
  });

  const answer = (path, handle) =>
    RED.httpAdmin.post(`/probe/${path}`, ({ body }, response) => {
      handle(body, (json) => response.json(json));
    });

  answer('receive', ({ id, msgs }, reply) => {
    for (const msg of msgs) RED.nodes.getNode(id).receive(msg);
    reply({});
  });

  /** Numbers as payloads, one after the other, whenever the node is there to get one. */
  let stream;
  answer('stream', ({ id, everyMs }, reply) => {
    const handed = [];
    let next = 0;
    const timer = setInterval(() => {
      const payload = `no ${next++}`;
      const node = RED.nodes.getNode(id);
      if (!node) return;
      handed.push(payload);
      node.receive({ payload });
    }, everyMs);
    stream = { handed, timer };
    reply({});
  });
  answer('dam', (_body, reply) => {
    clearInterval(stream.timer);
    reply(stream.handed);
  });

  /** All of a kind from a node with these properties, as soon as there are so many, or when they do not come. */
  answer('seen', ({ kind, id, count, match }, reply) => {
    const fits = (entry) =>
      entry.id === id && Object.entries(match).every(([name, value]) => RegExp(value).test(entry[name]));
    const found = () => seen[kind].filter(fits);
    const settle = () => {
      checks.delete(check);
      clearTimeout(timer);
      reply(found());
    };
    const timer = setTimeout(settle, 15_000);
    const check = () => found().length >= count && settle();
    checks.add(check);
    check();
  });
  answer('close', (_body, reply) => {
    for (const done of closing.splice(0)) done();
    reply({});
  });
  answer('forget', (_body, reply) => {
    for (const entries of Object.values(seen)) entries.length = 0;
    reply({});
  });
};
