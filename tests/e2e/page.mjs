/** Two people in a headless Chromium act on the page as people do. Screenshots go to .cache/shots. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { sleep, until } from './lib/checks.mjs';
import { nasty, typed } from './lib/nasty.mjs';
import { Rest } from './lib/rest.mjs';
import { freePort, root, startChat, temporaryFolder } from './lib/servers.mjs';

const shots = join(root, '.cache/shots');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** All that a first visit fetches, compressed: what a slow phone can take. */
const HEAVIEST = 150 * 1024;

/** @param {import('./lib/checks.mjs').Checks} checks */
export async function page(checks) {
  mkdirSync(shots, { recursive: true });
  const data = temporaryFolder();
  const http = await freePort();
  let server = await startChat({ data, http });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Chromium refuses to run as root with its sandbox; the pages it sees here are our own.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  /** What must never happen on a page: an uncaught error, a blocked script, a dialog. */
  const faults = [];

  async function person(options = {}) {
    const context = await browser.newContext({ viewport: { width: 1180, height: 760 }, locale: 'en-GB', ...options });
    const tab = await context.newPage();
    tab.setDefaultTimeout(60_000);
    tab.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
    tab.on('dialog', (dialog) => (faults.push(`dialog: ${dialog.message()}`), dialog.dismiss()));
    tab.on('console', (message) => {
      if (/Content Security Policy|Refused to/i.test(message.text())) faults.push(`policy: ${message.text()}`);
    });
    await tab.addInitScript(() => {
      window.policy = [];
      document.addEventListener('securitypolicyviolation', (event) => window.policy.push(`${event.violatedDirective} ${event.blockedURI}`));
    });
    return tab;
  }

  async function signUp(tab, name) {
    await tab.goto(server.base);
    await tab.click('#switch');
    await tab.fill('#name', name);
    await tab.fill('#password', 'correct horse');
    await tab.click('form button[type=submit]');
    await tab.waitForSelector('.sidebar');
  }

  /** The same person without a page. */
  async function signedIn(name) {
    const rest = new Rest(server.base);
    rest.token = (await rest.call('POST', 'sessions', { name, password: 'correct horse' })).token;
    return rest;
  }

  const write = async (tab, text) => {
    await tab.fill('#composer', text);
    await tab.press('#composer', 'Enter');
  };
  const shown = (tab, text) => tab.locator('.message .text', { hasText: text }).first().waitFor();
  const texts = (tab) => tab.locator('.message .text').allTextContents();
  const openRoom = (tab, title) => tab.locator('.rooms button', { hasText: title }).first().click();
  /** Nothing that axe calls serious or worse. */
  async function accessible(tab, view) {
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(() => window.axe.run());
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(grave.map(({ id, nodes }) => `${view}: ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`), []);
  }
  const shot = (tab, name) => tab.screenshot({ path: join(shots, `${name}.png`) });

  const [ada, bob] = [await person(), await person({ colorScheme: 'dark' })];

  await checks.check('page: it comes with strict headers and loads nothing from elsewhere', async () => {
    const foreign = [];
    const bodies = [];
    ada.on('request', (request) => new URL(request.url()).host !== new URL(server.base).host && foreign.push(request.url()));
    ada.on('response', (response) => bodies.push(response.body().catch(() => '')));
    const answer = await ada.goto(server.base);
    const policy = answer.headers()['content-security-policy'] ?? '';
    assert.match(policy, /default-src|script-src/);
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(answer.headers()['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers()['referrer-policy'], 'same-origin');
    await ada.waitForSelector('#name');
    const weight = (await Promise.all(bodies)).reduce((sum, body) => sum + gzipSync(body).length, 0);
    await shot(ada, 'sign-in');
    await accessible(ada, 'sign-in');
    assert.deepEqual(foreign, []);
    assert.ok(bodies.length > 10 && weight < HEAVIEST, `${weight} bytes`);
    console.log(`     ${bodies.length} files, ${Math.round(weight / 1024)} KiB compressed`);
  });

  await checks.check('page: two people make accounts', async () => {
    await signUp(ada, 'Ada');
    await signUp(bob, 'bob');
    assert.equal(await ada.textContent('#me'), 'Ada');
  });

  await checks.check('page: a wrong password is refused with a sentence', async () => {
    const tab = await person();
    await tab.goto(server.base);
    await tab.fill('#name', 'ada');
    await tab.fill('#password', 'wrong horse');
    await tab.click('form button[type=submit]');
    await tab.locator('.problem', { hasText: 'do not match' }).waitFor();
    await tab.context().close();
  });

  await checks.check('page: one makes a group with the other', async () => {
    await ada.click('[popovertarget=new-menu]');
    await shot(ada, 'menu');
    await ada.click('#new-menu button:nth-child(2)');
    await ada.fill('#group-name', 'Weekend walk');
    await ada.fill('dialog input[type=search]', 'bob');
    await ada.click('dialog [data-user=bob]');
    await shot(ada, 'new-group');
    await accessible(ada, 'new group');
    await ada.click('#create');
    await ada.locator('.room h2', { hasText: 'Weekend walk' }).waitFor();
    await bob.locator('.rooms button', { hasText: 'Weekend walk' }).waitFor();
  });

  await checks.check('page: an unread badge appears with the newest message, and clears', async () => {
    await write(ada, 'Shall we walk on Saturday?');
    await write(ada, 'The forecast says sun ☀️ https://weather.example/saturday.');
    const row = bob.locator('.rooms button', { hasText: 'Weekend walk' });
    await row.locator('.badge', { hasText: '2' }).waitFor();
    await row.locator('.quiet', { hasText: 'The forecast says sun' }).waitFor();
    await until(async () => (await bob.title()).startsWith('(2)'), 'the count in the title');
    await row.click();
    await shown(bob, 'Shall we walk on Saturday?');
    await bob.locator('.unread-line').waitFor();
    await row.locator('.badge').waitFor({ state: 'detached' });
    const line = await bob.locator('.unread-line + .message .text').textContent();
    assert.equal(line, 'Shall we walk on Saturday?', 'the line stands before the first unread message');
    const link = bob.locator('.message a');
    assert.equal(await link.getAttribute('href'), 'https://weather.example/saturday');
    assert.match(await link.getAttribute('rel'), /noopener/);
  });

  await checks.check('page: they exchange messages, in one order on both sides', async () => {
    await write(bob, 'Yes! I bring coffee.');
    await shown(ada, 'I bring coffee');
    await write(ada, 'Then I bring cake 🍰');
    await shown(bob, 'I bring cake');
    await write(bob, 'Ten at the old bridge?\nThe upper one, not the one by the mill.');
    await shown(ada, 'old bridge');
    await write(ada, 'Perfect.');
    await shown(bob, 'Perfect.');
    assert.deepEqual(await texts(ada), await texts(bob));
    await ada.locator('.own.read').last().waitFor();
    await until(async () => (await ada.locator('.message.waiting').count()) === 0, 'nothing still sending');
  });

  await checks.check('page: a direct chat is called after the other one', async () => {
    await bob.click('[popovertarget=new-menu]');
    await bob.click('#new-menu button:nth-child(1)');
    await bob.fill('dialog input[type=search]', 'ada');
    await bob.click('dialog [data-user=ada]');
    await bob.locator('.room h2', { hasText: 'Ada' }).waitFor();
    await write(bob, 'Just between us: it is her birthday on Sunday.');
    await ada.locator('.rooms button', { hasText: 'birthday' }).locator('.badge', { hasText: '1' }).waitFor();
    await ada.locator('.rooms button', { hasText: 'birthday' }).locator('strong', { hasText: 'bob' }).waitFor();
  });

  await checks.check('page: a public room is found and joined', async () => {
    await bob.click('[popovertarget=new-menu]');
    await bob.click('#new-menu button:nth-child(2)');
    await bob.fill('#group-name', 'Town square');
    await bob.check('#group-public');
    await bob.click('#create');
    await bob.locator('.room h2', { hasText: 'Town square' }).waitFor();
    await write(bob, 'Hello, everybody.');
    await shown(bob, 'Hello, everybody.');
    await ada.click('[popovertarget=new-menu]');
    await ada.click('#new-menu button:nth-child(3)');
    await ada.fill('dialog input[type=search]', 'town');
    await ada.locator('dialog .people button', { hasText: 'Town square' }).click();
    await ada.locator('.room h2', { hasText: 'Town square' }).waitFor();
    await shown(ada, 'Hello, everybody.');
    await write(ada, 'Hello, bob!');
    await shown(bob, 'Hello, bob!');
  });

  /** What one may do with a message, as somebody who points at it does. */
  const act = async (tab, text, action) => {
    const message = tab.locator('.message', { hasText: text }).last();
    await message.hover();
    await message.locator('.more').click();
    await tab.locator('.menu.near button', { hasText: action }).click();
  };

  await checks.check('page: who writes is shown, and no longer once it is sent', async () => {
    await openRoom(ada, 'Weekend walk');
    await openRoom(bob, 'Weekend walk');
    await shown(ada, 'Perfect.');
    await bob.locator('#composer').pressSequentially('And sandwiches', { delay: 10 });
    await ada.locator('.typing', { hasText: 'bob is writing' }).waitFor();
    await bob.press('#composer', 'Enter');
    await shown(ada, 'And sandwiches');
    await until(async () => (await ada.textContent('.typing')) === '', 'nobody writes');
  });

  await checks.check('page: an edit and a delete show on both sides, also after a reload', async () => {
    await act(bob, 'And sandwiches', 'Edit');
    assert.equal(await bob.inputValue('#composer'), 'And sandwiches');
    await write(bob, 'And sandwiches for all of us');
    const edited = ada.locator('.message', { hasText: 'sandwiches for all of us' });
    await edited.locator('.meta', { hasText: 'edited' }).waitFor();
    await write(bob, 'Wrong room, sorry');
    await shown(ada, 'Wrong room, sorry');
    await act(bob, 'Wrong room, sorry', 'Delete');
    await bob.click('#confirm');
    for (const tab of [ada, bob]) {
      await tab.locator('.message em', { hasText: 'deleted' }).waitFor();
      await until(async () => !(await texts(tab)).includes('Wrong room, sorry'), 'it is gone');
    }
    await ada.reload();
    await ada.locator('.message em', { hasText: 'deleted' }).waitFor();
    await shown(ada, 'sandwiches for all of us');
    // An arrow up in the empty field takes the newest message that is one's own.
    await ada.focus('#composer');
    await ada.press('#composer', 'ArrowUp');
    assert.equal(await ada.inputValue('#composer'), 'Perfect.');
    await ada.press('#composer', 'Escape');
    assert.equal(await ada.inputValue('#composer'), '');
  });

  await checks.check('page: an answer quotes, a mention stands out', async () => {
    await act(ada, 'old bridge', 'Reply');
    await ada.locator('.context', { hasText: 'old bridge' }).waitFor();
    await ada.locator('#composer').pressSequentially('The upper one it is, @b', { delay: 10 });
    await ada.locator('.mentions li', { hasText: 'bob' }).waitFor();
    await shot(ada, 'mention');
    await ada.press('#composer', 'Tab');
    assert.equal(await ada.inputValue('#composer'), 'The upper one it is, @bob ');
    await ada.press('#composer', 'Enter');
    const answer = bob.locator('.message.to-me', { hasText: 'The upper one it is' });
    await answer.locator('.mention', { hasText: '@bob' }).waitFor();
    await answer.locator('.quote', { hasText: 'Ten at the old bridge' }).click();
    await bob.locator('.message.found', { hasText: 'old bridge' }).waitFor();
  });

  await checks.check('page: sent, delivered and read show what came where', async () => {
    // Somebody whose page is open and not looked at has it on the screen, not before their eyes.
    await bob.evaluate(() => Object.defineProperty(document, 'hasFocus', { value: () => false, configurable: true }));
    await write(ada, 'Did you see this?');
    const mine = ada.locator('.message.own', { hasText: 'Did you see this?' });
    await mine.and(ada.locator('.delivered')).waitFor();
    await bob.evaluate(() => {
      delete document.hasFocus;
      dispatchEvent(new Event('focus'));
    });
    await mine.and(ada.locator('.read')).waitFor();
  });

  await checks.check('page: the keyboard alone reaches a message and what one may do with it', async () => {
    await ada.focus('.messages');
    await ada.keyboard.press('ArrowUp');
    await ada.keyboard.press('ArrowUp');
    await ada.keyboard.press('Enter');
    await ada.locator('.menu.near').waitFor();
    await shot(ada, 'message-menu');
    await ada.keyboard.press('Enter');
    await ada.locator('.context').waitFor();
    await ada.press('#composer', 'Escape');
    await ada.locator('.context').waitFor({ state: 'hidden' });
  });

  await checks.check('page: two tabs of one person agree', async () => {
    const second = await ada.context().newPage();
    await second.addInitScript((token) => sessionStorage.setItem('token', token), await ada.evaluate(() => sessionStorage.getItem('token')));
    await second.goto(server.base);
    await second.locator('.rooms button', { hasText: 'Weekend walk' }).waitFor();
    await openRoom(ada, 'Town square');
    await write(bob, 'Who feeds the cat?');
    const badge = (tab) => tab.locator('.rooms button', { hasText: 'Weekend walk' }).locator('.badge');
    await badge(second).waitFor();
    await openRoom(second, 'Weekend walk');
    await second.bringToFront();
    await shown(second, 'Who feeds the cat?');
    await badge(ada).waitFor({ state: 'detached' });
    await write(second, 'I do, as always.');
    await shown(bob, 'I do, as always.');
    await ada.bringToFront();
    await openRoom(ada, 'Weekend walk');
    await shown(ada, 'I do, as always.');
    await until(async () => JSON.stringify(await texts(ada)) === JSON.stringify(await texts(second)), 'the same in both');
    await second.close();
  });

  await checks.check('page: both reload and see the history', async () => {
    await openRoom(ada, 'Weekend walk');
    await openRoom(bob, 'Weekend walk');
    await shown(ada, 'I do, as always.');
    await shown(bob, 'I do, as always.');
    const before = await texts(ada);
    assert.ok(before.length >= 6, `${before.length} messages`);
    for (const tab of [ada, bob]) {
      await tab.reload();
      await tab.locator('.room h2', { hasText: 'Weekend walk' }).waitFor();
      await shown(tab, 'Perfect.');
      assert.deepEqual(await texts(tab), before);
    }
    await sleep(300);
    await accessible(ada, 'light');
    await accessible(bob, 'dark');
    await shot(ada, 'desktop-light');
    await shot(bob, 'desktop-dark');
  });

  await checks.check('page: texts, names and drafts never become HTML', async () => {
    await ada.click('[popovertarget=new-menu]');
    await ada.click('#new-menu button:nth-child(2)');
    await ada.fill('#group-name', '<img src=x onerror="window.ran = 1">');
    await ada.fill('dialog input[type=search]', 'bob');
    await ada.click('dialog [data-user=bob]');
    await ada.click('#create');
    await ada.locator('.room h2', { hasText: '<img src=x' }).waitFor();
    await openRoom(bob, '<img src=x');
    for (const text of typed) await write(ada, text);
    const sender = await signedIn('ada');
    const room = await ada.evaluate(() => decodeURIComponent(location.hash.split('/').at(-1)));
    const rest = nasty.slice(typed.length);
    for (const text of rest) await sender.call('POST', `rooms/${room}/messages`, { text });
    await shown(bob, rest.at(-1));
    await until(async () => (await bob.locator('.message').count()) === nasty.length, 'all of them on the other side');
    // As names of rooms, in a search, as what is quoted and as a draft.
    for (const name of nasty.filter((_, n) => n % 10 === 0)) await sender.call('POST', 'rooms', { kind: 'group', name: name.slice(0, 128), members: ['bob'] });
    await bob.click('.sidebar header button:first-of-type');
    for (const text of typed.slice(0, 4)) {
      await bob.fill('dialog input[type=search]', text);
      await bob.press('dialog input[type=search]', 'Enter');
    }
    await bob.click('dialog header button');
    await act(bob, typed[0], 'Reply');
    await write(bob, typed[1]);
    await ada.locator('.quote').last().waitFor();
    await bob.fill('#composer', typed[2]);
    await bob.reload();
    await shown(bob, typed[1]);
    assert.equal(await bob.inputValue('#composer'), typed[2], 'the draft is kept');
    await bob.fill('#composer', '');
    await sleep(500);
    for (const tab of [ada, bob]) {
      assert.equal(await tab.evaluate(() => window.ran), undefined, 'a script ran');
      assert.deepEqual(await tab.evaluate(() => window.policy), []);
      assert.equal(await tab.locator('#app :is(script, img, iframe, style, object, math, embed, video)').count(), 0);
      for (const href of await tab.locator('.messages a').evaluateAll((all) => all.map((a) => a.href))) assert.match(href, /^https?:/);
    }
    // Control characters may be dropped by the field, markup may not.
    assert.equal((await texts(ada))[0], nasty[0]);
  });

  await checks.check('page: history loads on scrolling up, without a hole or a double', async () => {
    const sender = await signedIn('ada');
    const room = await sender.call('POST', 'rooms', { kind: 'group', name: 'Long talk', members: ['bob'] });
    for (let n = 1; n <= 170; n += 1) await sender.call('POST', `rooms/${room.id}/messages`, { text: `line ${n}`, client_message_id: `long-${n}` });
    // The list counts what it was told since it was loaded: loaded when all is stored, it says exactly so many.
    const reader = await signedIn('bob');
    const unread = async () => (await reader.call('GET', 'rooms')).rooms.find(({ id }) => id === room.id)?.unread;
    await until(async () => (await unread()) === 170, 'all lines are stored');
    await bob.reload();
    await openRoom(bob, 'Long talk');
    await shown(bob, 'line 170');
    await bob.locator('.to-unread', { hasText: '170' }).click();
    await bob.locator('.message.found', { hasText: /^line 1$|line 1\d\d:/ }).waitFor();
    await shown(bob, 'line 1');
    assert.equal((await texts(bob))[0], 'line 1', 'the first unread message');
    await bob.click('.to-newest');
    await shown(bob, 'line 170');
    await until(async () => {
      await bob.locator('.messages').evaluate((list) => list.scrollTo(0, 0));
      return (await texts(bob)).includes('line 1');
    }, 'the first line');
    assert.deepEqual(await texts(bob), Array.from({ length: 170 }, (_, n) => `line ${n + 1}`));
    await write(bob, 'That was long.');
    await until(() => bob.locator('.messages').evaluate((list) => list.scrollHeight - list.scrollTop - list.clientHeight < 90), 'the end in view');
  });

  await checks.check('page: ten thousand messages are walked through, each seen once, few drawn at a time', async () => {
    const all = 10_000;
    const room = await (await signedIn('ada')).call('POST', 'rooms', { kind: 'group', name: 'Ten thousand', members: ['bob'] });
    // The history is made up here: what is asked is what the page does with it.
    const made = (ordinal) => ({ id: `made-${ordinal}`, room: room.id, sender: ordinal % 3 ? 'ada' : 'bob', text: `number ${ordinal}`, ordinal, created_at: new Date(1.7e12 + ordinal * 6e4).toISOString(), position: `00000000-${ordinal.toString(16).padStart(16, '0')}` });
    await bob.route(`**/rooms/${room.id}/messages?*`, async (route) => {
      const answer = await route.fetch();
      const query = new URL(route.request().url()).searchParams;
      const limit = Number(query.get('limit'));
      const from = query.has('after') ? Number(query.get('after')) + 1 : Math.max(1, Number(query.get('before') ?? all + 1) - limit);
      const to = query.has('after') ? Math.min(all, from + limit - 1) : Number(query.get('before') ?? all + 1) - 1;
      const messages = Array.from({ length: to - from + 1 }, (_, n) => made(from + n));
      await route.fulfill({ response: answer, json: { ...(await answer.json()), messages, before: from > 1 ? from : undefined, after: to < all ? to : undefined } });
    });
    await openRoom(bob, 'Ten thousand');
    await shown(bob, 'number 10000');
    const walk = await bob.evaluate(async () => {
      const list = document.querySelector('.messages');
      const frame = () => new Promise(requestAnimationFrame);
      const numbers = () => [...list.querySelectorAll('.message .text')].map((text) => Number(text.textContent.slice(7)));
      const seen = new Set();
      const [frames, faults] = [[], []];
      let most = 0;
      for (let last = performance.now(), end = last + 80_000; !seen.has(1) && performance.now() < end; ) {
        list.scrollTop -= 1200;
        await frame();
        const now = performance.now();
        frames.push(now - last);
        last = now;
        const drawn = numbers();
        most = Math.max(most, drawn.length);
        if (drawn.some((number, at) => at > 0 && number !== drawn[at - 1] + 1)) faults.push(`${drawn[0]}..${drawn.at(-1)}`);
        for (const number of drawn) seen.add(number);
      }
      frames.sort((a, b) => a - b);
      return { seen: seen.size, most, faults, p99: frames[Math.floor(frames.length * 0.99)], worst: frames.at(-1), count: frames.length };
    });
    console.log(`     ${walk.count} frames: p99 ${walk.p99.toFixed(0)} ms, slowest ${walk.worst.toFixed(0)} ms; at most ${walk.most} messages drawn`);
    assert.deepEqual(walk.faults, [], 'a hole, or one twice');
    assert.equal(walk.seen, all);
    assert.ok(walk.most <= 700, `${walk.most} drawn at once`);
    await bob.click('.to-newest');
    await shown(bob, 'number 10000');
    await write(bob, 'That was long.');
    await shown(bob, 'That was long.');
    await bob.unroute(`**/rooms/${room.id}/messages?*`);
  }, 300_000);

  await checks.check('page: the server is killed and comes back: nothing is lost or doubled on the screen', async () => {
    await openRoom(ada, 'Weekend walk');
    await openRoom(bob, 'Weekend walk');
    await shown(ada, 'Perfect.');
    await shown(bob, 'Perfect.');
    const before = (await texts(bob)).length;
    await server.kill();
    await ada.locator('.banner[data-state]').waitFor();
    for (const n of [1, 2, 3]) await write(ada, `written offline ${n}`);
    assert.equal(await ada.locator('.message.waiting').count(), 3);
    await shot(ada, 'offline');
    server = await startChat({ data, http });
    await until(async () => (await ada.locator('.message.waiting').count()) === 0, 'all sent');
    await shown(bob, 'written offline 3');
    for (const tab of [ada, bob]) {
      await until(async () => (await texts(tab)).length === before + 3, 'three more, once');
      assert.deepEqual((await texts(tab)).slice(-3), [1, 2, 3].map((n) => `written offline ${n}`));
      await tab.locator('.banner[data-state]').waitFor({ state: 'detached' });
    }
  });

  await checks.check('page: it fits a phone, and speaks Korean', async () => {
    const phone = await person({ viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: 'ko-KR' });
    await phone.goto(server.base);
    await phone.locator('h1', { hasText: '채팅' }).waitFor();
    await phone.fill('#name', 'bob');
    await phone.fill('#password', 'correct horse');
    await phone.click('form button[type=submit]');
    await phone.locator('.rooms button', { hasText: 'Weekend walk' }).waitFor();
    await shot(phone, 'phone-list');
    const edge = await phone.locator('.rooms time').first().boundingBox();
    assert.ok(edge.x + edge.width <= 390, 'the list is wider than the phone');
    await openRoom(phone, 'Weekend walk');
    await shown(phone, 'Perfect.');
    assert.equal(await phone.locator('.sidebar').isVisible(), false);
    const overflow = await phone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px too wide`);
    await shot(phone, 'phone-room');
    await phone.goBack();
    await phone.locator('.sidebar').waitFor();
    await phone.context().close();
  });

  await checks.check('page: signing out forgets the token', async () => {
    await bob.click('[popovertarget=main-menu]');
    await bob.click('#main-menu button:has-text("Sign out")');
    await bob.waitForSelector('#name');
    assert.equal(await bob.evaluate(() => sessionStorage.getItem('token') ?? localStorage.getItem('token')), null);
    await bob.reload();
    await bob.waitForSelector('#name');
  });

  await checks.check('page: no error, no blocked script, no dialog in all of this', () => assert.deepEqual(faults, []));

  await browser.close();
  await checks.check('chat-app ends with 0 when asked to', async () => assert.equal(await server.stop(), 0, server.log));
}
