/** The chat's admin page in a headless Chromium: what happens in the chat shows there. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { sleep, until } from './lib/checks.mjs';
import { Rest } from './lib/rest.mjs';
import { root, startChat, temporaryFolder } from './lib/servers.mjs';
import { Connection } from './lib/stompjs.mjs';

const shots = join(root, '.cache/shots');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TOKEN = 'open sesame';

/** @param {import('./lib/checks.mjs').Checks} checks */
export async function chatAdmin(checks) {
  mkdirSync(shots, { recursive: true });
  const server = await startChat({ data: temporaryFolder(), args: ['--admin-token', TOKEN, '--trusted-proxy', '127.0.0.1'] });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const faults = [];
  const tab = await (await browser.newContext({ viewport: { width: 1180, height: 1240 } })).newPage();
  tab.setDefaultTimeout(60_000);
  tab.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
  tab.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) faults.push(`policy: ${message.text()}`);
  });
  tab.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(server.base).host) faults.push(`request to ${request.url()}`);
  });
  const number = (name) => tab.$$eval('.numbers div', (boxes, title) => boxes.find((box) => box.querySelector('dt').textContent === title)?.querySelector('dd').firstChild.textContent, name);
  const rows = (id) => tab.$$eval(`section:has(#list-${id}) tbody tr`, (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));

  const [ann, bob] = [await Rest.account(server.base, 'ann'), await Rest.account(server.base, 'bob')];
  const room = await ann.call('POST', 'rooms', { kind: 'group', name: 'Tea & <b>cake</b>', members: ['bob'] });
  const people = [];
  for (const { token } of [ann, bob]) {
    const person = await Connection.open(server.ws, { connectHeaders: { passcode: token } });
    await person.subscribe(`/topic/rooms.${room.id}`);
    people.push(person);
  }

  await checks.check('chat admin: behind a proxy the page asks for the token, and refuses a wrong one', async () => {
    await tab.goto(`${server.base}/admin`);
    await tab.waitForSelector('#sign-in:not([hidden])');
    await tab.fill('#token', 'open barley');
    await tab.press('#token', 'Enter');
    await until(async () => (await tab.textContent('#refusal')).includes('does not take'), 'the refusal');
    await tab.fill('#token', TOKEN);
    await tab.press('#token', 'Enter');
    await tab.waitForSelector('#board:not([hidden])');
    await until(async () => (await rows('connections')).length === 2, 'two connections');
    assert.equal((await number('Rooms')).trim(), '1');
    assert.equal((await number('Messages kept')).trim(), '0');
  });

  await checks.check('chat admin: messages move the numbers, the plots and the list of rooms', async () => {
    for (let n = 1; n <= 120; n += 1) {
      await people[n % 2].send(`/app/rooms.${room.id}.send`, JSON.stringify({ text: `message ${n}` }));
      await sleep(40);
    }
    await until(async () => (await number('Messages kept'))?.trim() === '120', 'all of them counted');
    await until(async () => (await number('Store behind the log'))?.trim() === '0', 'the store at the head');
    const [title, kind, members, messages] = (await rows('rooms'))[0];
    assert.deepEqual([title, kind, members, messages], ['Tea & <b>cake</b>', 'group', '2', '120']);
    const most = await tab.$eval('.plot svg', (svg) => svg.getAttribute('aria-label'));
    assert.match(most, /^Log, now: records [\d.]+\/s; at most [1-9][\d.]*\/s/);
    assert.ok((await tab.$eval('.plot polyline', (line) => line.getAttribute('points').split(' ').length)) > 2);
  });

  await checks.check('chat admin: light, dark and narrow, nothing serious for axe', async () => {
    for (const colorScheme of ['light', 'dark']) {
      await tab.emulateMedia({ colorScheme });
      await tab.evaluate(axe);
      const { violations } = await tab.evaluate(() => window.axe.run());
      const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      assert.deepEqual(grave.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
      await tab.screenshot({ path: join(shots, `chat-admin-${colorScheme}.png`) });
    }
    await tab.setViewportSize({ width: 390, height: 844 });
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than a phone`);
    await tab.screenshot({ path: join(shots, 'chat-admin-phone.png') });
  });

  await checks.check('chat admin: who has gone is gone, and the page says when there is no answer', async () => {
    await Promise.all(people.map((person) => person.close()));
    await until(async () => (await rows('connections')).length === 0, 'an empty list');
    assert.equal(await server.stop(), 0, server.log);
    await tab.waitForSelector('#state.warn:not([hidden])');
    assert.deepEqual(faults, []);
  });
  await browser.close();
}
