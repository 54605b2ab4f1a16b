/** Web Push, judged by implementations that were not written here: http_ece opens, py_vapid vouches. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { until } from './lib/checks.mjs';
import { Rest } from './lib/rest.mjs';
import { root, startChat, temporaryFolder } from './lib/servers.mjs';

/** @param {import('./lib/checks.mjs').Checks} checks */
export async function push(checks) {
  const venv = join(root, '.cache/venv/bin/python');
  const program = spawn(existsSync(venv) ? venv : 'python3', [join(root, 'tests/e2e/push_service.py')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  createInterface({ input: program.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  const contact = 'mailto:ops@chat.example';
  const server = await startChat({ data: temporaryFolder(), args: ['--allow-private-push', '--push-contact', contact] });
  try {
    await until(() => lines.length > 0, 'the push service', 60_000);
    const { endpoint, keys } = lines.shift();
    const [ann, bob] = [await Rest.account(server.base, 'ann'), await Rest.account(server.base, 'bob')];
    const room = await ann.call('POST', 'rooms', { kind: 'group', name: '차 모임', members: ['bob'] });
    const device = await bob.call('POST', 'devices', { kind: 'webpush', endpoint, keys, language: 'ko' });
    const next = async (what) => {
      await until(() => lines.length > 0, what, 60_000);
      const told = lines.shift();
      assert.equal(told.fault, undefined);
      return told;
    };

    await checks.check('web push: a trial arrives, sealed and signed as the RFCs say', async () => {
      await bob.call('POST', `devices/${device.id}/test`);
      const { payload, claims } = await next('the trial');
      assert.equal(payload.title, '알림이 작동합니다');
      assert.equal(claims.sub, contact);
    });
    await checks.check('web push: a message arrives with its words, its topic and its link', async () => {
      const sent = await ann.call('POST', `rooms/${room.id}/messages`, { text: '안녕하세요' });
      const { payload, headers } = await next('the message');
      assert.deepEqual(payload, {
        room: room.id, title: '차 모임', sender: 'ann', preview: '안녕하세요', body: 'ann: 안녕하세요', unread: 1,
        position: sent.position, url: `/#/rooms/${room.id}`,
      });
      assert.equal(headers.ttl, '86400');
      assert.equal(headers.urgency, 'normal');
      assert.match(headers.topic, /^[A-Za-z0-9_-]{32}$/);
    });
    await checks.check('web push: the longest message fits', async () => {
      await ann.call('POST', `rooms/${room.id}/messages`, { text: '\u0001'.repeat(9_000) });
      const { size, payload } = await next('the longest message');
      assert.ok(size <= 3993, `${size} bytes`);
      assert.ok(payload.preview.startsWith('\u0001'));
    });
  } finally {
    program.kill('SIGKILL');
    await server.stop();
  }
}

/** The page's half, in a browser: permission on a click, a notification from a push, a click that opens the room. */
export async function pushPage(checks) {
  const server = await startChat({ data: temporaryFolder() });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  try {
    const ann = await Rest.account(server.base, 'ann');
    const context = await browser.newContext({ locale: 'en-GB' });
    await context.grantPermissions(['notifications'], { origin: server.base });
    const tab = await context.newPage();
    tab.setDefaultTimeout(60_000);
    await tab.goto(server.base);
    await tab.click('#switch');
    await tab.fill('#name', 'bob');
    await tab.fill('#password', 'correct horse');
    await tab.click('form button[type=submit]');
    await tab.waitForSelector('.sidebar');
    const room = await ann.call('POST', 'rooms', { kind: 'group', name: 'Tea', members: ['bob'] });
    await tab.waitForSelector(`[data-room="${room.id}"]`);
    const shown = () => tab.evaluate(async () => {
      const worker = await navigator.serviceWorker.getRegistration();
      const notes = (await worker?.getNotifications()) ?? [];
      return notes.map(({ title, body, tag, data }) => ({ title, body, tag, url: data?.url }));
    });

    await checks.check('page: notifications are asked for on a click, not before', async () => {
      assert.equal(await tab.evaluate(() => navigator.serviceWorker.getRegistration().then(Boolean)), false);
      await tab.click('.sidebar [popovertarget=main-menu]');
      await tab.click('text=Turn on notifications');
      await tab.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      await tab.click('.sidebar [popovertarget=main-menu]');
      await tab.waitForSelector('text=Turn off notifications');
      await tab.keyboard.press('Escape');
    });

    await checks.check('page: a push becomes a notification of its room', async () => {
      const cdp = await context.newCDPSession(tab);
      const registration = new Promise((resolve) => {
        cdp.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => registrations[0] && resolve(registrations[0].registrationId));
      });
      await cdp.send('ServiceWorker.enable');
      const data = JSON.stringify({ room: room.id, title: 'Tea', body: 'ann: hello', url: `/#/rooms/${room.id}` });
      await cdp.send('ServiceWorker.deliverPushMessage', { origin: server.base, registrationId: await registration, data });
      await until(async () => (await shown()).length === 1, 'the notification');
      assert.deepEqual(await shown(), [{ title: 'Tea', body: 'ann: hello', tag: room.id, url: `/#/rooms/${room.id}` }]);
    });

    await checks.check('page: a click on it opens the room', async () => {
      const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
      await worker.evaluate(async () => {
        const [notification] = await self.registration.getNotifications();
        self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
      });
      await until(() => tab.url().endsWith(`#/rooms/${room.id}`), 'the room');
      await tab.waitForSelector('.room .composer, .room form');
      assert.deepEqual(await shown(), []);
    });
  } finally {
    await browser.close();
    await server.stop();
  }
}
