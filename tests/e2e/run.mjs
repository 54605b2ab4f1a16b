/**
 * End to end: the started binaries, tried by clients that were not written here.
 * `node run.mjs [PART...]` runs all parts or those named: stomp.py stompjs spring handlers admin client crash push page people chat-admin.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { Checks } from './lib/checks.mjs';
import { root, startBroker, temporaryFolder } from './lib/servers.mjs';
import { admin } from './admin.mjs';
import { chatAdmin } from './chat-admin.mjs';
import { client } from './client.mjs';
import { crash } from './crash.mjs';
import { handlers } from './handlers.mjs';
import { page } from './page.mjs';
import { people } from './people.mjs';
import { push, pushPage } from './push.mjs';
import { stompjs } from './stompjs.mjs';

const checks = new Checks();
const only = process.argv.slice(2);
const wanted = (part) => only.length === 0 || only.includes(part);

/** A client of another language is a program of its own, whose lines are counted here. */
async function program(name, command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
  const ended = new Promise((resolve) => {
    child.on('error', () => resolve(-1));
    child.on('close', resolve);
  });
  let lines = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    if (line.startsWith('ok   ')) checks.passed += 1;
    if (line.startsWith('FAIL ')) checks.failed += 1;
    lines += 1;
  }
  const code = await ended;
  await checks.check(`${name}: the program came to its end`, () => {
    if (lines === 0 || (code !== 0 && code !== 1)) throw new Error(`it ended with ${code} after ${lines} lines`);
  });
}

const venv = join(root, '.cache/venv/bin/python');
const stompPy = (port) => program('stomp.py', existsSync(venv) ? venv : 'python3', [join(root, 'tests/e2e/stomp_py.py'), String(port)]);
const spring = (url) => program('spring', 'java', ['-XX:TieredStopAtLevel=1', '-Dfile.encoding=UTF-8', '-cp', `${join(root, '.cache/spring')}:${join(root, '.cache/spring/libs')}/*`, 'SpringClient', url]);

for (const [name, args] of [
  ['memory', []],
  ['sqlite', ['--broker', `sqlite:${join(temporaryFolder(), 'log.db')}`]],
]) {
  if (!['stomp.py', 'stompjs', 'spring'].some(wanted)) break;
  console.log(`-- stomp-server, broker ${name}`);
  const broker = await startBroker(args);
  if (wanted('stomp.py')) await stompPy(broker.tcp);
  if (wanted('stompjs')) await stompjs(checks, broker.ws);
  if (wanted('spring')) await spring(broker.ws);
  await checks.check(`stomp-server (${name}) ends with 0 when asked to`, async () => {
    const code = await broker.stop();
    if (code !== 0) throw new Error(`exit code ${code}\n${broker.log}`);
  });
}
if (wanted('handlers')) {
  console.log('-- handlers, with a front end made for Spring');
  await handlers(checks);
}
if (wanted('admin')) {
  console.log('-- the admin page of the broker, in a browser');
  await admin(checks);
}
if (wanted('client')) {
  console.log('-- the chat client of the page, in Node');
  await client(checks);
}
if (wanted('crash')) {
  console.log('-- chat-app, killed in the middle of sending');
  await crash(checks, Number(process.env.E2E_CRASH_ROUNDS ?? 3));
}
if (wanted('push')) {
  console.log('-- pushes, opened by others');
  await push(checks);
  await pushPage(checks);
}
if (wanted('page')) {
  console.log('-- the page, in a browser');
  await page(checks);
}
if (wanted('people')) {
  console.log('-- what people do with each other on the page');
  await people(checks);
}
if (wanted('chat-admin')) {
  console.log('-- the admin page of the chat, in a browser');
  await chatAdmin(checks);
}

// A closing line that anything which watches a run can read.
console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed === 0 && checks.passed > 0 ? 0 : 1);
