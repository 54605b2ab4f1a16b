/** The broker's admin page in a headless Chromium, beside clients that give it something to show. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { until } from './lib/checks.mjs';
import { root, startBroker } from './lib/servers.mjs';
import { Connection } from './lib/stompjs.mjs';

const shots = join(root, '.cache/shots');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TOKEN = 'a-token-of-more-than-16-characters';

/** @param {import('./lib/checks.mjs').Checks} checks */
export async function admin(checks) {
  mkdirSync(shots, { recursive: true });
  const broker = await startBroker();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const faults = [];

  async function visit(url, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 1240 }, ...options });
    const tab = await context.newPage();
    tab.setDefaultTimeout(20_000);
    tab.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
    tab.on('console', (message) => {
      if (/Content Security Policy|Refused to/i.test(message.text())) faults.push(`policy: ${message.text()}`);
    });
    // The page must work where there is no network but this server.
    tab.on('request', (request) => {
      if (new URL(request.url()).host !== new URL(url).host) faults.push(`request to ${request.url()}`);
    });
    await tab.addInitScript(() => {
      window.policy = [];
      document.addEventListener('securitypolicyviolation', (event) => window.policy.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    await tab.goto(url);
    return tab;
  }

  async function accessible(tab) {
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(() => window.axe.run());
    const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(bad.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
  }

  const table = (tab, id) => tab.$$eval(`section:has(#list-${id}) tbody tr`, (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  const number = (tab, name) => tab.$eval('.numbers', (list, title) => [...list.children].find((box) => box.querySelector('dt').textContent === title)?.querySelector('dd').textContent, name);

  const people = [];
  for (const login of ['ann', 'bob', 'carol', 'dave']) {
    const person = await Connection.open(broker.ws, { connectHeaders: { login, passcode: '' } });
    await person.subscribe('/topic/news.*');
    people.push(person);
  }
  const [ann, bob] = people;
  await bob.subscribe('/queue/jobs', { ack: 'client-individual', 'prefetch-count': '5' });
  for (let n = 0; n < 12; n += 1) await ann.send('/queue/jobs', `job ${n}`);
  await ann.send('/queue/nobody-reads-this', 'alone');
  const body = 'x'.repeat(2_000);
  let sent = 0;
  let talking = true;
  const talk = (async () => {
    for (; talking; sent += 1) await ann.send('/topic/news.today', body);
  })();

  const base = `http://127.0.0.1:${broker.http}/`;
  const tab = await visit(base);
  await checks.check('admin: who is connected, to what, and what waits in queues', async () => {
    await until(async () => (await table(tab, 'connections')).length === 4, 'four connections');
    const users = (await table(tab, 'connections')).map((row) => row[1]);
    assert.deepEqual(users, ['ann', 'bob', 'carol', 'dave']);
    const connection = (await table(tab, 'connections'))[1];
    assert.equal(connection[3], 'websocket');
    assert.equal(connection[4], '1.2');
    const queues = await table(tab, 'queues');
    assert.deepEqual(queues, [['/queue/jobs', '12', '5', '0', '1'], ['/queue/nobody-reads-this', '1', '0', '0', '0']]);
    assert.equal((await table(tab, 'subscriptions')).filter(([destination]) => destination === '/topic/news.*').length, 4);
    assert.equal((await number(tab, 'Connections')).trim(), '4');
  });
  await checks.check('admin: plots have lines, and words for who cannot see them', async () => {
    // Enough samples for the screenshot to show something.
    await until(async () => (await tab.$$eval('.plot polyline', (lines) => lines[0]?.getAttribute('points').split(' ').length ?? 0)) >= 8, 'eight samples', 60_000);
    const words = await tab.$eval('.plot svg', (svg) => svg.getAttribute('aria-label'));
    assert.match(words, /^Messages, now: accepted [\d.,K]+\/s, frames out [\d.,K]+\/s; at most/);
    assert.match(await number(tab, 'Accepted'), /^[\d.,K]+\/s/);
    assert.ok(sent > 0);
  }, 90_000);
  await checks.check('admin: light and dark, wide and narrow, nothing serious for axe', async () => {
    await tab.emulateMedia({ colorScheme: 'light' });
    await accessible(tab);
    await tab.screenshot({ path: join(shots, 'admin-light.png') });
    await tab.emulateMedia({ colorScheme: 'dark' });
    await accessible(tab);
    await tab.screenshot({ path: join(shots, 'admin-dark.png') });
    await tab.setViewportSize({ width: 390, height: 844 });
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than a phone`);
    await tab.screenshot({ path: join(shots, 'admin-phone.png') });
  });
  talking = false;
  await talk;
  await Promise.all(people.map((person) => person.close()));
  await checks.check('admin: who has gone is gone from the page', () =>
    until(async () => (await table(tab, 'connections')).length === 0, 'an empty list', 20_000));
  await checks.check('admin: the page says when the server does not answer', async () => {
    await broker.stop();
    await tab.waitForSelector('#state.warn:not([hidden])');
  });

  const guarded = await startBroker(['--trusted-proxy', '127.0.0.1', '--allow-anonymous', '--admin-token', TOKEN]);
  await checks.check('admin: from elsewhere the token is asked for, refused when wrong, and stays in the tab', async () => {
    const url = `http://127.0.0.1:${guarded.http}/`;
    const far = await visit(url);
    await far.waitForSelector('#sign-in:not([hidden])');
    await accessible(far);
    await far.fill('#token', `${TOKEN}-not`);
    await far.press('#token', 'Enter');
    await until(async () => (await far.textContent('#refusal')).includes('does not take'), 'the refusal');
    await far.fill('#token', TOKEN);
    await far.press('#token', 'Enter');
    await far.waitForSelector('#board:not([hidden])');
    await far.reload();
    await far.waitForSelector('#board:not([hidden])');
    assert.equal(await far.evaluate(() => localStorage.length), 0);
    await far.click('#forget');
    await far.waitForSelector('#sign-in:not([hidden])');
  });
  await checks.check('admin: no script error, no policy violation, no request to anywhere else', async () => {
    for (const context of browser.contexts()) {
      for (const one of context.pages()) faults.push(...(await one.evaluate(() => window.policy)).map((what) => `policy: ${what}`));
    }
    assert.deepEqual(faults, []);
  });
  await browser.close();
  await guarded.stop();
}
