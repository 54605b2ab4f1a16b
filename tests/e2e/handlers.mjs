/**
 * A front end as it is written for a Spring controller, unchanged, against the example `handlers`.
 * `node handlers.mjs` runs it alone.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@stomp/stompjs';
import WebSocket from 'ws';
import { Checks, until } from './lib/checks.mjs';
import { root } from './lib/servers.mjs';

/** Starts the example on a free port. */
async function start() {
  const folder = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug/examples');
  const child = spawn(join(folder, 'handlers'), ['127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /ws:\S+/.exec(line)?.[0];
    if (url) return { url, stop: () => child.kill() };
  }
  throw new Error('the example did not start');
}

/** What the page's script does: connect, subscribe to three places, and show what comes. */
function page(url, login) {
  const shown = { greetings: [], replies: [], rooms: [], errors: [] };
  const client = new Client({
    webSocketFactory: () => new WebSocket(url, ['v12.stomp']),
    connectHeaders: { login, passcode: '' },
    reconnectDelay: 0,
    onConnect: () => {
      client.subscribe('/topic/greetings', (message) => shown.greetings.push(JSON.parse(message.body).content));
      client.subscribe('/user/queue/reply', (message) => shown.replies.push(message.body));
      client.subscribe('/user/queue/errors', (message) => shown.errors.push(JSON.parse(message.body)));
      client.subscribe('/app/rooms.1', (message) => shown.rooms.push(JSON.parse(message.body).name));
    },
  });
  client.activate();
  return { client, shown };
}

/** @param {Checks} checks */
export async function handlers(checks) {
  const example = await start();
  const [tab, other, bob] = ['ann', 'ann', 'bob'].map((name) => page(example.url, name));
  const hello = (from, name) => from.client.publish({ destination: '/app/hello', body: JSON.stringify({ name }) });

  await checks.check('handlers: a subscription is answered when it is made', async () => {
    for (const { shown } of [tab, other, bob]) await until(() => shown.rooms.length === 1, 'the room');
    assert.deepEqual(tab.shown.rooms, ['garden']);
  });
  await checks.check('handlers: what a controller returns reaches the topic', async () => {
    hello(tab, 'Ann');
    for (const { shown } of [tab, other, bob]) await until(() => shown.greetings.length === 1, 'the greeting');
    assert.deepEqual(bob.shown.greetings, ['Hello, Ann!']);
  });
  await checks.check('handlers: a reply reaches every tab of its user, and nobody else', async () => {
    tab.client.publish({ destination: '/app/ask', body: 'Why?' });
    for (const { shown } of [tab, other]) await until(() => shown.replies.length === 1, 'the reply');
    assert.deepEqual(other.shown.replies, ['ann, "Why?" is a good question']);
    assert.deepEqual(bob.shown.replies, []);
  });
  await checks.check('handlers: an exception is a problem of its own, and the session lives on', async () => {
    hello(bob, '');
    await until(() => bob.shown.errors.length === 1, 'the problem');
    assert.equal(bob.shown.errors[0].code, 'invalid');
    hello(bob, 'Bob');
    await until(() => bob.shown.greetings.length === 2, 'the greeting');
    assert.deepEqual(tab.shown.errors, []);
  });

  await Promise.all([tab, other, bob].map(({ client }) => client.deactivate()));
  example.stop();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const checks = new Checks();
  await handlers(checks);
  console.log(`${checks.passed} passed, ${checks.failed} failed`);
  process.exit(checks.failed === 0 ? 0 : 1);
}
