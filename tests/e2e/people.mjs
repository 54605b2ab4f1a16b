/** What people do with each other on the page: roles, invitations, search, settings, and a server that is replaced meanwhile. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { sleep, until } from './lib/checks.mjs';
import { freePort, root, startChat, temporaryFolder } from './lib/servers.mjs';

const shots = join(root, '.cache/shots');

/** @param {import('./lib/checks.mjs').Checks} checks */
export async function people(checks) {
  mkdirSync(shots, { recursive: true });
  const data = temporaryFolder();
  const http = await freePort();
  let server = await startChat({ data, http });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  const faults = [];

  async function person() {
    const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, locale: 'en-GB', colorScheme: 'light' });
    const tab = await context.newPage();
    tab.setDefaultTimeout(60_000);
    tab.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
    tab.on('console', (message) => {
      if (/Content Security Policy|Refused to/i.test(message.text())) faults.push(`policy: ${message.text()}`);
    });
    return tab;
  }

  /** @param {string} [link] where to, if not to the front page */
  async function signUp(tab, name, link = server.base) {
    await tab.goto(link);
    await tab.click('#switch');
    await tab.fill('#name', name);
    await tab.fill('#password', 'correct horse');
    await tab.click('form button[type=submit]');
    await tab.waitForSelector('.sidebar');
  }

  const write = async (tab, text) => {
    await tab.fill('#composer', text);
    await tab.press('#composer', 'Enter');
  };
  const shown = (tab, text) => tab.locator('.message .text', { hasText: text }).first().waitFor();
  const texts = (tab) => tab.locator('.message .text').allTextContents();
  const openRoom = (tab, title) => tab.locator('.rooms button', { hasText: title }).first().click();
  const details = (tab) => tab.click('.room header button[aria-label="Members"]');
  const close = (tab) => tab.click('dialog header button');
  const menu = async (tab, label) => {
    await tab.click('[popovertarget=main-menu]');
    await tab.click(`#main-menu button:has-text("${label}")`);
  };
  const shot = (tab, name) => tab.screenshot({ path: join(shots, `${name}.png`) });

  const [ada, bob, eve] = [await person(), await person(), await person()];
  let link = '';

  await checks.check('people: a link that an owner made lets somebody new in', async () => {
    await signUp(ada, 'ada');
    await signUp(bob, 'bob');
    await ada.click('[popovertarget=new-menu]');
    await ada.click('#new-menu button:nth-child(2)');
    await ada.fill('#group-name', 'Orchard');
    await ada.fill('dialog input[type=search]', 'bob');
    await ada.click('dialog [data-user=bob]');
    await ada.click('#create');
    await ada.locator('.room h2', { hasText: 'Orchard' }).waitFor();
    await write(ada, 'The plums are ripe.');
    await details(ada);
    await ada.click('#invite');
    await until(async () => (link = await ada.inputValue('#invite-link')) !== '', 'the link');
    await shot(ada, 'invite-link');
    await close(ada);
    await signUp(eve, 'eve', link);
    await eve.click('#accept');
    await eve.locator('.room h2', { hasText: 'Orchard' }).waitFor();
    await shown(eve, 'The plums are ripe.');
    await write(eve, 'I bring baskets.');
    await shown(ada, 'I bring baskets.');
  });

  await checks.check('people: an owner makes an admin, who may rename, and a member again, who may not', async () => {
    const roleOfBob = async (role) => {
      await details(ada);
      const choice = ada.locator('dialog [data-member=bob] select');
      await choice.selectOption(role);
      await until(async () => (await ada.locator('dialog [data-member=bob] select').inputValue()) === role, `bob is ${role}`);
      await shot(ada, `role-${role}`);
      await close(ada);
    };
    await openRoom(bob, 'Orchard');
    await details(bob);
    await bob.locator('dialog [data-member=ada]').waitFor();
    assert.equal(await bob.locator('dialog #room-name').count(), 0, 'a member does not rename');
    assert.equal(await bob.locator('dialog select').count(), 0, 'a member gives no roles');
    await close(bob);

    await roleOfBob('admin');
    await details(bob);
    await bob.fill('#room-name', 'Orchard and garden');
    await bob.press('#room-name', 'Enter');
    await ada.locator('.room h2', { hasText: 'Orchard and garden' }).waitFor();
    await bob.locator('dialog [data-member=eve] select').waitFor();
    assert.equal(await bob.locator('dialog [data-member=ada] select').count(), 0, 'an admin does not touch the owner');
    await close(bob);

    await roleOfBob('member');
    await until(async () => {
      await details(bob);
      await bob.locator('dialog [data-member=ada]').waitFor();
      const fields = await bob.locator('dialog #room-name').count();
      await close(bob);
      return fields === 0;
    }, 'no field to rename');
  });

  await checks.check('people: a message is found again, and shown where it was said', async () => {
    for (let n = 1; n <= 60; n += 1) await write(ada, `row ${n} of the harvest`);
    await shown(bob, 'row 60 of the harvest');
    await until(async () => (await ada.locator('.message.waiting').count()) === 0, 'all sent');
    await bob.click('.sidebar header button[aria-label="Search messages"]');
    await bob.fill('dialog input[type=search]', 'plums are');
    const found = bob.locator('dialog .people button', { hasText: 'The plums are ripe.' });
    await found.waitFor();
    await shot(bob, 'search');
    await found.click();
    await bob.locator('.message.found', { hasText: 'The plums are ripe.' }).waitFor();
    await bob.click('.sidebar header button[aria-label="Search messages"]');
    await bob.fill('dialog input[type=search]', 'nobody ever said this');
    await bob.locator('dialog .people li', { hasText: /\S/ }).waitFor();
    assert.equal(await bob.locator('dialog .people button').count(), 0);
    await close(bob);
  });

  await checks.check('people: language, theme, name and notifications are as chosen, also after a reload', async () => {
    const back = () => eve.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await back();
    await menu(eve, 'Light or dark');
    await until(async () => (await back()) !== light, 'another background');
    await menu(eve, 'Settings');
    await eve.fill('#setting-display-name', 'Eve of the hill');
    await eve.locator('form.settings', { has: eve.locator('#setting-display-name') }).locator('button[type=submit]').click();
    await eve.locator('#me', { hasText: 'Eve of the hill' }).waitFor();
    await eve.uncheck('#setting-preview');
    await eve.check('#setting-private');
    await eve.check('#setting-quiet');
    await eve.fill('#setting-from', '21:30');
    const preferences = eve.locator('form.settings', { has: eve.locator('#setting-preview') });
    await preferences.locator('button[type=submit]').click();
    await preferences.locator('button', { hasText: 'Saved' }).waitFor();
    await shot(eve, 'settings');
    await close(eve);
    await menu(eve, '한국어');
    await until(async () => (await eve.getAttribute('html', 'lang')) === 'ko', 'Korean');
    await eve.reload();
    await eve.waitForSelector('.sidebar');
    assert.equal(await eve.getAttribute('html', 'lang'), 'ko');
    assert.notEqual(await back(), light);
    await menu(eve, '설정');
    await eve.locator('#setting-from').waitFor();
    assert.equal(await eve.inputValue('#setting-display-name'), 'Eve of the hill');
    assert.equal(await eve.inputValue('#setting-from'), '21:30');
    assert.deepEqual(await Promise.all(['preview', 'private', 'quiet'].map((name) => eve.isChecked(`#setting-${name}`))), [false, true, true]);
    await shot(eve, 'settings-korean-dark');
    await close(eve);
  });

  await checks.check('people: another instance takes over in the middle of sending, nothing is lost or doubled on the screen', async () => {
    await openRoom(bob, 'Orchard');
    if (await bob.locator('.to-newest').isVisible()) await bob.click('.to-newest');
    const wanted = Array.from({ length: 40 }, (_, n) => `across ${n + 1}`);
    let replaced;
    for (const [n, text] of wanted.entries()) {
      await write(ada, text);
      // The next one waits for the port and the folder of the one that goes.
      if (n === 12) replaced = server.stop().then(async (code) => (assert.equal(code, 0), startChat({ data, http })));
      await sleep(50);
    }
    const before = server;
    server = await replaced;
    assert.notEqual(server, before);
    await until(async () => (await ada.locator('.message.waiting').count()) === 0, 'all sent');
    for (const tab of [ada, bob]) {
      const across = async () => (await texts(tab)).filter((text) => text.startsWith('across '));
      await until(async () => (await across()).length >= wanted.length, 'all of them on the screen');
      await sleep(500);
      assert.deepEqual(await across(), wanted);
      await tab.locator('.banner[data-state]').waitFor({ state: 'detached' });
    }
    await bob.reload();
    await shown(bob, 'across 40');
    assert.deepEqual((await texts(bob)).filter((text) => text.startsWith('across ')), wanted, 'the history says the same');
  });

  await checks.check('people: no error and no blocked script in all of this', () => assert.deepEqual(faults, []));
  await browser.close();
  await checks.check('people: chat-app ends with 0 when asked to', async () => assert.equal(await server.stop(), 0, server.log));
}
